"""Node logs: returns the lines written to files on a node since the last reading, also lines that a reading cut."""

import re
from collections.abc import Sequence
from io import StringIO

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline

__all__ = ["NodeLogs"]

_SCRIPT = """
stat -c '%i %s %n' $LOGS 2>/dev/null | while read -r inode size log; do
  case "$log" in *.gz | *.tmp) continue ;; esac
  from=$FIRST
  for known in "$@"; do
    [ "${known%=*}" = "$inode" ] && from=${known#*=}
  done
  [ -n "$from" ] || from=$((size > 65536 ? size - 65536 : 0))
  [ "$size" -lt "$from" ] && from=0
  {
    [ "$(stat -L -c %i /proc/self/fd/3)" = "$inode" ] || size=$from
    echo "LOG $log=$inode $size"
    [ "$size" -gt "$from" ] && tail -c "+$((from + 1))" <&3 | head -c "$((size - from))"
  } 3<"$log"
done
exit 0
"""
"""Prints name, inode and size of each file, and its content after the known size of that inode.

At the first reading this is the file's end: only its last line, maybe incomplete, is used. A file that is renamed at
this moment is read the next time.
"""

_HEAD = re.compile(r"LOG (?P<path>/[^=\n]+)=(?P<inode>\d+) (?P<size>\d+)\n$")


class NodeLogs:
    """Log files of one node; lines that were there at the first reading are not returned.

    Files are identified by inode, because rotation renames them. After a reading, `paths` are the files that exist,
    `cut` those whose last line was incomplete, and `lost` those of which something may be missing for good: the file
    became shorter, or its inode is gone.
    """

    def __init__(self, cluster: Cluster, node: str, patterns: Sequence[str]) -> None:
        """Follow the files on `node` that match these shell patterns, in their order, except compressed ones."""
        self.node = node
        self.paths: dict[str, str] = {}
        self.cut: set[str] = set()
        self.lost: set[str] = set()
        self._cluster = cluster
        self._logs = f"LOGS={' '.join(patterns)}"
        self._first = True
        self._sizes: dict[str, int] = {}
        self._begun: dict[str, str] = {}

    def lines(self, deadline: Deadline) -> list[tuple[str, str]]:
        """Return (file, text) for each line written since the last reading.

        Raises CommandFailed, DeadlineExceeded; the next reading then returns everything since the last successful one.
        """
        known = [f"{inode}={size}" for inode, size in self._sizes.items()]
        argv = ["env", "FIRST=" if self._first else "FIRST=0", self._logs, "sh", "-c", _SCRIPT, "sh", *known]
        done = self._cluster.exec(self.node, argv, deadline)
        lines: list[tuple[str, str]] = []
        paths: dict[str, str] = {}
        sizes: dict[str, int] = {}
        path = inode = ""
        for line in StringIO(done.stdout):
            head = _HEAD.search(line)
            if head:
                self._begun[inode] = self._begun.get(inode, "") + line[: head.start()]
                path, inode, size = head["path"], head["inode"], int(head["size"])
                if size < self._sizes.get(inode, 0):
                    self._begun.pop(inode, None)
                paths[path], sizes[inode] = inode, size
                continue
            whole = self._begun.pop(inode, "") + line
            if not whole.endswith("\n"):
                self._begun[inode] = whole
            elif not self._first:
                lines.append((path, whole))
        self._begun = {inode: begun for inode, begun in self._begun.items() if begun and inode in sizes}
        self.lost = {path for path, inode in self.paths.items() if sizes.get(inode, -1) < self._sizes[inode]}
        self.cut = {path for path, inode in paths.items() if inode in self._begun}
        self.paths, self._sizes, self._first = paths, sizes, False
        return lines
