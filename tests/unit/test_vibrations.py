"""Vibrations in closed form: a spring, a triatomic molecule, rigid motions, noise."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.emt import EMT
from ase.optimize import BFGS

from aiida_crucible.analysis.phonons.vibrations import (
    TERAHERTZ,
    analyse_vibrations,
    displaced,
    rigid_motions,
    summarise_vibrations,
    validate_vibrations,
)

STEP = 0.01


def springs(atoms, bonds):
    """Return the forces of harmonic springs along the bonds (i, j, eV/Å², Å)."""
    forces = np.zeros((len(atoms), 3))
    for i, j, constant, length in bonds:
        arm = atoms.positions[j] - atoms.positions[i]
        distance = np.linalg.norm(arm)
        pull = constant * (distance - length) * arm / distance
        forces[i] += pull
        forces[j] -= pull
    return forces


def vibrations(atoms, forces_of, step=STEP):
    return analyse_vibrations(atoms, np.array([forces_of(frame) for frame in displaced(atoms, step)]), step)


def test_a_diatomic_molecule_has_the_frequency_of_its_spring():
    atoms = Atoms("NO", positions=[[0.3, 0.1, 0], [0.3, 0.1, 1.15]])
    found = vibrations(atoms, lambda frame: springs(frame, [(0, 1, 90.0, 1.15)]))
    reduced = np.prod(atoms.get_masses()) / atoms.get_masses().sum()
    assert len(found.frequencies) == 1
    assert found.frequencies[0] == pytest.approx(TERAHERTZ * np.sqrt(90.0 / reduced), rel=1e-4)
    assert summarise_vibrations(atoms, found)["outcome"] == "minimum"
    assert summarise_vibrations(atoms, found)["rigid_motions"] == 5


def test_a_linear_triatomic_molecule_has_its_two_stretches():
    atoms = Atoms("OCO", positions=[[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    bonds = [(0, 1, 100.0, 1.16), (1, 2, 100.0, 1.16)]
    found = vibrations(atoms, lambda frame: springs(frame, bonds))
    oxygen, carbon = atoms.get_masses()[:2]
    stretches = TERAHERTZ * np.sqrt([100.0 / oxygen, 100.0 * (1 / oxygen + 2 / carbon)])
    assert len(found.frequencies) == 9 - 5
    np.testing.assert_allclose(found.frequencies[2:], stretches, rtol=1e-4)
    # Springs along the bonds resist bending in the square of the displacement only.
    assert np.abs(found.frequencies[:2]).max() < 0.5


@pytest.mark.parametrize(("name", "n_rigid"), [("H2O", 6), ("CO2", 5), ("N2", 5), ("C6H6", 6)])
def test_rigid_motions_are_orthonormal_and_all(name, n_rigid):
    rigid = rigid_motions(molecule(name))
    np.testing.assert_allclose(rigid @ rigid.T, np.eye(n_rigid), atol=1e-12)


def test_a_slab_turns_not_and_its_adsorbate_vibrates():
    slab = fcc111("Cu", (1, 1, 2), vacuum=8.0)
    add_adsorbate(slab, "O", 1.2, "fcc")
    slab.calc = EMT()
    BFGS(slab, logfile=None).run(fmax=1e-5, steps=500)

    def forces_of(frame):
        frame.calc = EMT()
        return frame.get_forces()

    found = vibrations(slab, forces_of)
    assert len(rigid_motions(slab)) == 3
    assert len(found.frequencies) == 3 * len(slab) - 3
    summary = summarise_vibrations(slab, found)
    assert summary["outcome"] == "minimum"
    assert "of a slab" in summary["not_asked"]
    # ASE's own way, whose frequencies of the rigid motions are left in.
    hessian = np.array(
        [(forces_of(minus) - forces_of(plus)).ravel() / (2 * STEP) for plus, minus in _pairs(displaced(slab, STEP)[1:])]
    )
    roots = np.repeat(np.sqrt(slab.get_masses()), 3)
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2 / np.outer(roots, roots))
    np.testing.assert_allclose(found.frequencies, TERAHERTZ * np.sqrt(np.sort(values)[3:]), rtol=1e-3, atol=0.02)


def _pairs(frames):
    return zip(frames[::2], frames[1::2], strict=True)


def test_a_saddle_is_told_and_noise_hides_a_sign():
    atoms = Atoms("NO", positions=[[0, 0, 0], [0, 0, 1.15]])
    found = vibrations(atoms, lambda frame: -springs(frame, [(0, 1, 9.0, 1.15)]))
    assert summarise_vibrations(atoms, found)["outcome"] == "saddle"
    rng = np.random.default_rng(7)
    noisy = vibrations(atoms, lambda frame: springs(frame, [(0, 1, 0.001, 1.15)]) + rng.normal(scale=0.01, size=(2, 3)))
    assert summarise_vibrations(atoms, noisy)["outcome"] == "cannot-tell"
    assert noisy.resolvable > abs(noisy.frequencies[0]) / 10


def test_settings():
    assert validate_vibrations({}) == {"displacement": 0.01, "shortest_length": 0.0, "shortest_duration": 5.0}
    with pytest.raises(ValueError, match="displacement"):
        validate_vibrations({"displacement": 5.0})
