"""Whether relaxations from disturbed crystals end: the share that converges in few steps.

Wurtzite BeO, zincblende BeTe and rocksalt LiBr, N(0, 0.1 Å) on positions and lattice vectors, L-BFGS to 0.05 eV/Å in at
most 100 steps (Mazitov et al., PET-MAD, Nat. Commun. 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer

QUESTION = "Do relaxations from disturbed crystals converge?"

WIDTH = 1.96
"""Standard deviations of a Gaussian within which 95 % are."""


def crystals() -> dict[str, Atoms]:
    """Return the three crystals, primitive cells with their experimental lattice parameters (Å)."""
    return {
        "BeO_wurtzite": bulk("BeO", "wurtzite", a=2.698, c=4.377),
        "BeTe_zincblende": bulk("BeTe", "zincblende", a=5.626),
        "LiBr_rocksalt": bulk("LiBr", "rocksalt", a=5.501),
    }


def disturbed_starts(atoms: Atoms, settings: Mapping[str, Any], stream: int) -> list[Atoms]:
    """Return a crystal many times, with random numbers on positions and lattice vectors.

    :param settings: complete, see :data:`aiida_crucible.analysis.model_tests.settings.SETTINGS`.
    :param stream: number of the crystal, whose random numbers are its own.
    """
    rng = np.random.default_rng([settings["seed"], stream])
    starts = []
    for _ in range(settings["starts"]):
        start = atoms.copy()
        width = settings["start_disturbance"]
        start.set_cell(start.cell.array + width * rng.standard_normal((3, 3)), scale_atoms=True)
        start.positions += width * rng.standard_normal(start.positions.shape)
        starts.append(start)
    return starts


def judge_robustness(
    outcomes: Mapping[str, list[str]], steps: Mapping[str, list[int]], left_out: Mapping[str, str], least: float
) -> Answer:
    """Return whether enough starts converge; one crystal in which too few do is enough for a no.

    :param outcomes: of each start, by crystal; see :mod:`crucible_engine.tasks.relax`.
    :param steps: of each start, by crystal.
    :param left_out: crystals that could not be tested, with the reason.
    :param least: share.
    """
    rows: dict[str, Any] = {}
    for name, own in outcomes.items():
        taken = [each for each, outcome in zip(steps[name], own, strict=True) if outcome == "converged"]
        rows[name] = {
            "n_starts": len(own),
            "outcomes": {outcome: own.count(outcome) for outcome in sorted(set(own))},
            "steps": {"median": float(np.median(taken)), "largest": max(taken)} if taken else None,
        }
    evidence = {"crystals": rows, "left_out": dict(left_out)}
    missing = "".join(f"; {name} is left out: {why}" for name, why in left_out.items())
    if not rows:
        return Answer(QUESTION, CANNOT_TELL, f"no crystal could be tested{missing}", evidence)
    n_starts = sum(len(own) for own in outcomes.values())
    converged = sum(own.count("converged") for own in outcomes.values())
    low, _ = interval(converged, n_starts)
    told = f"{converged} of {n_starts} starts converged"
    bad = [name for name, own in outcomes.items() if interval(own.count("converged"), len(own))[1] < least]
    if bad:
        return Answer(QUESTION, NO, f"{told}, too few of {', '.join(bad)} (limit {least:g}){missing}", evidence)
    if low >= least:
        said = f"{told}, at least {low:.0%} of all within 95 % (limit {least:.0%})"
        return Answer(QUESTION, YES, said + missing, evidence)
    needed = f"{told}, which may be a share of {low:.0%} (limit {least:.0%}): it would take more starts"
    return Answer(QUESTION, CANNOT_TELL, needed + missing, evidence)


def interval(count: int, total: int) -> tuple[float, float]:
    """Return the share of successes within 95 % (E. B. Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    share, square = count / total, WIDTH**2
    middle = share + square / (2 * total)
    half = WIDTH * sqrt(share * (1 - share) / total + square / (4 * total**2))
    return max(0.0, (middle - half) / (1 + square / total)), min(1.0, (middle + half) / (1 + square / total))
