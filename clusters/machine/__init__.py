"""Machine: this computer as a run uses it: processes, locks, files, what was changed on it and is put back."""
