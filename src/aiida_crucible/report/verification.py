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
    summary = results["summary"]
    rows = [_row(check) for check in summary["checks"]]
    alignment = ("left", "left", "right", "right", "left")
    table = tabulate.tabulate(rows, HEADER, tablefmt="simple", disable_numparse=True, colalign=alignment)
    return f"{table}\n\n{textwrap.fill(_verdict(results), WIDTH)}"


def _row(check: Mapping[str, Any]) -> tuple[str, ...]:
    finding = f"{check['fault']}: {check['message']}" if check["fault"] else check["message"]
    return (
        check["name"],
        STATUS[check["status"]],
        f"{_two_digits(check['value'])} {check['unit']}".strip(),
        _two_digits(check["tolerance"]),
        textwrap.fill(finding, FINDING_WIDTH),
    )


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _verdict(results: Mapping[str, Any]) -> str:
    model, summary = results["model"], results["summary"]
    noise = summary["force_noise"]
    subject = (
        f"{model['family']} {model['name'] or model['sha256'][:12]} ({model['dtype']}) on "
        f"{results['environment']['device']}"
    )
    found = f"FAILED with {', '.join(summary['faults'])}" if summary["faults"] else "passed"
    scatter = "" if noise is None else f"; float noise of its forces {noise:.1e} eV/Å"
    return f"{subject} {found}{scatter}."
