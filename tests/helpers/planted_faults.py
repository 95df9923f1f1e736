"""Faults planted in a model, one that real packages have or had; each has the names that verification must find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

from crucible_engine.families.base import Evaluation, Model

Fault = Callable[[Model, Atoms, Evaluation], Evaluation]


class FaultyModel(Model):
    """A model whose answers go through one fault after the other."""

    def __init__(self, model: Model, *faults: Fault, conservative: bool | None = None) -> None:
        super().__init__(model.identity, model.elements, model.conservative if conservative is None else conservative)
        self.inner = model
        self.equivariant = model.equivariant
        self.faults = faults

    def atoms_per_batch(self) -> int:
        return self.inner.atoms_per_batch()

    def _evaluate(self, batch: Sequence[Atoms], stress: bool) -> list[Evaluation]:
        evaluations = self.inner.evaluate_batch(batch, stress)
        for fault in self.faults:
            evaluations = [fault(self.inner, *pair) for pair in zip(batch, evaluations, strict=True)]
        return evaluations


class Remembering(FaultyModel):
    """A model that evaluates nothing twice, for tests that plant one fault after the other behind it."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.known = {}

    def _evaluate(self, batch, stress):
        return [self._recall(atoms, stress) for atoms in batch]

    def _recall(self, atoms, stress):
        key = tuple(part.tobytes() for part in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)), stress
        if key not in self.known:
            self.known[key] = self.inner.evaluate_batch([atoms], stress)[0]
        return self.known[key]


def scaled(energy: float = 1.0, forces: float = 1.0, stress: float = 1.0) -> Fault:
    def apply(model, atoms, item):
        return Evaluation(energy * item.energy, forces * item.forces, stress * item.stress)

    return apply


def reordered(order: Sequence[int]) -> Fault:
    return lambda model, atoms, item: replace(item, stress=item.stress[list(order)])


def stress_times_volume(model, atoms, item):
    return replace(item, stress=item.stress * atoms.get_volume())


def shear_doubled(model, atoms, item):
    return replace(item, stress=item.stress * [1, 1, 1, 2, 2, 2])


class NearestImages(EMT):
    """EMT that sees of each other atom the nearest image alone, and none of an atom itself."""

    def _get_neighbors(self, a1):
        neighbors, vectors, distances = super()._get_neighbors(a1)
        keep = [
            index
            for index, other in enumerate(neighbors)
            if other != a1 and distances[index] == distances[neighbors == other].min()
        ]
        return neighbors[keep], vectors[keep], distances[keep]


class NoSelfImages(EMT):
    """EMT in which an atom does not see its own images."""

    def _get_neighbors(self, a1):
        neighbors, vectors, distances = super()._get_neighbors(a1)
        keep = neighbors != a1
        return neighbors[keep], vectors[keep], distances[keep]


def no_images(model, atoms, item):
    """Answer for the atoms of one cell in a void."""
    cluster = atoms.copy()
    cluster.set_cell(30 * np.eye(3), scale_atoms=False)
    alone = model.evaluate_batch([cluster], stress=False)[0]
    return replace(alone, stress=0 * item.stress)


def random_field(model, atoms, item):
    """Add forces that turn around an axis, which no energy has."""
    x, y, _ = atoms.positions.T
    return replace(item, forces=item.forces + 0.05 * np.column_stack([np.sin(2 * y), -np.sin(2 * x), 0 * x]))


def constant_field(model, atoms, item):
    rng = np.random.default_rng(int(atoms.numbers.sum()))
    return replace(item, forces=item.forces + rng.normal(scale=0.1, size=item.forces.shape))


class Noise:
    def __init__(self, energy=0.0, forces=0.0, seed=0):
        self.energy, self.forces = energy, forces
        self.rng = np.random.default_rng(seed)

    def __call__(self, model, atoms, item):
        energy = item.energy + self.energy * self.rng.normal()
        return replace(item, energy=energy, forces=item.forces + self.forces * self.rng.normal(size=item.forces.shape))


class StaleCache:
    """A cache that asks only for part of a structure, the formula unless another key is given."""

    def __init__(self, key=Atoms.get_chemical_formula):
        self.key = key
        self.known = {}

    def __call__(self, model, atoms, item):
        return self.known.setdefault((self.key(atoms), bool(np.isnan(item.stress).all())), item)


def external_field(model, atoms, item):
    """A wave fixed in space; its forces and stress are right."""
    k, amplitude = np.array([0.3, 0.2, 0.5]), 0.05
    phases = atoms.positions @ k
    forces = item.forces + amplitude * np.sin(phases)[:, None] * k
    gradient = -amplitude * np.einsum("a,i,aj->ij", np.sin(phases), k, atoms.positions)
    stress = voigt_6_to_full_3x3_stress(item.stress) + (gradient + gradient.T) / 2 / atoms.get_volume()
    return Evaluation(item.energy + amplitude * np.cos(phases).sum(), forces, full_3x3_to_voigt_6_stress(stress))


def prefers_an_axis(model, atoms, item):
    """The direction of the cell's first vector counts; the stress is right."""
    vector, strength = atoms.cell.array[0], 0.02 * len(atoms)
    length = np.linalg.norm(vector)
    change = strength * np.outer(vector, [1.0 / length, 0, 0] - vector[0] * vector / length**3)
    stress = voigt_6_to_full_3x3_stress(item.stress) + (change + change.T) / 2 / atoms.get_volume()
    energy = item.energy + strength * vector[0] / length
    return Evaluation(energy, item.forces, full_3x3_to_voigt_6_stress(stress))


def first_atom_is_special(model, atoms, item):
    return replace(item, energy=item.energy + 1e-3 * len(atoms) * atoms.numbers[0])


def forces_sorted_by_species(model, atoms, item):
    """Forces in the order of sorted species, as programs that group atoms return them."""
    return replace(item, forces=item.forces[np.argsort(atoms.numbers, kind="stable")])


def quadratic_in_size(model, atoms, item):
    return replace(item, energy=item.energy + 1e-3 * len(atoms) ** 2)


def other_in_each_size(model, atoms, item):
    """A factor that goes on changing with the number of atoms, another one for the forces of each element."""
    size = np.tanh(len(atoms) / 1000.0)
    factors = 1.0 + 20.0 * size**2 * (atoms.numbers % 3)
    return replace(item, energy=item.energy * (1.0 + 0.05 * size), forces=item.forces * factors[:, None])


def energy_per_atom(model, atoms, item):
    return replace(item, energy=item.energy / len(atoms))


def counts_neighbours(model, atoms, item):
    """A step of the energy where an atom comes within 4 Å of another."""
    return replace(item, energy=item.energy + 1e-3 * len(neighbor_list("i", atoms, 4.0)))


def energy_in_steps(model, atoms, item):
    return replace(item, energy=float(np.round(item.energy, 3)))


def without_forces_on_copper(model, atoms, item):
    """Forces that an element does not get; CHGNet and EMT are probed with copper, aluminium and others."""
    return replace(item, forces=item.forces * (atoms.numbers != 29)[:, None])


def forces_in_half_precision(model, atoms, item):
    return replace(item, forces=item.forces.astype(np.float16).astype(float))


def pressure_only(model, atoms, item):
    return replace(item, stress=item.stress[:3].mean() * np.array([1, 1, 1, 0, 0, 0]))


def stress_by_signed_volume(model, atoms, item):
    return replace(item, stress=item.stress * np.sign(np.linalg.det(atoms.cell.array)))


def nan_of_large_structures(model, atoms, item):
    return replace(item, forces=item.forces * (np.nan if len(atoms) > 10 else 1.0))


def stress_missing_at_times(model, atoms, item):
    return replace(item, stress=item.stress * (np.nan if atoms.positions[0, 0] < 0 else 1.0))


def clipped(limit: float) -> Fault:
    """Return forces of which no component exceeds a limit, as some packages make runs survive."""
    return lambda model, atoms, item: replace(item, forces=np.clip(item.forces, -limit, limit))


def nan_of_gold(model, atoms, item):
    """NaN for an element that EMT and CHGNet know and that no probe is made of."""
    return replace(item, forces=item.forces * (np.nan if 79 in atoms.numbers else 1.0))


def without_forces_on_gold(model, atoms, item):
    return replace(item, forces=item.forces * (atoms.numbers != 79)[:, None])


def blind_to_species(model, atoms, item):
    """Answer for copper whatever the atoms are."""
    copper = atoms.copy()
    copper.numbers[:] = 29
    return model.evaluate_batch([copper], stress=not np.isnan(item.stress).all())[0]


def rough_energy(model, atoms, item):
    """Add a saw of 2 meV with teeth of 3 pm to the energy of each pair nearer than 4 Å: as good as noise."""
    distances = neighbor_list("d", atoms, 4.0)
    return replace(item, energy=item.energy + 1e-3 * float(np.sum((distances / 0.003) % 1.0 - 0.5)))


class Creep:
    """An energy that grows with every call, of the whole structure or of each atom."""

    def __init__(self, step: float, of_each_atom: bool = False):
        self.step, self.of_each_atom, self.calls = step, of_each_atom, 0

    def __call__(self, model, atoms, item):
        self.calls += 1
        return replace(item, energy=item.energy + self.step * self.calls * (len(atoms) if self.of_each_atom else 1))


GPA = 1 / units.GPa
KCAL, KJ = units.mol / units.kcal, units.mol / units.kJ
OTHER_ORDER = (0, 1, 2, 5, 4, 3)  # xx yy zz xy xz yz
PLANTED = {
    "stress in GPa": ([scaled(stress=GPA)], ["stress-in-GPa"]),
    "stress in kbar": ([scaled(stress=10 * GPA)], ["stress-wrong-unit"]),
    "stress in an unknown unit": ([scaled(stress=7.3)], ["stress-wrong-unit"]),
    "stress of the wrong sign": ([scaled(stress=-1)], ["stress-wrong-sign"]),
    "GPa and wrong sign": ([scaled(stress=-GPA)], ["stress-wrong-sign", "stress-in-GPa"]),
    "xx yy zz xy xz yz": ([reordered(OTHER_ORDER)], ["stress-voigt-order"]),
    "xx yy zz xy yz xz": ([reordered((0, 1, 2, 5, 3, 4))], ["stress-voigt-order"]),
    "xx xy xz yy yz zz": ([reordered((0, 5, 4, 1, 3, 2))], ["stress-voigt-order"]),
    "order and GPa": ([reordered(OTHER_ORDER), scaled(stress=GPA)], ["stress-in-GPa", "stress-voigt-order"]),
    "everything of a stress": (
        [reordered(OTHER_ORDER), scaled(stress=-GPA)],
        ["stress-wrong-sign", "stress-in-GPa", "stress-voigt-order"],
    ),
    "virial": ([stress_times_volume], ["stress-times-volume"]),
    "negative virial": ([stress_times_volume, scaled(stress=-1)], ["stress-wrong-sign", "stress-times-volume"]),
    "pressure only": ([pressure_only], ["stress-missing"]),
    "no stress": ([scaled(stress=0.0)], ["stress-missing"]),
    "stress over a signed volume": ([stress_by_signed_volume], ["not-invariant-under-cell-choice"]),
    "shear counted twice": ([shear_doubled], ["stress-shear-factor"]),
    "stress 5 % too large": ([scaled(stress=1.05)], ["stress-inconsistent"]),
    "stress 2 % too small": ([scaled(stress=0.98)], ["stress-inconsistent"]),
    "GPa and 5 % too large": ([scaled(stress=1.05 * GPA)], ["stress-in-GPa", "stress-inconsistent"]),
    "forces of the wrong sign": ([scaled(forces=-1)], ["forces-wrong-sign"]),
    "forces per bohr": ([scaled(forces=units.Bohr)], ["forces-wrong-unit"]),
    "forces in kcal/mol/Å": ([scaled(forces=units.mol / units.kcal)], ["forces-wrong-unit"]),
    "forces in Hartree/bohr, wrong sign": (
        [scaled(forces=-units.Bohr / units.Hartree)],
        ["forces-wrong-sign", "forces-wrong-unit"],
    ),
    "forces 3 % too small": ([scaled(forces=0.97)], ["forces-inconsistent"]),
    "forces of one element missing": ([without_forces_on_copper], ["forces-missing"]),
    "no forces": ([scaled(forces=0.0)], ["forces-missing"]),
    "forces in half precision": ([forces_in_half_precision], ["precision-below-dtype"]),
    "direct forces": ([random_field], ["direct-forces"]),
    "forces with an offset": ([constant_field], ["direct-forces"]),
    "forces of sorted atoms": ([forces_sorted_by_species], ["direct-forces"]),
    "direct forces, stress in GPa": ([random_field, scaled(stress=GPA)], ["direct-forces", "stress-in-GPa"]),
    "energy an atom": ([energy_per_atom], ["energy-not-extensive", "energy-per-atom"]),
    "energy in Hartree": ([scaled(energy=1 / units.Hartree)], ["energy-wrong-unit"]),
    "energy of the wrong sign": ([scaled(energy=-1)], ["energy-wrong-sign"]),
    "energy 3 % too large": ([scaled(energy=1.03)], ["energy-inconsistent"]),
    "energy that jumps at a cutoff": ([counts_neighbours], ["energy-jumps"]),
    "energy in steps": ([energy_in_steps], ["rounded-results"]),
    "energy that grows with the square": ([quadratic_in_size], ["energy-not-extensive"]),
    "another model for each size": ([other_in_each_size], ["energy-not-extensive"]),
    "a field in space": ([external_field], ["not-invariant-under-translation"]),
    "an axis preferred": ([prefers_an_axis], ["not-invariant-under-rotation", "not-invariant-under-cell-choice"]),
    "the first atom counts more": ([first_atom_is_special], ["not-invariant-under-permutation"]),
    "NaN": ([scaled(forces=np.nan)], ["not-finite"]),
    "NaN of larger structures": ([nan_of_large_structures], ["not-finite"]),
    "a stress that is sometimes missing": ([stress_missing_at_times], ["not-finite"]),
    "everything in kcal/mol": ([scaled(KCAL, KCAL, KCAL)], ["energy-wrong-unit"]),
    "everything in kJ/mol": ([scaled(KJ, KJ, KJ)], ["energy-wrong-unit"]),
    "everything in meV": ([scaled(1000.0, 1000.0, 1000.0)], ["energy-wrong-unit"]),
    "energy and forces in kJ/mol": ([scaled(KJ, KJ)], ["energy-wrong-unit", "forces-wrong-unit"]),
    "energy and stress in kcal/mol": ([scaled(KCAL, 1.0, KCAL)], ["energy-wrong-unit", "stress-wrong-unit"]),
    "forces clipped at 1 eV/Å": ([clipped(1.0)], ["forces-clipped"]),
    "forces clipped at 5 eV/Å": ([clipped(5.0)], ["forces-clipped"]),
    "NaN of an element that no probe has": ([nan_of_gold], ["not-finite"]),
    "no forces on an element that no probe has": ([without_forces_on_gold], ["forces-missing"]),
    "blind to species": ([blind_to_species], ["ignores-species"]),
}
"""Faults by name: what to plant, and the names that verification must find, all of them and no others."""
