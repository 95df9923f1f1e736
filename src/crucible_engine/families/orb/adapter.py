"""ORB: batched graphs of direct and conservative models, in single or double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from orb_models.forcefield.base import AtomGraphs
from orb_models.forcefield.conservative_regressor import ConservativeForcefieldRegressor

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, is_periodic, numbers_of
from crucible_engine.families.load import silence
from crucible_engine.families.orb import compat
from crucible_engine.families.registry import find_named
from crucible_engine.families.torch_checkpoint import CheckpointLoader, read_content
from crucible_engine.families.torch_support import TorchModel, default_dtype, evaluations
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


class OrbModel(TorchModel):
    """ORB with loaded weights."""

    equivariant = False

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        with default_dtype(self.dtype):
            graphs = compat.batch([self._graph(atoms) for atoms in batch])
            output = self.network.predict(graphs)
        prefix = "grad_" if self.conservative else ""
        stresses = output[f"{prefix}stress"].reshape(-1, 6) if stress else None
        return evaluations(batch, output["energy"].reshape(-1), output[f"{prefix}forces"], stresses)

    def _graph(self, atoms: Atoms) -> AtomGraphs:
        if any(atoms.pbc) and not is_periodic(atoms):
            raise EngineError(
                Condition.INVALID_STRUCTURE,
                f"orb takes {atoms.get_chemical_formula()} as periodic in three directions or in none, not in "
                f"{sum(atoms.pbc)}: add vacuum and make it periodic",
            )
        # ORB takes what has a cell as periodic when it removes the net torque, whatever pbc says.
        cell = atoms.cell if is_periodic(atoms) else None
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=cell, pbc=atoms.pbc)
        return compat.graph(self.network, bare, self.device)


def read(path: Path, identity: Identity, trusted: bool) -> OrbModel:
    """Return ORB with the weights of a file."""
    # Weights alone, and read as such by the package (weights_only), too: nothing to opt into.
    content = read_content(path, "orb", trusted=False)
    if not isinstance(content, dict) or not any("gnn_stacks." in str(name) for name in content):
        raise weights.another_family(path, "orb")
    architecture = str(identity.name or identity.settings["architecture"])
    # The package makes its precision torch's default for the whole process: it is put back. It builds the network
    # before that, with the default of a fresh process, which rounds some constants to single precision.
    try:
        with default_dtype("float32"), silence():
            network = compat.build(architecture, path, identity.device, identity.dtype)
    except RuntimeError as error:
        raise EngineError(
            Condition.INVALID_JOB,
            f"checkpoint {path.name} has not the architecture of {architecture} ({str(error).splitlines()[0]}): "
            "name the right one with the setting 'architecture'",
        ) from error
    elements = numbers_of(find_named("orb", architecture).elements)
    return OrbModel(network, identity, elements, isinstance(network, ConservativeForcefieldRegressor))


def _require_architecture(reference: ModelReference) -> None:
    if reference.name is None and "architecture" not in reference.settings:
        raise EngineError(
            Condition.INVALID_JOB,
            f"checkpoint {reference.checkpoint} of orb holds weights alone: name the released model whose architecture "
            "it has with the setting 'architecture'",
        )


load = CheckpointLoader(compat.weights_path, read, _require_architecture)
