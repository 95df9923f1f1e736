"""What the materials of a batch are computed with, with provenance: one calcfunction for all of them.

AiiDA's cost of a process is that of dozens of materials' arithmetic here, so that the inputs and outputs of all
materials are those of one: ``structure_NaCl``, ``displaced_NaCl``, … A material that a step fails for is no other's
matter: ``failures`` says why, and there is no output for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Data, Dict, TrajectoryData

from aiida_crucible.analysis.anharmonicity.effective_force_constants import evenly_chosen
from aiida_crucible.analysis.anharmonicity.settings import own_supercell
from aiida_crucible.analysis.benchmark.settings import (
    ANHARMONICITY,
    DYNAMICS,
    FORCES,
    PHONON,
    validate_benchmark_settings,
)
from aiida_crucible.analysis.phonons.phonon_analysis import prepare
from aiida_crucible.nodes.force_data import after_discarded, chosen_frames
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms
from aiida_crucible.workflows.anharmonicity.calcfunctions import drawn_frames
from aiida_crucible.workflows.benchmark.material_calcfunctions import phonon_settings, why

NUMERICS = 3
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""

STRUCTURE, TRAJECTORY = "structure", "trajectory"
REFERENCE_STRUCTURE, REFERENCE_CONSTANTS = "reference_structure", "reference_force_constants"
DISPLACED, FRAMES, START, SUPERCELL, FAILURES = "displaced", "frames", "start", "supercell", "failures"
INPUTS = (STRUCTURE, TRAJECTORY, REFERENCE_STRUCTURE, REFERENCE_CONSTANTS)


@calcfunction
def prepare_evaluation(settings: Dict, **nodes: Data) -> dict[str, Data]:
    """Return what the model's forces are wanted of.

    :param settings: see :mod:`aiida_crucible.analysis.benchmark.settings`.
    :param nodes: by material ``structure_…``, the unit cell, relaxed; ``reference_structure_…`` and
        ``reference_force_constants_…``, which give the supercell where the settings name none and it is one of these
        cells; ``trajectory_…``, frames of the reference that are more than the settings ask for.
    :return: by material ``displaced_…``, the supercells of a phonon calculation, the ideal one first; ``frames_…``,
        as many evenly spaced frames as the settings say; and by section of the settings the ``failures``.
    """
    complete, given = validate_benchmark_settings(settings.get_dict()), by_material(nodes)
    work = _Work()
    for label, own in given.items():
        if STRUCTURE in own:
            work.do(PHONON, label, partial(_displaced, complete, label, own))
        if TRAJECTORY in own:
            work.do(FORCES, label, partial(_thinned, complete, label, own[TRAJECTORY]))
    return work.outputs


@calcfunction
def prepare_runs(settings: Dict, **nodes: Data) -> dict[str, Data]:
    """Return what the model's own runs begin with.

    :param settings: see :mod:`aiida_crucible.analysis.benchmark.settings`.
    :param nodes: by material ``structure_…``, the unit cell, and where runs begin in its frames ``trajectory_…`` of
        the reference.
    :return: by material ``supercell_…`` of a unit cell; or ``start_0_…``, ``start_1_…``, frames of the reference, one
        for each run, drawn at random; and by section of the settings the ``failures``.
    """
    complete, given = validate_benchmark_settings(settings.get_dict()), by_material(nodes)
    work = _Work()
    for label, own in given.items():
        work.do(DYNAMICS, label, partial(_starts, complete[ANHARMONICITY], label, own))
    return work.outputs


@calcfunction
def settle_references(settings: Dict, **nodes: TrajectoryData) -> dict[str, Data]:
    """Return the frames of runs that are to be references: those after the discarded ones.

    :param settings: see :mod:`aiida_crucible.analysis.benchmark.settings`.
    :param nodes: by material ``trajectory_…`` with forces.
    :return: by material ``frames_…``.
    """
    discard = validate_benchmark_settings(settings.get_dict())[ANHARMONICITY]["discard"]
    return {
        f"{FRAMES}_{label}": chosen_frames(own[TRAJECTORY], after_discarded(own[TRAJECTORY].numsteps, discard))
        for label, own in by_material(nodes).items()
    }


def by_material(nodes: Mapping[str, Data]) -> dict[str, dict[str, Any]]:
    """Return nodes by material and kind.

    :param nodes: by kind and material, ``structure_NaCl``.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, node in nodes.items():
        kind = next(kind for kind in INPUTS if name.startswith(f"{kind}_"))
        found.setdefault(name.removeprefix(f"{kind}_"), {})[kind] = node
    return found


class _Work:
    """What is made of each material, and why something is not."""

    def __init__(self) -> None:
        self._made: dict[str, Data] = {}
        self._failures: dict[str, dict[str, str]] = {}

    def do(self, section: str, label: str, make: Callable[[], Mapping[str, Data]]) -> None:
        """Make the nodes of a material that a section of the settings asks for."""
        try:
            self._made.update(make())
        except Exception as error:  # whatever a library has against a crystal
            self._failures.setdefault(section, {})[label] = why(error)

    @property
    def outputs(self) -> dict[str, Data]:
        """All nodes."""
        return {**self._made, **({FAILURES: Dict(self._failures)} if self._failures else {})}


def _displaced(settings: Mapping[str, Any], label: str, own: Mapping[str, Any]) -> dict[str, Data]:
    atoms = to_atoms(own[STRUCTURE])
    phonon = phonon_settings(atoms, settings, own.get(REFERENCE_STRUCTURE), own.get(REFERENCE_CONSTANTS))
    _, plan = prepare(atoms, phonon)
    return {f"{DISPLACED}_{label}": atoms_to_trajectory(plan.structures())}


def _thinned(settings: Mapping[str, Any], label: str, trajectory: TrajectoryData) -> dict[str, Data]:
    chosen = evenly_chosen(trajectory.numsteps, settings[ANHARMONICITY]["frames"])
    return {f"{FRAMES}_{label}": chosen_frames(trajectory, chosen)}


def _starts(settings: Mapping[str, Any], label: str, own: Mapping[str, Any]) -> dict[str, Data]:
    if TRAJECTORY not in own:
        return {f"{SUPERCELL}_{label}": from_atoms(own_supercell(settings, to_atoms(own[STRUCTURE])))}
    drawn = drawn_frames(own[TRAJECTORY], settings, to_atoms(own[STRUCTURE]))
    return {f"{START}_{number}_{label}": structure for number, structure in enumerate(drawn)}
