"""Run: what one command does around its experiments: owner, clusters, exit status."""
