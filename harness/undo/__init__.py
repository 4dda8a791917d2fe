"""Undo: whatever is done to a cluster is taken back, even by another process, after this one was killed.

Before a harm its undo is written to the run's journal, and is on the disk: an id of a function (`actions`) and its
arguments. Whoever did the harm undoes it (`promises`); after a crash `nox -s gc` replays the journal
(`journal.replay`). An undo needs the container engine only, never this machine's kubeconfig or a live API client.
"""
