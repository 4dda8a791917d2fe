"""A against B: the same incidents on two shapes in turn, and whether the second is worse."""
