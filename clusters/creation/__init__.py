"""Creation: brings up one cluster of a shape as a list of named actions, or removes everything it made."""
