"""History: what was asked, answered and seen in one run, the only truth that a check may read.

It is a file of JSON lines, which `writer` writes and `recorded` reads; `vocabulary` has the names that are used in it.
The other modules read it once for one subject each (`following.follow`), and `coverage` says what was not seen.
None of them imports anything that talks to clusters.
"""

from chaos_harness.harness.history.recorded import SCHEMA, Entry, EntryKind, Header, History, read
from chaos_harness.harness.history.writer import HistoryWriter

__all__ = ["SCHEMA", "Entry", "EntryKind", "Header", "History", "HistoryWriter", "read"]
