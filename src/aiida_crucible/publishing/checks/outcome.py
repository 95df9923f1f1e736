"""What a check found: how much is right, what differs, and what nobody can tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from aiida.orm import Node


@dataclass
class Outcome:
    """One line of the table of a check.

    :param title: what was checked.
    :param right: how many are as they should be.
    :param differences: one line each, which names the node or file and what of it.
    :param unchecked: how many could not be checked, by reason.
    """

    title: str
    right: int = 0
    differences: list[str] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)

    def judge(self, difference: str | None) -> None:
        """Count one that was checked: right if nothing differs."""
        if difference is None:
            self.right += 1
        else:
            self.differences.append(difference)

    @property
    def row(self) -> tuple[str, int, int, int, str]:
        """Title, numbers of right ones, differences and unchecked ones, and reasons."""
        reasons = [f"{count} {reason}" for reason, count in sorted(self.unchecked.items())]
        return self.title, self.right, len(self.differences), sum(self.unchecked.values()), "; ".join(reasons)


def named(node: Node) -> str:
    """Return what lines call a node of an archive."""
    return f"{type(node).__name__} {node.uuid[:8]} (PK {node.pk})"


def described(error: BaseException) -> str:
    """Return an error in one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
