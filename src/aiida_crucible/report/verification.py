"""A verification as a table for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import tabulate

WIDTH = 100
STATUS = {"passed": "ok", "failed": "FAILED", "not-applicable": "-"}
HEADER = ("check", "", "value", "allowed", "finding")
FINDING_WIDTH = 38


def format_verification(results: Mapping[str, Any]) -> str:
    """Return an aligned table of at most :data:`WIDTH` columns: one line a check, then the verdict.

    :param results: content of the ``results`` of ``crucible.verify``.
    """
    rows = [(*row, textwrap.fill(finding, FINDING_WIDTH)) for *row, finding in check_rows(results)]
    alignment = ("left", "left", "right", "right", "left")
    table = tabulate.tabulate(rows, HEADER, tablefmt="simple", disable_numparse=True, colalign=alignment)
    return f"{table}\n\n{textwrap.fill(verification_verdict(results), WIDTH)}"


def check_rows(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row a check, in the columns of :data:`HEADER`."""
    return [
        (
            check["name"],
            STATUS[check["status"]],
            f"{_two_digits(check['value'])} {check['unit']}".strip(),
            _two_digits(check["tolerance"]),
            f"{check['fault']}: {check['message']}" if check["fault"] else check["message"],
        )
        for check in results["summary"]["checks"]
    ]


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def verification_verdict(results: Mapping[str, Any]) -> str:
    """Return in one line which model passed or failed where."""
    model, summary = results["model"], results["summary"]
    noise = summary["force_noise"]
    subject = (
        f"{model['family']} {model['name'] or model['sha256'][:12]} ({model['dtype']}) on "
        f"{results['environment']['device']}"
    )
    found = f"FAILED with {', '.join(summary['faults'])}" if summary["faults"] else "passed"
    scatter = "" if noise is None else f"; float noise of its forces {noise:.1e} eV/Å"
    return f"{subject} {found}{scatter}."
