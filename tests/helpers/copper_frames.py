"""Copper with EMT for measurements of anharmonicity: force constants, frames, and the WorkChain's builder."""

from __future__ import annotations

import numpy as np
from aiida.orm import ArrayData, CalcJobNode, Dict, TrajectoryData
from ase.build import bulk
from ase.calculators.emt import EMT
from engine_jobs import HELPERS

from aiida_crucible.analysis.phonons.force_constants import build_phonopy, plan_displacements, solve_force_constants
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain

LATTICE = 3.6
DYNAMICS = {"steps": 30, "time_step": 2.0, "frame_interval": 2}


def forces_of(atoms):
    atoms = atoms.copy()
    atoms.calc = EMT()
    return atoms.get_forces()


def copper():
    return bulk("Cu", a=LATTICE)


def constants_node(scale=1.0):
    """Return EMT's force constants of copper in a supercell of eight atoms, scaled."""
    phonon = build_phonopy(copper(), np.diag([2, 2, 2]))
    plan = plan_displacements(phonon, [0.01])
    _, *displaced = plan.structures()
    forces = np.array([forces_of(atoms) for atoms in displaced[: len(plan.sets[0])]])
    values = solve_force_constants(phonon, plan.sets[0], forces).values
    return ArrayData(
        {
            "force_constants": scale * values,
            "supercell_matrix": np.array(phonon.supercell_matrix),
            "primitive_matrix": np.array(phonon.primitive_matrix),
        }
    )


def frames_node(n_frames=8, size=0.05, seed=0, **changes):
    """Return frames of copper in a cube of 32 atoms, in another order and at another place, with EMT's forces."""
    rng = np.random.default_rng(seed)
    ideal = bulk("Cu", a=LATTICE, cubic=True) * 2
    ideal = ideal[rng.permutation(len(ideal))]
    positions, forces = [], []
    for _ in range(n_frames):
        moved = ideal.copy()
        moved.positions += rng.normal(0, size, ideal.positions.shape)
        positions.append(moved.positions + np.array([0.3, 1.7, -0.4]))
        forces.append(forces_of(moved))
    node = TrajectoryData()
    given = {
        "symbols": ideal.get_chemical_symbols(),
        "positions": np.array(positions),
        "cells": np.repeat(ideal.cell.array[None], n_frames, axis=0),
        "pbc": (True, True, True),
        **changes,
    }
    node.set_trajectory(**given)
    node.set_array("forces", np.array(forces))
    return node


def reference(**changes):
    nodes = {"structure": from_atoms(copper()), "force_constants": constants_node(), "trajectory": frames_node()}
    return {name: node for name, node in {**nodes, **changes}.items() if node is not None}


def verified(model):
    """Return a verification that was passed, so that each test need not run one."""
    family = {"family": model.family, "name": model.family, "sha256": model.sha256}
    return Dict({"task": "verify", "outcome": "passed", "model": family, "summary": {"faults": []}})


def builder_of(code, model, protocol="fast", dynamics=None, overrides=None, **arguments):
    overrides = overrides or {}
    if "trajectories" not in arguments:
        overrides = {"base": {"dynamics": {"parameters": {**DYNAMICS, **(dynamics or {})}}}, **overrides}
    builder = AnharmonicityWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(copper()),
        protocol,
        overrides=overrides,
        options={"environment_variables": {"PYTHONPATH": str(HELPERS)}},
        **arguments,
    )
    builder.verification = verified(model)
    return builder


def jobs_of(node):
    return [child.process_label for child in node.called_descendants if isinstance(child, CalcJobNode)]
