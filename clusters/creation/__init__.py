"""Creation: one cluster made of a shape, as a list of named actions, or nothing left of it."""
