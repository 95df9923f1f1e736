"""The parameters of the task ``relax``, and which structures they suit."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from crucible_engine.wire.rules import Parameter, ParameterError
from crucible_engine.wire.schema import Condition, EngineError

if TYPE_CHECKING:
    from crucible_engine.job.preflight import Survey

VOLUME_FIXED = ("fixed", "shape")
"""Values of ``cell`` with which a pressure would do nothing."""

RELAX: dict[str, Parameter] = {
    "optimizer": Parameter(str, "FIRE", "ASE optimizer", choices=("FIRE", "LBFGS", "BFGS")),
    "fmax": Parameter(float, 0.01, "largest force and cell-force component norm, eV/Å", 0.0, 10.0, exclusive=True),
    "max_steps": Parameter(int, 500, "optimizer steps for each structure", minimum=1, maximum=1_000_000),
    "cell": Parameter(
        str,
        "full",
        "which cell degrees of freedom move: none (fixed), full, shape (volume fixed), volume (shape fixed)",
        choices=("fixed", "full", "shape", "volume"),
    ),
    "pressure": Parameter(float, 0.0, "hydrostatic pressure, GPa", -1000.0, 10000.0),
    "keep_symmetry": Parameter(
        bool, True, "keep the space group of the initial structure (FixSymmetry; crystals only)"
    ),
    "symmetry_tolerance": Parameter(
        float, 1e-3, "distance tolerance of the space-group search, Å", 0.0, 1.0, exclusive=True
    ),
    "members": Parameter(
        bool, True, "relax what converged with each member of an ensemble, too; without one this does nothing"
    ),
    "trajectory_interval": Parameter(int, 0, "store every n-th step's geometry; 0 stores none", minimum=0),
}


def check_pressure(values: Mapping[str, Any]) -> None:
    """Refuse a pressure that would do nothing.

    :raises ParameterError: one line.
    """
    if values["pressure"] and values["cell"] in VOLUME_FIXED:
        raise ParameterError(
            f"parameter 'pressure' of relax is {values['pressure']:g} GPa, but cell {values['cell']!r} keeps the "
            "volume: set cell to 'full' or 'volume'"
        )


def needs_stress(values: Mapping[str, Any]) -> str | None:
    """Return what needs stresses, in words; ``None`` for a fixed cell."""
    return None if values["cell"] == "fixed" else f"relax with cell {values['cell']!r}"


def check_structures(survey: Survey, parameters: dict[str, Any], family: str) -> None:
    """Refuse to relax what cannot be.

    :raises EngineError: ``INVALID_STRUCTURE``, ``PACKAGE_MISSING``.
    """
    if parameters["cell"] != "fixed" and survey.not_periodic is not None:
        raise EngineError(
            Condition.INVALID_STRUCTURE,
            f"structure {survey.not_periodic!r} is not periodic in three directions and so has no cell to relax: "
            "set cell to 'fixed'",
        )
    if parameters["keep_symmetry"] and survey.n_crystals and not find_spec("spglib"):
        raise EngineError(
            Condition.PACKAGE_MISSING,
            "this Python has no package spglib, which keeps the space group: "
            f"'aiida-crucible env create {family}' makes an environment that has it, or set keep_symmetry to false",
        )
