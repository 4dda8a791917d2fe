"""Registry: faults of the source of images."""
