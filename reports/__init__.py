"""Reports: presents a run to the people who act on it."""
