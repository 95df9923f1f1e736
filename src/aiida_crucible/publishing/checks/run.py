"""All checks of an export, one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from aiida.orm import ProcessNode, QueryBuilder

from aiida_crucible.compat.aiida_archive import archive_as_profile
from aiida_crucible.publishing.checks.numbers import check_functions, check_jobs
from aiida_crucible.publishing.checks.objects import (
    check_digests,
    check_manifest,
    check_objects,
    check_weights,
    own_jobs,
)
from aiida_crucible.publishing.checks.outcome import Outcome
from aiida_crucible.publishing.checks.report import check_report
from aiida_crucible.publishing.closure import OWN
from aiida_crucible.publishing.export import WriteReport
from aiida_crucible.publishing.opening import opened


def check_export(
    path: Path, tell: Callable[[str], None] = lambda line: None, write_report: WriteReport | None = None
) -> list[Outcome]:
    """Check an export of somebody else, without importing or running anything of it.

    :param path: of its folder, of the zip file of that, or of an AiiDA archive alone.
    :param tell: called with what is being checked.
    :param write_report: what writes the report; by default that of ``aiida-crucible report``.
    :raises ValueError: one line, if it is no export, damaged, hostile, or has nothing of this package.
    """
    with opened(path) as export, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tell("checksums of the files")
        outcomes = [check_manifest(export.folder)]
        with archive_as_profile(export.archive):
            _require_own(path)
            jobs = own_jobs()
            tell("objects of the repository")
            outcomes += [check_objects(export), check_weights(jobs)]
            tell("digests of the nodes")
            outcomes.append(check_digests(export))
            tell(f"outputs of {len(jobs)} jobs")
            outcomes.append(check_jobs(jobs))
            tell("analyses, computed again")
            outcomes.append(check_functions())
            tell("the report, made anew")
            outcomes.append(check_report(export.folder, write_report))
    return outcomes


def _require_own(path: Path) -> None:
    types = QueryBuilder().append(ProcessNode, project="process_type").all(flat=True)
    if not any(str(each).startswith(OWN) for each in types):
        raise ValueError(f"{path} holds no process of aiida-crucible: give an archive of its processes")
