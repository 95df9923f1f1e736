"""Tests of a model with provenance: the structures that are evaluated, relaxed or run, and what follows.

Nodes that come by labels have them behind ``of_``, so that no label is the name of another input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, List, SinglefileData, StructureData, TrajectoryData

from aiida_crucible.analysis.crystal.finite import repeats_for
from aiida_crucible.analysis.model_tests import accuracy_answer, conservation, robustness
from aiida_crucible.analysis.model_tests.accuracy import Labelled, measure_accuracy
from aiida_crucible.analysis.model_tests.dimers import dimer_curve, dimers, judge_dimers
from aiida_crucible.analysis.model_tests.rotations import judge_rotations, rotational_discrepancy, turned
from aiida_crucible.analysis.model_tests.settings import validate_model_tests
from aiida_crucible.analysis.model_tests.summary import summarise, unanswered, worst_of
from aiida_crucible.analysis.verdict.answers import NO, YES, Answer
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms, trajectory_to_atoms
from aiida_crucible.references.labels import Group, read_labels, validate_labels
from crucible_engine.tasks.parameters import validate_parameters

OF = "of_"
PAIR = "_"
"""Between the symbols of a pair's label."""

NUMERICS = 1
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


def by_label(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nodes by their labels."""
    return {name.removeprefix(OF): node for name, node in nodes.items()}


@calcfunction
def turn_structures(parameters: Dict, **structures: StructureData) -> dict[str, TrajectoryData]:
    """Return each structure in all orientations of the grid.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    """
    settings = validate_model_tests(parameters.get_dict())
    return {name: atoms_to_trajectory(turned(to_atoms(node), settings)) for name, node in structures.items()}


@calcfunction
def make_dimers(parameters: Dict, pairs: List) -> dict[str, TrajectoryData]:
    """Return isolated pairs of atoms, each at all distances.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param pairs: two symbols each.
    """
    settings = validate_model_tests(parameters.get_dict())
    made = {}
    for first, second in pairs.get_list():
        made[f"{OF}{first}{PAIR}{second}"] = atoms_to_trajectory(dimers((first, second), settings))
    return made


@calcfunction
def disturb_crystals(parameters: Dict, **crystals: StructureData) -> dict[str, StructureData]:
    """Return disturbed starts of crystals, their numbers behind the label.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    """
    settings = validate_model_tests(parameters.get_dict())
    made = {}
    for stream, (name, node) in enumerate(sorted(crystals.items())):
        for number, start in enumerate(robustness.disturbed_starts(to_atoms(node), settings, stream)):
            made[f"{name}_{number:04d}"] = from_atoms(start)
    return made


@calcfunction
def repeat_structures(parameters: Dict, **structures: StructureData) -> dict[str, StructureData]:
    """Return structures repeated until they are as long as is asked.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    """
    length = validate_model_tests(parameters.get_dict())["supercell_length"]
    made = {}
    for name, node in structures.items():
        atoms = to_atoms(node)
        made[name] = from_atoms(atoms * repeats_for(atoms, length) if atoms.pbc.any() else atoms)
    return made


@calcfunction
def import_labels(source: SinglefileData, parameters: Dict) -> dict[str, Data]:
    """Return a labelled set, the frames of the same atoms together, and its ``summary``.

    :param source: the file.
    :param parameters: see :data:`aiida_crucible.references.labels.LABELS`.
    :return: ``frames_0``, ``frames_1`` …: trajectories with arrays ``energies`` (eV, [n]), ``forces`` (eV/Å, [n,
        n_atoms, 3]), perhaps ``stresses`` (eV/Å³, [n, 6]), the numbers of the frames in the file as steps, and the
        attribute ``subsets``; ``summary`` with ``theory``, ``n_frames``, ``elements``, ``has_stress``.
    """
    settings = validate_labels(parameters.get_dict())
    groups = groups_of(source, settings)
    summary = {
        **{name: settings[name] for name in ("theory", "doi", "comment") if settings[name] is not None},
        "file": source.filename,
        "n_frames": sum(len(group.energies) for group in groups),
        "elements": sorted(set().union(*(group.symbols for group in groups))),
        "has_stress": groups[0].stresses is not None,
    }
    return {"summary": Dict(summary), **{f"frames_{index}": _labelled(group) for index, group in enumerate(groups)}}


def groups_of(source: SinglefileData, settings: dict[str, Any]) -> list[Group]:
    """Return the frames of a file in a node, under its own name.

    :raises ValueError: one line, see :func:`aiida_crucible.references.labels.read_labels`.
    """
    with TemporaryDirectory() as folder, source.open(mode="rb") as stream:
        path = Path(folder) / source.filename
        path.write_bytes(stream.read())
        return read_labels(path, settings)


def _labelled(group: Group) -> TrajectoryData:
    frames = []
    for cell, positions in zip(group.cells, group.positions, strict=True):
        frame = group.atoms.copy()
        frame.set_cell(cell)
        frame.positions = positions
        frames.append(frame)
    trajectory = atoms_to_trajectory(frames, group.places.tolist())
    labels = {"energies": group.energies, "forces": group.forces, "stresses": group.stresses}
    for name, values in labels.items():
        if values is not None:
            trajectory.set_array(name, values)
    trajectory.base.attributes.set("subsets", group.subsets)
    return trajectory


@calcfunction
def measure_rotations(parameters: Dict, **properties: ArrayData) -> Dict:
    """Return whether energy and forces turn with the structures.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param properties: of what :func:`turn_structures` made, by its names.
    """
    settings = validate_model_tests(parameters.get_dict())
    found = {
        label: rotational_discrepancy(node.get_array("energies"), node.get_array("forces"), settings)
        for label, node in by_label(properties).items()
    }
    return Dict(asdict(judge_rotations(found, settings)))


@calcfunction
def measure_dimers(parameters: Dict, left_out: Dict, **properties: ArrayData) -> dict[str, Data]:
    """Return whether pairs of atoms repel each other at short range, and their ``curves``.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param left_out: pairs that were not evaluated, with the reason.
    :param properties: of what :func:`make_dimers` made, by its names.
    """
    settings = validate_model_tests(parameters.get_dict())
    curves, arrays = {}, {}
    for label, node in by_label(properties).items():
        first, _, second = label.partition(PAIR)
        curve = dimer_curve((first, second), node.get_array("energies"), node.get_array("forces"), settings)
        curves[label] = curve
        parts = {"distances": curve.distances, "energies": curve.energies, "forces": curve.forces}
        arrays.update({f"{name}_{label}": values for name, values in parts.items()})
    answer = judge_dimers(curves, settings, left_out.get_dict())
    return {"answer": Dict(asdict(answer)), "curves": ArrayData(arrays)}


@calcfunction
def measure_labels(parameters: Dict, settings: Dict, **nodes: Data) -> Dict:
    """Return whether the model is accurate on a labelled set.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param settings: ``name`` of the set, ``model_theory`` and ``n_left_out`` (frames that were not evaluated).
    :param nodes: ``summary`` of :func:`import_labels`, and of each of its trajectories that was evaluated
        ``frames_0`` with ``properties_0``.
    """
    given, complete = settings.get_dict(), validate_model_tests(parameters.get_dict())
    groups = [
        _compared(node, nodes[name.replace("frames", "properties", 1)])
        for name, node in nodes.items()
        if name.startswith("frames_")
    ]
    summary = nodes["summary"].get_dict()
    labels = accuracy_answer.LabelledSet(
        given["name"], summary["theory"], tuple(summary["elements"]), given["n_left_out"], summary["has_stress"]
    )
    found = measure_accuracy(groups, complete)
    return Dict(asdict(accuracy_answer.judge_accuracy(labels, found, given["model_theory"], complete)))


def _compared(frames: Any, properties: Any) -> Labelled:
    names = frames.get_arraynames()
    numbers = next(iter(trajectory_to_atoms(frames))).numbers
    predicted = {name: properties.get_array(name) for name in properties.get_arraynames() if name != "n_atoms"}
    stresses = predicted.get("stresses")
    if stresses is not None and np.isnan(stresses).all():
        predicted.pop("stresses")
    return Labelled(
        numbers,
        frames.get_array("energies"),
        frames.get_array("forces"),
        frames.get_array("stresses") if "stresses" in names else None,
        predicted,
        frames.base.attributes.get("subsets"),
        frames.get_stepids(),
    )


@calcfunction
def measure_robustness(parameters: Dict, left_out: Dict, results: Dict) -> Dict:
    """Return whether relaxations from disturbed crystals converge.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param left_out: crystals that were not relaxed, with the reason.
    :param results: of ``crucible.relax``, of what :func:`disturb_crystals` made.
    """
    outcomes: dict[str, list[str]] = {}
    steps: dict[str, list[int]] = {}
    for label, one in results["summary"]["structures"].items():
        name = label.removeprefix(OF).rpartition("_")[0]
        outcomes.setdefault(name, []).append(one["outcome"])
        steps.setdefault(name, []).append(one["steps"] or 0)
    least = validate_model_tests(parameters.get_dict())["converged_share"]
    return Dict(asdict(robustness.judge_robustness(outcomes, steps, left_out.get_dict(), least)))


@calcfunction
def measure_conservation(parameters: Dict, results: Dict, **series: ArrayData) -> Dict:
    """Return whether runs without thermostat keep their energy.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param results: of ``crucible.dynamics``.
    :param series: of each replica.
    """
    limit = validate_model_tests(parameters.get_dict())["energy_drift"]
    summary, answers = results["summary"], {}
    for replica, one in summary["replicas"].items():
        node = series.get(f"{OF}{replica}")
        columns = ("time", "potential_energy", "kinetic_energy")
        time, potential, kinetic = (np.empty(0) if node is None else node.get_array(name) for name in columns)
        sizes = summary.get("sizes", [summary["n_atoms"]])
        n_atoms = sizes[int(replica.rpartition("_")[2])]
        found = conservation.judge_conservation(one["outcome"], time / 1000, potential + kinetic, n_atoms, limit)
        answers[one.get("structure", "structure").removeprefix(OF)] = found
    return Dict(asdict(worst_of(answers)))


@calcfunction
def measure_equipartition(parameters: Dict, dynamics: Dict, results: Dict, **nodes: Data) -> Dict:
    """Return whether all elements have the temperature of the thermostat.

    :param parameters: see :mod:`aiida_crucible.analysis.model_tests.settings`.
    :param dynamics: of the job.
    :param results: of ``crucible.dynamics``.
    :param nodes: of each replica ``structure_…``, its masses, and ``trajectory_…``, with velocities.
    """
    tolerance = validate_model_tests(parameters.get_dict())["equipartition_tolerance"]
    given, answers = validate_parameters("dynamics", dynamics.get_dict()), {}
    first = given["average_from"] * given["steps"]
    for replica, one in results["summary"]["replicas"].items():
        trajectory: Any = nodes.get(f"trajectory_{replica}")
        atoms = to_atoms(nodes[f"structure_{replica}"])
        velocities = np.empty((0, len(atoms), 3))
        if trajectory is not None:
            velocities = trajectory.get_velocities()[trajectory.get_stepids() >= first]
        found = conservation.temperatures_by_element(atoms.numbers, atoms.get_masses(), velocities)
        judged = conservation.judge_equipartition(one["outcome"], found, one["temperature"], tolerance)
        answers[one.get("structure", "structure").removeprefix(OF)] = judged
    return Dict(asdict(worst_of(answers)))


@calcfunction
def summarise_model_tests(missing: Dict, verification: Dict, **answers: Dict) -> Dict:
    """Return all answers together, see :func:`aiida_crucible.analysis.model_tests.summary.summarise`.

    :param missing: why a test could not be made, by its name.
    :param verification: ``results`` of it.
    :param answers: by test; of accuracies with the name of the labels behind ``accuracy_``.
    """
    faults = verification["summary"]["faults"]
    said = f"it failed: {', '.join(faults)}" if faults else "it passed all checks"
    found = {"verification": Answer("Is the model sound in its environment?", NO if faults else YES, said)}
    found |= {name: Answer(**node.get_dict()) for name, node in answers.items()}
    found |= {name: unanswered(name, reason) for name, reason in missing.get_dict().items()}
    return Dict(summarise(found))
