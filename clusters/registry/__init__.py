"""Registry: the container that nodes take for docker.io, and its password."""
