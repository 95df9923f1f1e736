"""DeePMD-kit: frozen TensorFlow graphs, on the CPU, in batches of structures with the same atoms.

The package chooses its backend by a file's name, so a graph is given to it as ``graph.pb``. It takes cells that obey
the right-hand rule only; a left-handed cell is given by its opposite vectors, which span the same lattice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from deepmd.infer import DeepPot
from numpy.typing import NDArray

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, Model, in_a_cell, is_periodic, numbers_of, stress_of
from crucible_engine.families.deepmd import FAMILY, WEIGHTS_FILE
from crucible_engine.families.deepmd.graph import beyond_computation
from crucible_engine.families.facts import START_LENGTH, TORCH_FILE
from crucible_engine.families.file_loader import FileLoader, by_hand
from crucible_engine.families.load import silence
from crucible_engine.wire.schema import Condition, EngineError

NETWORK_OPERATIONS = frozenset({"BatchMatMul", "BatchMatMulV2", "MatMul"})
"""Where a graph shows the precision that its networks compute in."""

ROUGH = frozenset(kind.as_datatype_enum for kind in (tf.float32, tf.float16, tf.bfloat16))


class DeepmdModel(Model):
    """A Deep Potential with its graph.

    A graph takes no more neighbours of an atom than it was trained for (``sel``): what is much denser than the
    structures of its training has a wrong energy. The energy of DPA-1 jumps when a pair crosses the cutoff, if it was
    trained without ``smooth_type_embedding``.
    """

    def __init__(self, potential: DeepPot, identity: Identity) -> None:
        symbols = potential.get_type_map()
        super().__init__(identity, numbers_of(symbols))
        self._potential = potential
        self._cutoff = float(potential.get_rcut())
        self._types = np.full(len(chemical_symbols), -1)
        self._types[[atomic_numbers[symbol] for symbol in symbols]] = range(len(symbols))

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        groups: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        orders = [np.argsort(self._types[atoms.numbers], kind="stable") for atoms in batch]
        for index, (atoms, order) in enumerate(zip(batch, orders, strict=True)):
            types = tuple(map(int, self._types[atoms.numbers[order]]))
            groups.setdefault((bool(atoms.pbc.any()), types), []).append(index)
        found: dict[int, Evaluation] = {}
        for (periodic, types), group in groups.items():
            cells = np.array([self._cell(batch[index]) for index in group]) if periodic else None
            positions = np.array([batch[index].positions[orders[index]] for index in group])
            energies, forces, virials = self._ask(positions, cells, types)
            for index, energy, ordered, virial in zip(group, energies, forces, virials, strict=True):
                unordered = np.empty_like(ordered)
                unordered[orders[index]] = ordered
                found[index] = Evaluation(float(energy), unordered, _stress(batch[index], virial, stress))
        return [found[index] for index in range(len(batch))]

    def _ask(
        self, positions: NDArray[np.float64], cells: NDArray[np.float64] | None, types: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return energies [n], forces [n, n_atoms, 3] and virials [n, 3, 3], in eV and Å."""
        try:
            energies, forces, virials = self._potential.eval(positions, cells, list(types))[:3]
        except Exception as error:
            # The package raises an exception of its own, which is neither of the two that are known, because of it.
            if isinstance(error.__cause__, tf.errors.ResourceExhaustedError):
                raise MemoryError(str(error).split("\n")[0]) from error
            raise
        return np.ravel(energies), np.asarray(forces), np.reshape(virials, (-1, 3, 3))

    def _cell(self, atoms: Atoms) -> NDArray[np.float64]:
        """Return a right-handed cell; its images are out of reach along directions that are not periodic."""
        cell: NDArray[np.float64] = in_a_cell(atoms, self._cutoff).cell.array
        return cell if np.linalg.det(cell) > 0 else -cell


def read(path: Path, identity: Identity, trusted: bool) -> DeepmdModel:
    """Return the model of a graph.

    :raises EngineError: if it is no graph of a Deep Potential, would do more than compute, or needs what structures
        do not have.
    """
    content = path.read_bytes()
    if TORCH_FILE.begins(content[:START_LENGTH]):
        raise EngineError(
            Condition.CHECKPOINT_OF_ANOTHER_FAMILY,
            f"checkpoint {path.name} was saved by torch, and deepmd has DeePMD-kit with TensorFlow only: "
            f"'dp convert-backend {path.name} graph.pb', where it has both and torch 2.11, makes a graph of some "
            "Deep Potentials; what another package trained belongs to that family",
        )
    if not WEIGHTS_FILE.begins(content[:START_LENGTH]):
        raise weights.another_family(path, "deepmd")
    graph = weights.read_checkpoint(path, "deepmd", lambda: tf.GraphDef.FromString(content))
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    _require_potential(graph, path)
    _require_computation([node.op for node in nodes], path, trusted)
    _require_precision(nodes, path)
    with tempfile.TemporaryDirectory() as folder, silence():
        named = Path(folder) / "graph.pb"
        named.write_bytes(content)
        # Batches are made here; the package's own search for their size would print what it finds.
        potential = weights.read_checkpoint(path, "deepmd", lambda: DeepPot(str(named), auto_batch_size=False))
    _require_usable(potential, path)
    return DeepmdModel(potential, identity)


def _require_potential(graph: Any, path: Path) -> None:
    names = {node.name for node in graph.node}
    if not {"model_attr/tmap", "descrpt_attr/rcut", "t_coord"} <= names:
        raise weights.another_family(path, "deepmd")
    if "o_energy" not in names:
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"checkpoint {path.name} is a graph of DeePMD-kit without an energy: give the graph of a potential",
        )


def _require_computation(operations: Sequence[str], path: Path, trusted: bool) -> None:
    beyond = beyond_computation(operations)
    if beyond and not trusted:
        more = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
        raise EngineError(
            Condition.CHECKPOINT_UNTRUSTED,
            f"graph {path.name} of deepmd has operations that may do more than compute ({beyond[0][:60]}{more}): "
            "if you trust where it comes from, set trust_pickle on the model",
        )


def _require_precision(nodes: Sequence[Any], path: Path) -> None:
    if any(node.op in NETWORK_OPERATIONS and node.attr["T"].type in ROUGH for node in nodes):
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"the networks of graph {path.name} do not compute in double precision: train and freeze it with precision "
            "float64 (its default), in descriptor and fitting_net",
        )


def _require_usable(potential: DeepPot, path: Path) -> None:
    strange = [symbol for symbol in potential.get_type_map() if symbol not in chemical_symbols[1:]]
    if strange or not potential.get_type_map():
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"graph {path.name} has atom types that are no elements ({', '.join(strange)[:60] or 'none named'}): "
            "give the symbols of elements as type_map in its training input",
        )
    needs = {
        "frame parameters": potential.get_dim_fparam() > 0,
        "atomic parameters": potential.get_dim_aparam() > 0,
        "an electric field": potential.has_efield,
        "spins": potential.has_spin,
    }
    if any(needs.values()):
        raise EngineError(
            Condition.CHECKPOINT_UNREADABLE,
            f"graph {path.name} needs {' and '.join(name for name, wanted in needs.items() if wanted)} beside the "
            "structure, which no task here gives: train one without",
        )


def _stress(atoms: Atoms, virial: NDArray[np.float64], wanted: bool) -> NDArray[np.float64]:
    """Return the stress: the negative virial of a volume."""
    if not wanted or not is_periodic(atoms):
        return stress_of(atoms, None)
    return stress_of(atoms, -(virial + virial.T) / (2 * atoms.get_volume()))


load = FileLoader(by_hand(FAMILY), read)
