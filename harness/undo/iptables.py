"""Iptables: rules that a fault adds in the network namespace of a node, counts packets with, and deletes again."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import CommandFailed
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container
from chaos_harness.harness.undo.promises import Undos

__all__ = ["Rule", "delete_rule", "new_comment"]

_IPTABLES = ("iptables", "-w", "5")
"""With -w it waits up to 5 s for the lock of another iptables."""

_NO_RULE = ("does a matching rule exist", "bad rule")


@undo
def delete_rule(engine: Engine, *, node: str, rule: Sequence[str]) -> None:
    """Delete every copy of an iptables rule from a node; a node that is gone or stopped has none."""
    while (done := run_in_container(engine, node, *_IPTABLES, "-D", *rule, ended_by="stop")) is not None:
        if done.returncode == 0:
            continue
        if any(word in done.stderr.lower() for word in _NO_RULE):
            return
        raise CommandFailed(f"`iptables -D {' '.join(rule)}` on {node}: {done.stderr.strip()}")


def new_comment() -> str:
    """Return a new comment that identifies one fault's rules."""
    return f"chaos-harness:{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Rule:
    """A rule on a node (container name): packets of `chain` that match go to `target`; `comment` identifies the rule.

    `match` and `target` are words of iptables.
    """

    node: str
    chain: str
    match: Sequence[str]
    comment: str = field(default_factory=new_comment)
    target: Sequence[str] = ("DROP",)
    table: str = ""

    @property
    def words(self) -> list[str]:
        """The rule's words, as they follow -I or -D."""
        comment = ["-m", "comment", "--comment", self.comment]
        return [self.chain, *self._table, *self.match, *comment, "-j", *self.target]

    def register(self, undos: Undos) -> None:
        """Journal the deletion of the rule. Raises HarnessError."""
        undos.register(delete_rule, node=self.node, rule=self.words)

    def insert(self, cluster: Cluster, deadline: Deadline) -> None:
        """Insert the rule at the top of its chain. Raises CommandFailed."""
        cluster.exec(self.node, [*_IPTABLES, "-I", *self.words], deadline)

    def packets(self, cluster: Cluster, deadline: Deadline) -> int | None:
        """Return how many packets matched the rule, None if the rule does not exist. Raises CommandFailed."""
        listed = cluster.exec(self.node, [*_IPTABLES, "-nvxL", self.chain, *self._table], deadline).stdout
        return next((int(line.split()[0]) for line in listed.splitlines() if self.comment in line), None)

    @property
    def _table(self) -> list[str]:
        return ["-t", self.table] if self.table else []
