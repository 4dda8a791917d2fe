"""History: what was asked, answered and seen in one run, the only truth that a check may read.

It is a file of JSON lines, which `History` writes and `read` reads; `vocabulary` has the names that stand in it.
The other modules read it once for one subject each (`model.follow`), and `coverage` says what was not seen.
None of them imports what speaks to clusters.
"""

from chaos_harness.harness.history.recorded import SCHEMA, Entry, EntryKind, Header, History, read
from chaos_harness.harness.history.writer import HistoryWriter

__all__ = ["SCHEMA", "Entry", "EntryKind", "Header", "History", "HistoryWriter", "read"]
