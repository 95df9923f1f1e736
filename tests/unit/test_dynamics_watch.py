"""The eye on the physics: what is a loss of the crystal, and what only looks like one."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.cluster import Octahedron
from perovskite import tetragonal

from crucible_engine.tasks.dynamics.crystal.watch import Watch, chance_temperature
from crucible_engine.tasks.parameters import validate_parameters

QUARTER = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])


def watch(atoms, temperature=300.0, **parameters):
    parameters = {"watch_interval": 50, "time_step": 2.0, **parameters}
    return Watch(atoms, validate_parameters("dynamics", parameters), temperature)


def look(eye, atoms, positions=None, step=0, temperature=300.0, energy=-1.0, cell=None):
    positions = atoms.positions if positions is None else positions
    return eye.look(step, positions, temperature, energy, atoms.cell.array if cell is None else np.asarray(cell))


def outcomes(eye, atoms, frames, cell=None):
    """Return the findings by the number of their look."""
    found = {number: look(eye, atoms, positions, number, cell=cell) for number, positions in enumerate(frames)}
    return {number: finding for number, finding in found.items() if finding is not None}


def random_walk(atoms, steps, width, moving=None, seed=0):
    rng = np.random.default_rng(seed)
    positions = atoms.positions.copy()
    moving = np.ones(len(atoms), bool) if moving is None else moving
    for _ in range(steps):
        yield positions.copy()
        positions[moving] += rng.normal(0, width, (moving.sum(), 3))


@pytest.mark.parametrize("share", [0.05, 0.18, 0.25])
@pytest.mark.parametrize("atoms", [bulk("Cu", cubic=True) * 3, tetragonal() * 2, bulk("Si"), tetragonal()], ids=str)
def test_vibrations_below_the_limit_are_stable(atoms, share):
    # A quarter of the nearest-neighbour distance is more than any crystal bears (Lindemann: about a tenth).
    eye = watch(atoms)
    rng = np.random.default_rng(1)
    width = share * eye._disorder.nearest.min() / np.sqrt(3)
    assert outcomes(eye, atoms, (atoms.positions + rng.normal(0, width, (len(atoms), 3)) for _ in range(200))) == {}


def test_the_ratio_is_lindemanns_for_independent_displacements():
    atoms = bulk("Cu", cubic=True) * 6
    eye = watch(atoms)
    positions = atoms.positions + np.random.default_rng(0).normal(0, 0.1, (len(atoms), 3)) + [5, -3, 1]
    look(eye, atoms, positions)
    expected = 0.1 * np.sqrt(3) / (3.61 / np.sqrt(2))
    assert eye.evidence()["highest_lindemann"]["Cu"] == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("repeat", [4, 5])
def test_a_random_walk_of_all_atoms_melts_when_it_has_gone_far_enough(repeat):
    atoms = tetragonal() * repeat
    eye, width = watch(atoms), 0.03
    found = outcomes(eye, atoms, random_walk(atoms, 400, width))
    assert [finding.outcome for finding in found.values()][-1] == "melted"
    # <u²> = 3 width² t reaches (limit · nearest)², and is then confirmed by five looks.
    slowest = eye._disorder.nearest.max()
    expected = (0.35 * slowest / width) ** 2 / 3
    assert max(found) == pytest.approx(expected + 5, rel=0.25)
    assert json.loads(json.dumps(found[max(found)].evidence))["bragg_intensity"] < 0.25
    assert "\n" not in found[max(found)].reason


def test_a_single_cell_that_walks_away_melts():
    atoms = tetragonal()
    found = outcomes(watch(atoms), atoms, random_walk(atoms, 1000, 0.15))
    assert [finding.outcome for finding in found.values()][-1] == "melted"


def test_one_diffusing_species_is_diffusive_and_never_melts():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 3
    eye = watch(atoms)
    found = outcomes(eye, atoms, random_walk(atoms, 800, 0.05, atoms.numbers == 17))
    (finding,) = found.values()
    assert finding.outcome == "diffusive"
    assert finding.reason.startswith("Cl left")
    assert finding.evidence["lindemann"]["Na"] < 0.05
    assert finding.evidence["lindemann"]["Cl"] > 0.35


def test_atoms_that_exchange_sites_leave_a_crystal():
    atoms = bulk("Al", cubic=True) * 3
    rng = np.random.default_rng(0)
    permuted = atoms.positions[rng.permutation(len(atoms))]
    frames = (permuted + rng.normal(0, 0.15, permuted.shape) for _ in range(50))
    (finding,) = outcomes(watch(atoms), atoms, frames).values()
    assert finding.outcome == "diffusive"
    assert finding.evidence["bragg_intensity"] > 0.5


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_switched_polarization_is_stable(repeat, scale):
    # Twice the polar displacements are those of the supertetragonal phase that foundation models give.
    cell = tetragonal()
    scaled = cell.get_scaled_positions()
    centred = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    polar = scaled - centred
    polar -= np.rint(polar)
    polar = scale * (polar - polar.mean(axis=0))
    up, down = (
        Atoms("PbTiO3", scaled_positions=centred + sign * polar, cell=cell.cell, pbc=True) * repeat for sign in (1, -1)
    )
    eye = watch(up)
    rng = np.random.default_rng(0)
    assert outcomes(eye, up, (down.positions + rng.normal(0, 0.08, down.positions.shape) for _ in range(100))) == {}


def test_a_domain_wall_is_stable():
    atoms = tetragonal() * (6, 2, 2)
    shift = np.where(atoms.numbers == 8, 1.0, -0.5)[:, None] * [0, 0, 0.5]
    shift[atoms.positions[:, 0] < atoms.cell[0, 0] / 2] *= -1
    assert outcomes(watch(atoms), atoms, [atoms.positions + shift] * 50) == {}


def test_a_drifting_crystal_is_stable():
    atoms = bulk("Cu", cubic=True) * 2
    assert outcomes(watch(atoms), atoms, (atoms.positions + t * np.array([0.3, -1, 7]) for t in range(50))) == {}


def test_a_turning_cluster_is_stable():
    atoms = Octahedron("Cu", 4)
    eye = watch(atoms)
    spun = atoms.positions
    for _ in range(20):
        spun = spun @ QUARTER + 0.1
        assert look(eye, atoms, spun) is None
    assert eye.evidence()["highest_lindemann"]["Cu"] < 1e-10


@pytest.mark.parametrize(
    ("strain", "outcome"),
    [
        (np.diag([1.49, 1.0, 1.0]), None),
        (np.diag([1, 1, 1 / 1.49]), None),
        (1.49 * np.eye(3), None),
        (np.array([[1, 0.4, 0], [0, 1, 0], [0, 0, 1]]), None),
        (QUARTER, None),
        (np.diag([1.51, 1, 1]), "exploded"),
        (np.diag([1, 1, 1 / 1.51]), "exploded"),
        (0.6 * np.eye(3), "exploded"),
        # Every length is what it was, and the cell is flat.
        (np.array([[1, 0, 0], [0.99, np.sqrt(1 - 0.99**2), 0], [0, 0, 1]]), "exploded"),
    ],
)
def test_affine_changes_of_the_cell(strain, outcome):
    atoms = tetragonal() * 2
    atoms.positions += 3 * atoms.cell[0]
    eye = watch(atoms)
    found = outcomes(eye, atoms, [atoms.positions @ strain] * 50, atoms.cell.array @ strain)
    assert [finding.outcome for finding in found.values()] == ([outcome] if outcome else [])
    if outcome:
        assert "cell ran away" in found[0].reason


@pytest.mark.parametrize("atoms", [bulk("Cu", cubic=True) * 3, fcc111("Cu", (3, 3, 4), vacuum=15), Octahedron("Cu", 4)])
def test_an_atom_that_leaves_is_lost(atoms):
    # The crystal opens at an end and one atom stays in the middle of the gap.
    last = int(np.argmax(atoms.positions[:, 2]))
    if atoms.pbc.all():
        atoms.cell[2, 2] += 16
    eye = watch(atoms)
    positions = atoms.positions.copy()
    positions[last, 2] += 2.0
    assert look(eye, atoms, positions) is None
    positions[last, 2] += 6.0
    finding = look(eye, atoms, positions)
    assert finding.outcome == "atoms-lost"
    assert finding.evidence == {"n_atoms": 1, "first_atoms": [last]}
    # It is told once.
    assert look(eye, atoms, positions) is None


def test_a_molecule_that_leaves_a_surface_is_lost():
    slab = fcc111("Cu", (3, 3, 3), vacuum=None)
    gas = molecule("N2")
    gas.positions += slab.positions.mean(axis=0) + np.array([0, 0, 4.5])
    atoms = slab + gas
    eye = watch(atoms)
    assert look(eye, atoms, atoms.positions + np.r_[np.zeros(27), 3, 3][:, None] * [0, 0, 1]) is None
    finding = look(eye, atoms, atoms.positions + np.r_[np.zeros(27), 30, 30][:, None] * [0, 0, 1])
    assert (finding.outcome, finding.evidence["first_atoms"]) == ("atoms-lost", [27, 28])


def test_an_atom_that_changes_its_neighbours_is_not_lost():
    atoms = bulk("Cu", cubic=True) * (2, 2, 6)
    eye = watch(atoms)
    positions = atoms.positions.copy()
    for _ in range(40):
        positions[0] += [0, 0, 0.45]
        assert look(eye, atoms, positions) is None
    assert not np.array_equal(eye.state()["partner"], watch(atoms).state()["partner"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found_first(bad):
    atoms = bulk("Cu", cubic=True)
    broken = atoms.positions.copy()
    broken[2, 1] = bad
    for change in ({"energy": bad}, {"temperature": bad}, {"positions": broken}, {"cell": np.full((3, 3), bad)}):
        finding = look(watch(atoms), atoms, **change)
        assert finding.outcome == "non-finite"
        json.dumps(finding.evidence, allow_nan=False)


def test_a_temperature_runs_away_from_the_present_target():
    atoms = bulk("Cu", cubic=True) * 3
    ramp = {"final_temperature": 1000.0, "steps": 100}
    assert look(watch(atoms, 100.0), atoms, temperature=510).outcome == "exploded"
    assert look(watch(atoms, 100.0), atoms, temperature=490) is None
    assert look(watch(atoms, 100.0, **ramp), atoms, step=50, temperature=2700) is None
    assert look(watch(atoms, 100.0, **ramp), atoms, step=50, temperature=2800).outcome == "exploded"
    assert look(watch(atoms, 100.0, ensemble="nve", initial_temperature=800.0), atoms, temperature=3900) is None
    assert look(watch(atoms, 100.0, temperature_limit=2.0), atoms, temperature=250).outcome == "exploded"


@pytest.mark.parametrize("freedom", [3, 12, 93, 1872])
def test_chance_heats_few_atoms(freedom):
    # A million looks at a Maxwell-Boltzmann distribution stay below, and come near.
    ratios = np.random.default_rng(0).chisquare(freedom, 1_000_000) / freedom
    assert 0.6 < ratios.max() / chance_temperature(freedom) < 1


def test_a_short_swing_is_not_confirmed():
    atoms = bulk("Cu", cubic=True) * 2
    eye = watch(atoms, watch_interval=10, time_step=1.0)
    wild = atoms.positions + np.random.default_rng(0).normal(0, 2, (len(atoms), 3))
    assert outcomes(eye, atoms, ([wild] * 49 + [atoms.positions]) * 3) == {}
    assert list(outcomes(eye, atoms, [wild] * 60)) == [49]


@pytest.mark.slow
def test_a_restored_watch_says_what_the_first_would_have_said():
    atoms = tetragonal() * 2
    frames = list(random_walk(atoms, 300, 0.06))
    whole, first = watch(atoms), watch(atoms)
    expected = outcomes(whole, atoms, frames)
    assert len(expected) >= 2
    for cut in (1, min(expected) - 2, max(expected) - 2, max(expected) + 1):
        first = watch(atoms)
        found = outcomes(first, atoms, frames[:cut])
        second = watch(atoms)
        second.restore(first.state())
        for number, positions in enumerate(frames[cut:], start=cut):
            finding = look(second, atoms, positions, number)
            if finding:
                found[number] = finding
        assert found == expected
        assert second.evidence() == whole.evidence()
        for name, value in whole.state().items():
            assert np.array_equal(second.state()[name], value), name


def test_an_atom_alone_is_no_loss():
    atoms = Atoms("Ar", positions=[[0, 0, 0]])
    assert look(watch(atoms), atoms, atoms.positions + 100) is None
