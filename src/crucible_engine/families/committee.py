"""Several potentials of one family as one: their mean, and what each of them says as the measure of what is not known.

The spread of a committee is that of Behler, J. Phys.: Condens. Matter 26, 183001 (2014), sec. 4, and of Kellner and
Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024): members that were trained alike on other parts of the data, or
from other random weights, agree where the data decide and differ where they do not.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from crucible_engine.families import packed, weights
from crucible_engine.families.base import Ensemble, Evaluation, Identity, Model
from crucible_engine.wire.schema import Condition, EngineError


class Committee(Model):
    """Several models of one family: the mean of what they say, with what each of them says.

    :param members: at least two, of the same family and precision, on the same device.
    :raises EngineError: ``CHECKPOINT_UNREADABLE``, if they do not know the same elements.
    """

    def __init__(self, members: Sequence[Model], identity: Identity) -> None:
        _require_same_elements(members)
        super().__init__(identity, members[0].elements, all(member.conservative for member in members))
        self.folder: object = None
        self.members = tuple(members)
        self.n_members = len(members)
        self.equivariant = all(member.equivariant for member in members)
        self.remembers = any(member.remembers for member in members)
        self.gives_stress = all(member.gives_stress for member in members)

    def atoms_per_batch(self) -> int:
        """Return how many atoms suit all members."""
        return min(member.atoms_per_batch() for member in self.members)

    def member(self, index: int) -> Model:
        """Return a member itself: the others need not be asked."""
        return self.members[index]

    @property
    def has_direct_forces(self) -> bool:
        """Whether all members have."""
        return all(member.has_direct_forces for member in self.members)

    def with_forces(self, kind: str) -> Model:
        """Return the committee of its members' forces of one kind.

        :raises EngineError: ``CAPABILITY_MISSING``, if one has none of that kind.
        """
        made = Committee([member.with_forces(kind) for member in self.members], self.identity)
        made.folder = self.folder
        return made

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        answers = [member.evaluate_batch(batch, stress) for member in self.members]
        return [_mean(of_one) for of_one in zip(*answers, strict=True)]


def ensemble_of(answers: Sequence[Evaluation]) -> Ensemble:
    """Return what several members say of one structure, together."""
    return Ensemble(
        np.array([answer.energy for answer in answers]),
        np.array([answer.forces for answer in answers]),
        np.array([answer.stress for answer in answers]),
    )


def _mean(answers: Sequence[Evaluation]) -> Evaluation:
    ensemble = ensemble_of(answers)
    energies, forces, stresses = ensemble.energies, ensemble.forces, ensemble.stresses
    return Evaluation(float(energies.mean()), forces.mean(axis=0), stresses.mean(axis=0), ensemble)


def _require_same_elements(members: Sequence[Model]) -> None:
    first = members[0].elements
    for number, member in enumerate(members[1:], start=2):
        if member.elements != first:
            differing = ", ".join(chemical_symbols[each] for each in sorted(member.elements ^ first))
            raise EngineError(
                Condition.CHECKPOINT_UNREADABLE,
                f"the committee's members 1 and {number} do not know the same elements ({differing} only in one of "
                "them): train all on data of the same elements",
            )


def load(path: Path, identity: Identity, read: Callable[[Path], Model]) -> Committee:
    """Return the committee of a packed file.

    :param identity: of the committee.
    :param read: returns the model of a member's file.
    :raises EngineError: ``CHECKPOINT_UNREADABLE`` or ``CHECKPOINT_OF_ANOTHER_FAMILY``.
    """
    folder = tempfile.TemporaryDirectory()
    try:
        with zipfile.ZipFile(path) as archive:
            digests = packed.members_in(path, archive, identity.family)
            files = [Path(folder.name) / packed.member_name(number) for number in range(len(digests))]
            for file, digest in zip(files, digests, strict=True):
                file.write_bytes(archive.read(file.name))
                weights.require_digest(weights.digest(file), digest, f"{file.name} of {path.name}")
    except (zipfile.BadZipFile, OSError, EOFError, KeyError) as error:
        raise weights.unreadable(path, f"the committee was truncated or damaged ({error})") from error
    made = Committee([read(file) for file in files], identity)
    made.folder = folder  # some packages read the files again later
    return made
