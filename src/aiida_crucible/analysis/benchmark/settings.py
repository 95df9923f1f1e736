"""How a benchmark treats each material: the settings of every step in one table of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity
from aiida_crucible.analysis.comparison.settings import validate_comparison
from aiida_crucible.analysis.phonons.settings import validate_settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.rules import Parameter, ParameterError, complete, shown, suggestion

RELAX, FORCES, DYNAMICS = "relax", "forces", "dynamics"
PHONON, COMPARISON, ANHARMONICITY = "phonon", "comparison", "anharmonicity"

SECTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    RELAX: lambda given: validate_parameters("relax", given),
    FORCES: lambda given: validate_parameters("evaluate", given),
    DYNAMICS: lambda given: validate_parameters("dynamics", given),
    PHONON: validate_settings,
    COMPARISON: validate_comparison,
    ANHARMONICITY: validate_anharmonicity,
}
"""What completes and checks the settings of each step."""

OPTIONAL = (RELAX, DYNAMICS, PHONON)
"""Steps that are left out where their settings are ``None``: no relaxation, no own runs, no phonons."""

SET_BY_BENCHMARK = ("temperatures", "start", "streams", "first_replica", "final_temperature", "frame_forces")
"""Parameters of the dynamics that follow from the section ``anharmonicity``."""

PARAMETERS: dict[str, Parameter] = {
    "materials_per_batch": Parameter(int, 20, "materials whose jobs are packed into one", 1, 10_000),
    "max_concurrent": Parameter(
        int, None, "batches at once; by default as many as the computer does fastest together", 1, 10_000
    ),
}


def validate_benchmark_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how each material is treated, complete with defaults.

    :param given: by section (:data:`SECTIONS`); one that is left out has its defaults, one of :data:`OPTIONAL` that
        is ``None`` leaves its step out.
    :raises ValueError: one line that names the section and the setting.
    """
    for name in given:
        if name not in SECTIONS:
            raise ParameterError(f"there is no section {name!r} of a benchmark: {suggestion(name, list(SECTIONS))}")
    settings = {name: _section(name, given.get(name, {})) for name in SECTIONS}
    if (dynamics := settings[DYNAMICS]) is not None:
        _check_dynamics(dynamics)
    return settings


def validate_benchmark_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a benchmark is packed, complete with defaults.

    :raises ValueError: one line that names the parameter, what is wrong and what is allowed.
    """
    return complete("benchmark", PARAMETERS, given)


def dynamics_of_runs(settings: Mapping[str, Any], runs: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Return the parameters of one job that holds the own runs of several materials.

    :param runs: temperature (K) and number of each; runs of the same number have the same random numbers, whatever
        else is in the job.
    """
    own = {
        "temperatures": [temperature for temperature, _ in runs],
        "streams": [number for _, number in runs],
        "start": "independent",
        "frame_forces": True,
    }
    return {**settings[DYNAMICS], **own}


def run_labels(settings: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return temperature (K) and number of each own run of a material."""
    anharmonicity = settings[ANHARMONICITY]
    return [
        (temperature, run) for run in range(anharmonicity["n_runs"]) for temperature in anharmonicity["temperatures"]
    ]


def _section(name: str, given: Any) -> dict[str, Any] | None:
    if given is None and name in OPTIONAL:
        return None
    if not isinstance(given, Mapping):
        raise ParameterError(f"section {name!r} of a benchmark is {shown(given)}: give a dict")
    try:
        return SECTIONS[name](dict(given))
    except ValueError as error:
        raise ParameterError(f"section {name!r} of a benchmark: {error}") from None


def _check_dynamics(values: Mapping[str, Any]) -> None:
    """Refuse what follows from the anharmonicity's settings, and dynamics that keeps no frames."""
    defaults = validate_parameters("dynamics", {})
    for name in SET_BY_BENCHMARK:
        if values[name] != defaults[name]:
            instead = "use anharmonicity.temperatures" if name == "temperatures" else "leave it out"
            raise ParameterError(f"section 'dynamics' of a benchmark sets {name} to {shown(values[name])}: {instead}")
    if not values["frame_interval"] or not values["retrieved_frames"]:
        raise ParameterError(
            "section 'dynamics' of a benchmark keeps no frames: give frame_interval and retrieved_frames of at least 1"
        )
