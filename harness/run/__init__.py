"""Run: what one command does around its experiments: whose it is, where clusters come from, how it ends."""
