"""Truth table: how often each check gave the expected verdict, and the correct one where that is known."""
