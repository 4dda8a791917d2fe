"""Machine: how a run uses this computer: processes, locks, files, and changes that are undone afterwards."""
