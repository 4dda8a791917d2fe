"""kind: its configuration, its command, the files that every node gets, and its logs."""
