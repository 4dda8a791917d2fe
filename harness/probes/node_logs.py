"""Node logs: what came into files on a node since they were last read, wherever a read cuts them."""

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
"""Prints, for each file, its name, inode and size, and what came since the size that is known of that inode.

At first this is what it ends with: only its last line is looked at, which may not be whole yet. A file that gets
another name in this moment is read the next time.
"""

_HEAD = re.compile(r"LOG (?P<path>/[^=\n]+)=(?P<inode>\d+) (?P<size>\d+)\n$")


class NodeLogs:
    """Log files of one node; what was there when they were first read is not given.

    They are told apart by their inodes, since rotating a file gives it another name. After a reading, `paths` are
    those that were there, `cut` those whose last line was not whole yet, and `lost` those of which something may be
    missing for good: they are shorter than they were, or there is no file of that inode any more.
    """

    def __init__(self, cluster: Cluster, node: str, patterns: Sequence[str]) -> None:
        """Follow the files on `node` that match these shell patterns, in their order; packed ones are left out."""
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
        """Return the file and the text of each line that was written since the last time.

        Raises CommandFailed, DeadlineExceeded; the next time, all that came since is returned.
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
