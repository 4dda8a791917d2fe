"""API: requests to a cluster's API server, what objects may be called, and who leads."""
