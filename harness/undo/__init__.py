"""Undo: takes back what was done to a cluster, even in another process after this one was killed.

Before any harm its undo is on disk, in the run's journal: the id of a function (`actions`) and its arguments. The
process that did the harm undoes it (`promises`); after a crash `nox -s gc` replays the journal (`journal.replay`). An
undo needs only the container engine, never this machine's kubeconfig or an open API client.
"""
