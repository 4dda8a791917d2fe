"""Registry: faults of what images come from: no registry, no image."""
