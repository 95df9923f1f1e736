"""The builders' border: arguments and inputs of every WorkChain and CalcJob with a hostile value somewhere."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import random
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiida.common import AttributeDict
from aiida.common.exceptions import ValidationError
from aiida.orm import (
    AbstractCode,
    ArrayData,
    Bool,
    Dict,
    Float,
    FolderData,
    InstalledCode,
    Int,
    List,
    RemoteData,
    Str,
    StructureData,
    TrajectoryData,
)
from aiida.plugins import CalculationFactory, WorkflowFactory
from ase.build import bulk
from mutations import DEEP, PLAIN_JUNK, mutated, nested

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms

BUILDERS = ("verify", "relax", "phonon", "harmonic_comparison", "anharmonicity", "sweep", "reliability", "benchmark",
            "configuration_space", "equation_of_state", "elastic", "qha", "conductivity")  # fmt: skip
CALCULATIONS = ("evaluate", "relax", "dynamics", "similarity", "verify")


@dataclass(frozen=True)
class Nodes:
    """What valid inputs are made of."""

    code: AbstractCode
    model: ModelData
    crystal: StructureData
    deleted: StructureData


def hostile_values(nodes: Nodes) -> tuple[Any, ...]:
    """Return values that Python and AiiDA can express and no port takes everywhere."""
    vacant = StructureData(cell=np.eye(3) * 4)
    vacant.append_atom(symbols="Cu", position=(0, 0, 0), weights=0.5)
    apart = from_atoms(bulk("Cu") * (2, 1, 1))
    apart.reset_sites_positions([[0, 0, 0], [float("nan"), 0, 0]])
    deep = nested(DEEP)
    return (
        *PLAIN_JUNK, np.int64(3), np.float32(0.5), np.bool_(True), np.nan, np.array([300.0, 400.0]), np.eye(3),
        np.array("x"), np.array([None], dtype=object), {1: 2}, {None: 1}, {(1, 2): 3}, {1, 2}, frozenset(), b"x",
        bytearray(b"x"), 1j, object(), len, int, range(3), (300.0,), (), iter([300.0]), Ellipsis, NotImplemented,
        decimal.Decimal("0.1"), fractions.Fraction(1, 3), dt.datetime(2020, 1, 1), Path("x"), ValueError("x\ny"),
        deep, {"a": deep}, Int(5), Int(-1), Float(float("inf")), Str(""), Bool(False), List([1]), Dict({}),
        Dict({"a": {"b": [1, None]}}), Dict({"temperatures": "x"}), Dict({"steps": 10**30}), StructureData,
        StructureData(), vacant, apart, ArrayData(), ArrayData({"force_constants": np.zeros((1, 1))}), FolderData(),
        TrajectoryData(), RemoteData(), bulk("Cu"), nodes.deleted, nodes.code, nodes.model, nodes.crystal,
        InstalledCode(label="x", computer=nodes.code.computer, filepath_executable="/x"),
    )  # fmt: skip


def builder_arguments(nodes: Nodes) -> dict[str, dict[str, Any]]:
    """Return by entry point arguments of ``get_builder_from_protocol`` that are valid."""
    frames = _frames(nodes.crystal)
    shared = {"code": nodes.code, "model": nodes.model, "structure": nodes.crystal}
    options = {"max_wallclock_seconds": 3600, "resources": {"num_machines": 1}, "device": "cpu"}
    common: dict[str, Any] = {"protocol": "fast", "options": options, "overrides": {}}
    phonon = {"parameters": {"mesh": [4, 4, 4], "displacement": 0.01, "supercell_matrix": [2, 2, 2]}}
    dynamics = {"base": {"dynamics": {"parameters": {"steps": 100, "time_step": 2.0, "ensemble": "nvt-langevin"}}}}
    relax = {"base": {"relax": {"parameters": {"fmax": 0.01, "cell": "full"}}}}
    sweep = {"parameters": {"cell_lengths": [3.6, 3.6, 3.6], "mode": "heating"}, **dynamics}
    constants = ArrayData(
        {
            "force_constants": np.zeros((8, 8, 3, 3)),
            "supercell_matrix": np.eye(3, dtype=int) * 2,
            "primitive_matrix": np.eye(3),
        }
    )
    reference = {"lattice": {"a": 3.6}, "energy_differences": {}, "source": "x"}
    found: dict[str, dict[str, Any]] = {
        "verify": {**shared, **common},
        "relax": {**shared, **common, "structure": {"a": nodes.crystal}, "overrides": relax},
        "phonon": {**shared, **common, "overrides": phonon},
        "harmonic_comparison": {
            **common,
            "code": nodes.code,
            "model": nodes.model,
            "reference_structure": nodes.crystal,
            "reference_force_constants": constants,
        },
        "anharmonicity": {**shared, **common, "temperatures": [300.0], "reference": {"trajectory": frames}},
        "sweep": {**shared, **common, "temperatures": [300.0, 400.0], "overrides": sweep},
        "reliability": {**shared, **common, "competing": {"hcp": nodes.crystal}, "temperatures": [300.0, 400.0],
                        "reference": reference},
        "benchmark": {**common, "models": {"emt": [nodes.code, nodes.model]}, "structures": {"Cu": nodes.crystal},
                      "settings": {"anharmonicity": {"temperatures": [300.0]}, "phonon": {"mesh": [4, 4, 4]}},
                      "groups": {"Cu": "metal"}},
        "equation_of_state": {**shared, **common, "reference": {"bulk_modulus": 137.0, "volume": 11.8}},
        "elastic": {**shared, **common, "reference": {"components": {"C11": 168.0}, "poisson_ratio": 0.3}},
        "qha": {**shared, **common, "overrides": {"parameters": {"n_points": 9, "largest_strain": 0.03}},
                "reference": {"thermal_expansion": 5e-5, "volume": 11.8}},
        "conductivity": {**shared, **common, "reference": {"conductivity": 400.0, "source": "x"},
                         "overrides": {"parameters": {"mesh": [5, 5, 5], "temperatures": [300.0]}}},
        "configuration_space": {**common, "code": nodes.code, "trajectories": {"a": frames, "b": frames}},
    }  # fmt: skip
    return found


def direct_inputs(nodes: Nodes) -> dict[str, dict[str, Any]]:
    """Return by entry point inputs of CalcJobs that are valid."""
    metadata = {"options": {"resources": {"num_machines": 1}, "device": "cpu", "max_wallclock_seconds": 60}}
    shared = {"code": nodes.code, "model": nodes.model, "metadata": metadata}
    cells = {"a": nodes.crystal}
    return {
        "evaluate": {**shared, "structures": cells, "parameters": {"batch_size": 1, "stress": True}},
        "relax": {**shared, "structures": cells, "parameters": {"fmax": 0.1, "cell": "fixed"}},
        "dynamics": {
            **shared,
            "structure": nodes.crystal,
            "parameters": {"temperatures": [300.0], "steps": 10, "ensemble": "npt-mtk", "mask": [1, 1, 0]},
        },
        "similarity": {
            "code": nodes.code,
            "metadata": metadata,
            "trajectories": {"a": _frames(nodes.crystal)},
            "parameters": {"frames": 2, "alpha": 0.1},
        },
        "verify": {**shared, "parameters": {"seed": 0, "fingerprint": False}},
    }


def try_builder(rng: random.Random, nodes: Nodes, junk: tuple[Any, ...]) -> str | None:
    """Ask a WorkChain for a builder with arguments of which one or two are hostile."""
    name = rng.choice(BUILDERS)
    arguments = mutated(rng, builder_arguments(nodes)[name], junk)
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        return None
    process_class = WorkflowFactory(f"crucible.{name}")
    return _refusal(lambda: process_class.get_builder_from_protocol(**arguments), name, arguments)


def try_inputs(rng: random.Random, nodes: Nodes, junk: tuple[Any, ...]) -> str | None:
    """Give a CalcJob, or the WorkChain that restarts it, inputs of which one or two are hostile, as AiiDA would."""
    name = rng.choice(CALCULATIONS)
    inputs = direct_inputs(nodes)[name]
    process_class = CalculationFactory(f"crucible.{name}")
    if name != "verify" and rng.random() < 0.5:
        process_class, inputs = WorkflowFactory(f"crucible.{name}.base"), {name: inputs, "max_iterations": Int(2)}
    inputs = mutated(rng, inputs, junk)
    if not isinstance(inputs, dict):
        return None
    ports = process_class.spec().inputs

    def validate() -> None:
        values = ports.pre_process(ports.serialize(AttributeDict(inputs)))
        try:
            problem = ports.validate(values)
        except RecursionError as error:
            # AiiDA shows the whole of a value that it knows no port for, and one of a thousand levels has no text.
            if _is_ours(error):
                raise
            raise ValueError("Unexpected ports") from None
        if problem is not None:
            said = str(problem)
            # AiiDA shows the whole of a value that it knows no port for, and names as they are.
            is_aiidas = "Unexpected ports" in said or not problem.port.isprintable()
            raise ValueError(said.splitlines()[0][:200] if is_aiidas else said)

    return _refusal(validate, name, inputs)


def _refusal(call: Any, name: str, given: Any) -> str | None:
    try:
        call()
    except (ValueError, ValidationError) as error:  # the latter is AiiDA's, of its own ports
        return str(error)
    except TypeError as error:
        # Python's own word on arguments that a function has not, or lacks, and AiiDA's on its own ports.
        named = any(words in str(error) for words in ("missing a required argument", "got an unexpected keyword"))
        if named or not _is_ours(error):
            return str(error)
        raise AssertionError(f"{name} with {_brief(given)}: {type(error).__name__}: {error}") from error
    return None


def _is_ours(error: Exception) -> bool:
    return any("/src/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_brief(item)}" for key, item in value.items()) + "}"
    try:
        return repr(value)[:60]
    except Exception as error:
        return f"<{type(error).__name__}>"


def _frames(crystal: StructureData) -> TrajectoryData:
    frames = TrajectoryData()
    positions = np.array([[site.position for site in crystal.sites]] * 3)
    frames.set_trajectory(
        symbols=["Cu"] * positions.shape[1], positions=positions, cells=np.array([crystal.cell] * 3), pbc=(True,) * 3
    )
    frames.set_array("forces", np.zeros_like(positions))
    return frames
