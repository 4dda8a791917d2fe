"""A night: scenarios and incidents on a matrix of versions, cell by cell, resumable, in shards."""
