"""Store: the runs of many nights in one database file, by which they are compared."""
