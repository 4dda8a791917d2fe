"""Control plane: faults of the API server and what it starts with."""
