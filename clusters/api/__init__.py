"""API: requests to a cluster's API server, valid object names, and leader election."""
