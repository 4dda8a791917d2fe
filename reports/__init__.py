"""Reports: how a run is told to the people who have to act on it."""
