"""Truth table: how often each check said what was expected, and what was true where that is known."""
