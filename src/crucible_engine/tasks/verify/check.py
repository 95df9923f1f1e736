"""One line of a verification: what was measured, what is allowed, and the fault's name where it is not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

PASSED = "passed"
FAILED = "failed"
NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class Check:
    """Result of one check, which has passed as it is made, see :meth:`failed`.

    :param status: :data:`PASSED`, :data:`FAILED` or :data:`NOT_APPLICABLE`.
    :param message: one line for a person.
    :param fault: name of the fault, where it failed.
    :param value: what was measured; ``None`` where nothing was.
    :param tolerance: what is allowed.
    :param unit: of both; empty for a plain number.
    """

    name: str
    message: str
    value: float | None = None
    tolerance: float | None = None
    unit: str = ""
    status: str = PASSED
    fault: str | None = None

    def failed(self, fault: str) -> Check:
        """Return the same measurement as a fault."""
        return replace(self, status=FAILED, fault=fault)

    def failed_if(self, wrong: bool, fault: str) -> Check:
        """Return the same measurement as a fault where it is one, and as it is elsewhere."""
        return self.failed(fault) if wrong else self

    def unjudged(self, reason: str) -> Check:
        """Return the same measurement as one that has no right value."""
        return replace(self, status=NOT_APPLICABLE, fault=None, tolerance=None, message=f"{reason}; {self.message}")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serializable content; what is not finite becomes ``None``."""
        content = asdict(self)
        for key in ("value", "tolerance"):
            if content[key] is not None and not math.isfinite(content[key]):
                content[key] = None
        return content


def not_applicable(name: str, message: str) -> Check:
    """Return a check that could not be made."""
    return Check(name, message, status=NOT_APPLICABLE)
