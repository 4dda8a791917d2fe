"""Node logs: returns the lines written to files on a node since the last reading, also lines that a reading cut."""

import select
from collections.abc import Sequence
from contextlib import ExitStack
from io import BytesIO
from secrets import token_hex
from typing import TYPE_CHECKING

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed

if TYPE_CHECKING:
    from chaos_harness.clusters.engine.dialogue import Dialogue

__all__ = ["NodeLogs"]

_SCRIPT = """
while read -rt 900 mark first known; do
  stat -c '%i %s %n' $* | while read -r inode size log; do
    case "$log" in *.gz | *.tmp) continue ;; esac
    from=0
    [ "$first" = end ] && from=$((size > 65536 ? size - 65536 : 0))
    for file in $known; do
      [ "${file%=*}" = "$inode" ] && from=${file#*=}
    done
    [ "$size" -lt "$from" ] && from=0
    if [ "$size" = "$from" ]; then
      echo "$mark LOG $inode $size $log"
      continue
    fi
    {
      [ "$(stat -L -c %i /proc/self/fd/3)" = "$inode" ] || size=$from
      echo "$mark LOG $inode $size $log"
      [ "$size" -gt "$from" ] && tail -c "+$((from + 1))" <&3 | head -c "$((size - from))"
    } 3<"$log"
  done
  echo "$mark END"
done 2>/dev/null
"""
"""The bash script on a node, which runs on, because a command of the engine's for each reading costs far more.

Each line of input is a reading: a mark, "end" or "all", and the known files as inode=size. It prints, after the mark,
inode, size and name of each file, and then the file's content after the known size; at the end, the mark once more.
With "end", that is the file's end: only its last line, maybe incomplete, is used. A file that is renamed at this moment
is read the next time. The script ends with its input, or when nothing was read for longer than between two readings.
"""

_SHORT = 300


class NodeLogs:
    """Log files of one node; lines that were there at the first reading are not returned.

    Files are identified by inode, because rotation renames them. After a reading, `paths` are the files that exist,
    `cut` those whose last line was incomplete, and `lost` those of which something may be missing for good: the file
    became shorter, or its inode is gone.

    One command on the node does all readings. It is started by the first one, and again after one that failed; `close`
    ends it.
    """

    def __init__(self, cluster: Cluster, node: str, patterns: Sequence[str]) -> None:
        """Follow the files on `node` that match these shell patterns, in their order, except compressed ones."""
        self.node = node
        self.paths: dict[str, str] = {}
        self.cut: set[str] = set()
        self.lost: set[str] = set()
        self._cluster = cluster
        self._argv = ["bash", "-c", _SCRIPT, "bash", *patterns]
        self._first = True
        self._sizes: dict[str, int] = {}
        self._begun: dict[str, bytes] = {}
        self._dialogue: Dialogue | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        """End the command on the node; another reading starts a new one."""
        self._dialogue = None
        self._stack.close()

    def lines(self, deadline: Deadline) -> list[tuple[str, str]]:
        """Return (file, text) for each line written since the last reading.

        Raises NotOurs, CommandFailed, DeadlineExceeded; the next reading then returns everything since the last
        successful one.
        """
        mark = token_hex(8)
        try:
            printed = self._read(mark, deadline)
        except BaseException:
            self.close()  # a late answer must not be taken for that of another reading
            raise
        lines: list[tuple[str, str]] = []
        paths: dict[str, str] = {}
        sizes: dict[str, int] = {}
        path = inode = ""
        for line in BytesIO(printed):
            text, is_head, head = line.partition(f"{mark} LOG ".encode())
            whole = self._begun.pop(inode, b"") + text
            if is_head or not whole.endswith(b"\n"):
                self._begun[inode] = whole
            elif not self._first:
                lines.append((path, whole.decode(errors="replace")))
            if is_head:
                inode, size, path = head.decode().rstrip("\n").split(" ", 2)
                if int(size) < self._sizes.get(inode, 0):
                    self._begun.pop(inode, None)
                paths[path], sizes[inode] = inode, int(size)
        self._begun = {inode: begun for inode, begun in self._begun.items() if begun and inode in sizes}
        self.lost = {path for path, inode in self.paths.items() if sizes.get(inode, -1) < self._sizes[inode]}
        self.cut = {path for path, inode in paths.items() if inode in self._begun}
        self.paths, self._sizes, self._first = paths, sizes, False
        return lines

    def _read(self, mark: str, deadline: Deadline) -> bytes:
        """Return what the command prints for a reading, from the head of the first file on."""
        known = [f"{inode}={size}" for inode, size in self._sizes.items()]
        spoken = self._running(deadline)
        spoken.say(" ".join([mark, "end" if self._first else "all", *known]))
        poll = select.poll()
        poll.register(spoken, select.POLLIN)
        printed, end = bytearray(), f"{mark} END\n".encode()
        while not printed.endswith(end):
            if spoken.ended:
                said = printed.decode(errors="replace").strip()[-_SHORT:]
                raise CommandFailed(
                    f"the command that reads the logs on {self.node} ended: {said or 'it said nothing'}"
                )
            deadline.check(f"no answer of {self.node}")
            poll.poll(1000 * deadline.remaining)
            printed += spoken.hear_bytes()
        return bytes(printed[max(printed.find(mark.encode()), 0) : -len(end)])

    def _running(self, deadline: Deadline) -> "Dialogue":
        """Return the command that does the readings; one that ended meanwhile, as with its node, is replaced."""
        if self._dialogue is not None:
            self._dialogue.hear_bytes()
            if self._dialogue.ended:
                self.close()
        if self._dialogue is None:
            self._dialogue = self._stack.enter_context(self._cluster.talk(self.node, self._argv, deadline))
        return self._dialogue
