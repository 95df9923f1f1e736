"""PET and whatever metatomic exports: batches of systems, whose energies are differentiated here.

Forces and stresses are gradients of the energy, unless the direct ones are asked for that a head of the model's own
gives: those are two or three times cheaper, and the gradient of nothing (Bigi, Langer and Ceriotti, arXiv:2412.11569).
Those of the members of an ensemble are gradients: the energy of each is differentiated. Members are last layers that
the training data leave possible (LLPR; Bigi et al., Mach. Learn.: Sci. Technol. 5, 045018 (2024)), or whatever else a
model gives as such.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from metatomic.torch import AtomisticModel, ModelEvaluationOptions, ModelOutput, System
from vesin.metatomic import NeighborList

from crucible_engine.families import weights
from crucible_engine.families.base import Evaluation, Identity, Model, ModelCalculator, is_periodic
from crucible_engine.families.committee import ensemble_of
from crucible_engine.families.facts import CONSERVATIVE, DIRECT, ENSEMBLE, FORCES
from crucible_engine.families.load import silence
from crucible_engine.families.pet import compat
from crucible_engine.families.pet.usable import Usable, require_members, require_usable, unusable
from crucible_engine.families.torch_checkpoint import CheckpointLoader
from crucible_engine.families.torch_support import DTYPES, TorchModel, evaluations
from crucible_engine.wire.schema import Condition, EngineError


class PetModel(TorchModel):
    """A model of metatomic's with loaded weights."""

    # PET learns how energies depend on directions in space. Other models may know it, and none says so.
    equivariant = False

    def __init__(self, network: AtomisticModel, identity: Identity, usable: Usable) -> None:
        super().__init__(network, identity, usable.elements)
        self.n_members = identity.settings.get(ENSEMBLE, 0)
        self._usable = usable
        self._alone: int | None = None
        self._is_direct = False
        # Lists with a skin remember what they were asked before.
        lists = network.requested_neighbor_lists()
        self._neighbours = [NeighborList(options, length_unit="angstrom", skin=0.0) for options in lists]

    def calculator(self) -> Calculator:
        """Return an ASE calculator. It has no place for what members say, and does not compute it."""
        mean = copy.copy(self)
        if self._alone is None:
            mean.n_members = 0
        return ModelCalculator(mean)

    def member(self, index: int) -> Model:
        """Return a member: the energies of all come together, and only its own is differentiated."""
        alone = copy.copy(self)
        alone._alone = index
        return alone

    @property
    def has_direct_forces(self) -> bool:
        """Whether the weights have a head for forces."""
        return self._usable.forces is not None

    def with_forces(self, kind: str) -> Model:
        """Return the model with one kind of forces; the direct ones come without what members say.

        :raises EngineError: ``CAPABILITY_MISSING``, if it has no direct ones.
        """
        is_direct = kind == DIRECT
        if is_direct == self._is_direct:
            return self
        if not self.has_direct_forces:
            return super().with_forces(kind)
        other = copy.copy(self)
        other._is_direct, other.conservative = is_direct, not is_direct
        other.n_members = 0 if is_direct else self.identity.settings.get(ENSEMBLE, 0)
        other.gives_stress = not is_direct or self._usable.stress is not None
        return other

    def examine(self, path: Path) -> None:
        """Find out by a pair of atoms what the model does not say of itself: its members, and its other precision.

        :raises EngineError: ``CHECKPOINT_UNREADABLE`` or ``INVALID_JOB``.
        """
        own = self.network.capabilities().dtype
        names = [name for name in (self._usable.energy, self._usable.ensemble) if name]
        pair = Atoms([min(self.elements)] * 2, positions=[[0, 0, 0], [0, 0, 2.0]])
        try:
            systems, _ = self._systems([pair])
            energies, *members = self._energies(systems, names)
            wrong = energies.dtype != DTYPES[self.dtype]
        except RuntimeError as error:
            if self.dtype == own:
                raise weights.unreadable(
                    path, f"it fails for a pair of atoms ({str(error).splitlines()[-1]})"
                ) from error
            wrong = True
        if wrong:
            raise EngineError(
                Condition.INVALID_JOB,
                f"the model in {path.name} does not compute in {self.dtype}: choose {own}, which it was exported in",
            )
        if not energies.requires_grad and any(_has_neighbours(system) for system in systems):
            raise unusable(path, "has an energy that cannot be differentiated: export it with its gradient")
        self.ensemble_size = members[0].shape[1] if members else 0
        require_members(self.n_members, self.ensemble_size, path)

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        if self._is_direct:
            return self._evaluate_heads(batch, stress)
        systems, variables = self._systems(batch, stress)
        if not self.n_members:
            (energies,) = self._energies(systems, [self._usable.energy])
            return self._differentiate(batch, energies[:, 0], variables, stress)
        energies, members = self._energies(systems, [self._usable.energy, str(self._usable.ensemble)])
        # The first members of many have another mean than all, which is the model's own energy.
        members = members[:, : self.n_members]
        members = members - members.mean(dim=1, keepdim=True) + energies
        if self._alone is not None:
            return self._differentiate(batch, members[:, self._alone], variables, stress)
        answers = [self._differentiate(batch, member, variables, stress) for member in members.unbind(dim=1)]
        means = self._differentiate(batch, energies[:, 0], variables, stress)
        return [replace(mean, ensemble=ensemble_of(each)) for mean, *each in zip(means, *answers, strict=True)]

    def _evaluate_heads(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        """Return energies beside the forces, and where there is one the stress, of heads of their own."""
        wanted = {str(self._usable.forces): ModelOutput(unit="eV/Angstrom", sample_kind="atom")}
        name = self._usable.stress if stress else None
        if name is not None:
            wanted[name] = ModelOutput(unit="eV/Angstrom^3", sample_kind="system")
        with torch.no_grad():
            systems, _ = self._systems(batch)
            energies, found = self._ask(systems, [self._usable.energy], wanted)
        forces = found[str(self._usable.forces)].block().values.reshape(-1, 3)
        # As the package's calculator does: a net force would be nothing's.
        parts = [each - each.mean(dim=0, keepdim=True) for each in forces.split([len(atoms) for atoms in batch])]
        stresses = None if name is None else found[name].block().values.reshape(-1, 3, 3)
        symmetric = None if stresses is None else (stresses + stresses.transpose(1, 2)) / 2
        return evaluations(batch, energies[0][:, 0], torch.cat(parts), symmetric)

    def _systems(self, batch: Sequence[Atoms], stress: bool = False) -> tuple[list[System], list[torch.Tensor]]:
        """Return the input for structures, and what its energies are differentiated by.

        :returns: the positions of each structure, Å, [n_atoms, 3], and if stress is wanted, behind those of all, the
            strain of each: noughts, [3, 3].
        """
        dtype = DTYPES[self.dtype]
        positions = [torch.tensor(atoms.positions, dtype=dtype, requires_grad=True) for atoms in batch]
        strains = [torch.zeros(3, 3, dtype=dtype, requires_grad=stress) for _ in batch]
        systems = []
        for atoms, points, strain in zip(batch, positions, strains, strict=True):
            deformation = torch.eye(3, dtype=dtype) + strain
            # Vectors along which a structure is not periodic have to vanish.
            cell = torch.tensor(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0), dtype=dtype)
            types = torch.tensor(atoms.numbers, dtype=torch.int32)
            systems.append(System(types, points @ deformation, cell @ deformation, torch.tensor(atoms.pbc)))
        # On the CPU, whatever the device: on another one the package needs more than torch for it.
        for neighbours in self._neighbours:
            neighbours.add_neighbor_list(systems)
        moved = [system.to(device=self.device) for system in systems]
        return moved, [*positions, *(strains if stress else [])]

    def _energies(self, systems: list[System], names: Sequence[str]) -> list[torch.Tensor]:
        """Return outputs that are energies, eV, [n_structures, n_members] (one where they have no members)."""
        return self._ask(systems, names, {})[0]

    def _ask(
        self, systems: list[System], names: Sequence[str], others: dict[str, ModelOutput]
    ) -> tuple[list[torch.Tensor], dict[str, Any]]:
        """Return outputs that are energies, see :meth:`_energies`, and all that the model gave, others among it."""
        outputs = {**{name: ModelOutput(unit="eV", sample_kind="system") for name in names}, **others}
        options = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
        found = self.network(systems, options, check_consistency=False)
        return [_by_system(found[name].block(), len(systems)) for name in names], found

    def _differentiate(
        self, batch: Sequence[Atoms], energies: torch.Tensor, variables: list[torch.Tensor], stress: bool
    ) -> list[Evaluation]:
        """Return what energies, eV, [n_structures], say of structures.

        :param variables: see :meth:`_systems`.
        """
        if energies.requires_grad:
            # An atom without neighbours has no gradient. Other energies of the batch follow.
            gradients = torch.autograd.grad(
                energies.sum(), variables, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        else:
            gradients = tuple(torch.zeros_like(variable) for variable in variables)
        forces = -torch.cat(gradients[: len(batch)])
        if not stress:
            return evaluations(batch, energies, forces, None)
        volumes = [atoms.get_volume() if is_periodic(atoms) else np.nan for atoms in batch]
        virials = torch.stack(gradients[len(batch) :])
        # What does not know directions in space has an antisymmetric part too.
        symmetric = (virials + virials.transpose(1, 2)) / 2
        return evaluations(batch, energies, forces, symmetric / symmetric.new_tensor(volumes)[:, None, None])


def _by_system(block: object, n_systems: int) -> torch.Tensor:
    """Return an output's values by the structures that they are of; a structure may have several, or none."""
    values = block.values.reshape(len(block.samples), -1)  # type: ignore[attr-defined]
    owners = block.samples.column("system").to(torch.int64)  # type: ignore[attr-defined]
    return values.new_zeros(n_systems, values.shape[1]).index_add(0, owners, values)


def _has_neighbours(system: System) -> bool:
    return any(len(system.get_neighbor_list(options).samples) for options in system.known_neighbor_lists())


class PetLoader(CheckpointLoader):
    """The loader of checkpoints of metatrain, and of exported models, whose program torch compresses."""

    def require_whole(self, path: Path) -> None:
        """Check that a file is a complete archive of torch."""
        weights.require_whole(path, compressed=compat.CODE)


def read(path: Path, identity: Identity, trusted: bool) -> Model:
    """Return the model of a file: of a checkpoint of metatrain, or exported by metatomic."""
    asked = weights.pickled_globals(path)
    compiled = any(name.startswith(compat.COMPILED) for name in asked)
    if not compiled and not any(name.startswith(compat.TRAINED) for name in asked):
        raise weights.another_family(path, "pet")
    # An exported model is a program, which may write files and load libraries; a checkpoint is read by unpickling.
    if not trusted:
        raise weights.untrusted(path, "pet")
    with silence():
        network = weights.read_checkpoint(path, "pet", lambda: compat.build(path, compiled))
    usable = require_usable(network, identity, path)
    with silence():
        model = PetModel(network.to(device=identity.device, dtype=DTYPES[identity.dtype]), identity, usable)
        model.examine(path)
    return model.with_forces(identity.settings.get(FORCES, CONSERVATIVE))


load = PetLoader(compat.weights_path, read)
