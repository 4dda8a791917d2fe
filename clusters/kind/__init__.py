"""kind: its configuration, its command, the files mounted into every node, and its logs."""
