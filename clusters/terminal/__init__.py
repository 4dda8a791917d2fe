"""Terminal: lines for people; they are safe to show, and losing them loses nothing else."""
