"""Whether the weights that were loaded are the expected ones: by their digest, and by what they answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crucible_engine.families import fingerprints
from crucible_engine.families.base import Model
from crucible_engine.families.registry import find_named
from crucible_engine.tasks.verify.check import Check, not_applicable
from crucible_engine.wire.schema import ModelReference

EXPLAINS_FINGERPRINT = (
    "not-finite",
    "not-deterministic",
    "rounded-results",
    "energy-wrong-unit",
    "energy-wrong-sign",
    "energy-inconsistent",
    "energy-per-atom",
    "energy-scales-with-size",
    "stale-results",
    "misses-periodic-images",
    "energy-not-extensive",
    "not-invariant-under-translation",
    "not-invariant-under-rotation",
)
"""Faults of the energy itself: with them a wrong answer says nothing of the weights."""


def check_weights(model: Model, reference: ModelReference) -> Check:
    """Compare the digest of what was loaded with the one wanted, or with the released one of that name."""
    released = find_named(model.family, model.name).sha256 if model.name else None
    wanted = reference.sha256 or released
    if wanted is None:
        return not_applicable("weights", f"sha256 {model.sha256[:12]}…; none was promised to compare it with")
    if model.sha256 != wanted:
        message = f"sha256 is {model.sha256[:12]}…, that of {model.name or 'the checkpoint'} {wanted[:12]}…"
        return Check("weights", message).failed("wrong-weights")
    return Check("weights", f"sha256 {model.sha256[:12]}… is the one expected")


def check_fingerprint(model: Model, wanted: bool, faults: Sequence[str]) -> Check:
    """Compare the energies of stored structures with what the released weights are known to answer.

    Forces are reported and not judged: those that belong to other energies are found by their gradient.

    :param wanted: whether the user wants the comparison.
    """
    name = "fingerprint"
    if not wanted:
        return not_applicable(name, "switched off by the parameter fingerprint")
    known = fingerprints.find(model.family, model.name, model.settings, model.sha256)
    if known is None:
        return not_applicable(name, f"none is stored for {model.family} {model.name or 'checkpoints'}")
    answers = [model.evaluate_batch([atoms.copy()], stress=False)[0] for atoms in known.structures]
    energy = max(
        abs(answer.energy - right) / len(answer.forces) for answer, right in zip(answers, known.energies, strict=True)
    )
    force = max(float(np.abs(answer.forces - right).max()) for answer, right in zip(answers, known.forces, strict=True))
    message = f"{len(answers)} stored energies differ by {energy:.1e} eV/atom, forces by {force:.1e} eV/Å"
    if energy <= known.energy_tolerance:
        return Check(name, message, energy, known.energy_tolerance, "eV/atom")
    explained = [fault for fault in faults if fault in EXPLAINS_FINGERPRINT]
    if explained:
        return not_applicable(name, f"{message}; {explained[0]} may be why")
    return Check(name, message, energy, known.energy_tolerance, "eV/atom").failed("wrong-weights")
