"""Registry: the container that nodes use as docker.io, and its password."""
