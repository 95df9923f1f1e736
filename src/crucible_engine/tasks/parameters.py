"""The parameters of each task: one table that both sides validate against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_engine.tasks.dynamics.parameters import DYNAMICS, check_dynamics
from crucible_engine.tasks.similarity.parameters import SIMILARITY
from crucible_engine.wire.rules import Parameter, ParameterError, complete

BATCH_SIZE = Parameter(
    int, None, "structures evaluated at once; by default the fastest for the family, device and size", minimum=1
)

VOLUME_FIXED = ("fixed", "shape")
"""Values of ``cell`` with which a pressure would do nothing."""

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "evaluate": {
        "batch_size": BATCH_SIZE,
        "stress": Parameter(bool, True, "compute stresses as well (periodic structures only)"),
    },
    "relax": {
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
        "trajectory_interval": Parameter(int, 0, "store every n-th step's geometry; 0 stores none", minimum=0),
    },
    "dynamics": DYNAMICS,
    "similarity": SIMILARITY,
    "verify": {
        "fingerprint": Parameter(bool, True, "compare with the stored fingerprint where named weights have one"),
        "seed": Parameter(int, 0, "seed of the random rotations, displacements and permutations", minimum=0),
    },
}


def needs_stress(task: str, parameters: Mapping[str, Any]) -> str | None:
    """Return what of a task needs stresses, in words; ``None`` if nothing does.

    :param task: a task's name.
    :param parameters: complete.
    """
    if task == "relax" and parameters["cell"] != "fixed":
        return f"relax with cell {parameters['cell']!r}"
    if task == "dynamics" and parameters["ensemble"].startswith("npt"):
        return f"dynamics with ensemble {parameters['ensemble']!r}"
    return None


def lack_of_stress(model: str, needed: str) -> str:
    """Return the line for a model without stresses that something needs; both in words."""
    instead = "set cell to 'fixed'" if needed.startswith("relax") else "choose an nvt ensemble or nve"
    return f"{model} gives no stress, which {needed} needs: {instead}, or choose another model"


def validate_parameters(task: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a task complete with defaults and normalised to their kinds.

    :param task: a task's name.
    :param given: what the user gave.
    :raises ParameterError: one line that names the parameter, what is wrong and what is allowed.
    """
    values = complete(task, PARAMETERS[task], given)
    if task == "relax" and values["pressure"] and values["cell"] in VOLUME_FIXED:
        raise ParameterError(
            f"parameter 'pressure' of {task} is {values['pressure']:g} GPa, but cell {values['cell']!r} keeps the "
            "volume: set cell to 'full' or 'volume'"
        )
    if task == "dynamics":
        check_dynamics(values)
    return values
