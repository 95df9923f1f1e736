"""The anharmonicity score: closed forms, an independent script, what must not change it, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from anharmonic_crystals import QuarticPairs, compact, force_constants, shaken, three_springs
from ase import Atoms, units
from ase.build import make_supercell
from scipy.spatial.transform import Rotation

from aiida_crucible.analysis.anharmonicity.force_runs import ForceRun
from aiida_crucible.analysis.anharmonicity.run import analyse_anharmonicity, site_names
from aiida_crucible.analysis.anharmonicity.score import Score, classify
from aiida_crucible.analysis.anharmonicity.settings import own_supercell, temperature_of, validate_anharmonicity
from aiida_crucible.analysis.phonons.lattice_force_constants import lattice_force_constants

SETTINGS = validate_anharmonicity({"effective_frames": 0})
SUPERCELL = np.array([[2, 1, 0], [0, 3, 0], [0, 0, 3]])


def sigma(run, constants, origin=None):
    runs = run if isinstance(run, list) else [run]
    return analyse_anharmonicity(runs, constants, SETTINGS, origin)


def roughened(run, size=0.2, seed=5):
    """Return a run with forces that no springs give, without a net force."""
    noise = np.random.default_rng(seed).normal(0, size, run.forces.shape)
    noise -= noise.mean(axis=1, keepdims=True)
    return ForceRun(run.positions, run.cells, run.forces + noise, run.numbers)


@pytest.fixture(scope="module")
def springs():
    return force_constants(three_springs(), np.diag([3, 2, 2]))


@pytest.fixture(scope="module")
def rough():
    return roughened(shaken(three_springs(), SUPERCELL, n_frames=40))


@pytest.mark.parametrize("matrix", [np.diag([3, 2, 2]), np.diag([1, 2, 2]), np.diag([4, 3, 5]), SUPERCELL])
def test_a_harmonic_crystal_has_none(springs, matrix):
    found = sigma([shaken(three_springs(), matrix, seed=seed) for seed in range(2)], springs)
    for name in ("time_averaged", "pooled"):
        assert found.values["sigma"][name]["value"] < 1e-10
    assert max(found.values["sigma"]["fhi_vibes"], found.values["sigma"]["mass_weighted"]) < 1e-10
    scores = [entry["value"] for kind in found.values["by"].values() for entry in kind.values()]
    assert max(scores) < 1e-10
    assert np.nanmax(found.arrays["mode_scores"]) < 1e-10
    assert found.values["class"] == "weak"


@pytest.mark.parametrize("temperature", [20.0, 300.0, 2000.0])
def test_a_quartic_crystal_has_its_closed_form(temperature):
    crystal = QuarticPairs()
    runs = [crystal.sample(temperature, 300, seed) for seed in range(2)]
    found = analyse_anharmonicity(runs, crystal.force_constants, validate_anharmonicity({"effective_frames": 600}))
    pooled = found.values["sigma"]["pooled"]
    assert pooled["standard_error"] < 0.03 * pooled["value"]
    assert abs(pooled["value"] - crystal.score(temperature)) < 3.5 * pooled["standard_error"]
    assert found.values["effective"]["left"] == pytest.approx(crystal.left(temperature), rel=0.05)
    expected = 1 - (crystal.left(temperature) / crystal.score(temperature)) ** 2
    assert found.values["effective"]["renormalised"] == pytest.approx(expected, abs=0.05)
    assert found.values["warnings"] == []


@pytest.mark.slow
def test_error_bars_are_those_of_repeated_runs():
    crystal = QuarticPairs(repeat=(1, 1, 1))
    found = [sigma(crystal.sample(300.0, 100, seed), crystal.force_constants) for seed in range(40)]
    for name in ("time_averaged", "pooled"):
        scores = [one.values["sigma"][name] for one in found]
        scatter = np.std([score["value"] for score in scores], ddof=1)
        assert np.mean([score["standard_error"] for score in scores]) == pytest.approx(scatter, rel=0.4)


def independent(positions, forces, ideal, full):
    """Return the scores in the plainest way, frame by frame and atom by atom."""
    inverse = np.linalg.inv(ideal.cell.array)
    masses = ideal.get_masses()
    anharmonic = np.zeros(forces.shape)
    for t in range(len(positions)):
        moved = (positions[t] - ideal.positions) @ inverse
        moved = (moved - np.round(moved)) @ ideal.cell.array
        moved -= (masses[:, None] * moved).sum(axis=0) / masses.sum()
        for i in range(len(ideal)):
            harmonic = np.zeros(3)
            for j in range(len(ideal)):
                harmonic -= full[i, j] @ moved[j]
            anharmonic[t, i] = forces[t, i] - harmonic
    per_frame = np.array([math.sqrt((a**2).sum() / (f**2).sum()) for a, f in zip(anharmonic, forces, strict=True)])

    def part(chosen):
        return math.sqrt((anharmonic[chosen] ** 2).sum() / (forces[chosen] ** 2).sum())

    species = {symbol: part(np.s_[:, np.array(ideal.get_chemical_symbols()) == symbol]) for symbol in ("Cu", "Au")}
    directions = {name: part(np.s_[:, :, axis]) for axis, name in enumerate("xyz")}
    return {
        "per_frame": per_frame,
        "time_averaged": per_frame.mean(),
        "pooled": part(np.s_[:]),
        "fhi_vibes": anharmonic.std() / forces.std(),
        "species": species,
        "direction": directions,
    }


@pytest.mark.parametrize("trajectory", ["reference", "own"])
@pytest.mark.parametrize("constants", ["reference", "own"])
def test_the_four_combinations_agree_with_a_plain_script(trajectory, constants):
    """Random force constants and forces: nothing of physics helps."""
    crystal = three_springs()
    rng = np.random.default_rng({"reference": 1, "own": 2}[trajectory])
    _, matrix, primitive_matrix = compact(crystal, np.diag([2, 2, 2]))
    values = np.random.default_rng({"reference": 3, "own": 4}[constants]).normal(size=(2, 16, 3, 3))
    found = lattice_force_constants(crystal.atoms, matrix, primitive_matrix, values)
    # The supercell of the force constants itself: no sharing of images is in the way.
    ideal = make_supercell(crystal.atoms, np.diag([2, 2, 2]))
    mapping = found.map(ideal)
    full = np.empty((16, 16, 3, 3))
    for i in range(16):
        for j in range(16):
            # phonopy's supercell: eight images of each primitive atom, the cell's first index fastest.
            cells = (mapping.translations[j] - mapping.translations[i]) % 2
            full[i, j] = values[mapping.unit_atoms[i], 8 * mapping.unit_atoms[j] + cells @ [1, 2, 4]]
    positions = ideal.positions + rng.normal(0, 0.1, (7, 16, 3)) + rng.integers(-1, 2, (7, 16, 3)) @ ideal.cell.array
    forces = rng.normal(0.1, 1, positions.shape)
    run = ForceRun(positions, np.repeat(ideal.cell.array[None], 7, axis=0), forces, ideal.numbers)
    analysis, expected = sigma(run, found), independent(positions, forces, ideal, full)
    np.testing.assert_allclose(analysis.arrays["scores"], expected["per_frame"], rtol=1e-12)
    said = analysis.values["sigma"]
    assert said["time_averaged"]["value"] == pytest.approx(expected["time_averaged"], rel=1e-12)
    assert said["pooled"]["value"] == pytest.approx(expected["pooled"], rel=1e-12)
    assert said["fhi_vibes"] == pytest.approx(expected["fhi_vibes"], rel=1e-12)
    for kind in ("species", "direction"):
        scores = {name: entry["value"] for name, entry in analysis.values["by"][kind].items()}
        assert scores == pytest.approx(expected[kind], rel=1e-12)


def test_modes_add_up(springs, rough):
    found = sigma(rough, springs)
    arrays, said = found.arrays, found.values["sigma"]
    assert arrays["mode_contributions"].sum() == pytest.approx(said["pooled"]["value"] ** 2, rel=1e-12)
    assert arrays["mode_shares"].sum() == pytest.approx(said["mass_weighted"] ** 2, rel=1e-12)
    masses = make_supercell(three_springs().atoms, SUPERCELL).get_masses()[:, None]
    moved = (rough.positions - rough.positions[0]) @ np.linalg.inv(rough.cells[0])
    assert np.abs(moved).max() < 0.5
    reference = make_supercell(three_springs().atoms, SUPERCELL).positions
    displaced = rough.positions - reference
    displaced -= (masses * displaced).sum(axis=1, keepdims=True) / masses.sum()
    rest = rough.forces.reshape(40, -1) + displaced.reshape(40, -1) @ springs.in_supercell(
        springs.map(Atoms(rough.numbers, positions=reference, cell=rough.cells[0], pbc=True))
    )
    expected = (rest.reshape(rough.forces.shape) ** 2 / masses).sum() / (rough.forces**2 / masses).sum()
    assert said["mass_weighted"] ** 2 == pytest.approx(expected, rel=1e-10)
    assert np.isnan(arrays["mode_scores"]).sum() == 3
    assert np.abs(arrays["mode_frequencies"][:3]).max() < 1e-5


def test_with_equal_masses_both_sums_are_the_same():
    crystal = three_springs()
    crystal.atoms.numbers[:] = 29
    constants = force_constants(crystal, np.diag([2, 2, 2]))
    found = sigma(roughened(shaken(crystal, np.diag([2, 2, 2]))), constants)
    np.testing.assert_allclose(found.arrays["mode_shares"], found.arrays["mode_contributions"], atol=1e-12)
    assert found.values["sigma"]["mass_weighted"] == pytest.approx(found.values["sigma"]["pooled"]["value"], rel=1e-12)


def test_a_mode_that_alone_is_anharmonic_is_found(springs):
    """Forces along one eigenvector are added: its score alone is not zero."""
    run = shaken(three_springs(), np.diag([2, 2, 2]), n_frames=6)
    ideal = make_supercell(three_springs().atoms, np.diag([2, 2, 2]))
    mapping = springs.map(ideal)
    roots = np.repeat(np.sqrt(ideal.get_masses()), 3)
    squares, vectors = np.linalg.eigh(springs.in_supercell(mapping) / np.outer(roots, roots))
    chosen = len(squares) - 1
    kick = (vectors[:, chosen] * roots).reshape(-1, 3)
    sizes = np.random.default_rng(0).normal(0, 0.01, (6, 1, 1))
    found = sigma(ForceRun(run.positions, run.cells, run.forces + sizes * kick, run.numbers), springs)
    scores = found.arrays["mode_scores"]
    assert scores[chosen] > 1e-3
    assert np.nanmax(np.delete(scores, chosen)) < 1e-10
    assert found.arrays["mode_frequencies"][chosen] == pytest.approx(
        math.sqrt(squares[chosen] * units._e * 1e20 / units._amu) / (2 * math.pi * 1e12)
    )


CHANGES = {
    "translation": lambda run, rng: (run.positions + rng.normal(0, 5, 3), run.cells, run.forces, run.numbers),
    "drift": lambda run, rng: (
        run.positions + np.cumsum(rng.normal(0, 1, (len(run.positions), 1, 3)), axis=0),
        run.cells,
        run.forces,
        run.numbers,
    ),
    "wrapping": lambda run, rng: (
        run.positions + rng.integers(-2, 3, run.positions.shape) @ run.cells[0],
        run.cells,
        run.forces,
        run.numbers,
    ),
    "order": lambda run, rng: (
        (order := rng.permutation(len(run.numbers))) is not None and run.positions[:, order],
        run.cells,
        run.forces[:, order],
        run.numbers[order],
    ),
    "rotation": lambda run, rng: (
        run.positions @ (turn := Rotation.random(random_state=7).as_matrix()),
        run.cells @ turn,
        run.forces @ turn,
        run.numbers,
    ),
    "single precision": lambda run, rng: (
        run.positions.astype(np.float32),
        run.cells,
        run.forces.astype(np.float32),
        run.numbers,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_matter_changes_nothing(springs, rough, change):
    tolerance = 1e-5 if change == "single precision" else 1e-9
    expected = sigma(rough, springs)
    found = sigma(ForceRun(*CHANGES[change](rough, np.random.default_rng(8))), springs)
    np.testing.assert_allclose(found.arrays["scores"], expected.arrays["scores"], rtol=tolerance)
    for kind, entries in expected.values["by"].items():
        scores = {name: entry["value"] for name, entry in entries.items()}
        assert {name: entry["value"] for name, entry in found.values["by"][kind].items()} == pytest.approx(
            scores, rel=tolerance
        )
    # A multiplet shares its score: which of its modes came first does not show.
    np.testing.assert_allclose(
        found.arrays["mode_contributions"], expected.arrays["mode_contributions"], atol=max(tolerance, 1e-8)
    )


def test_runs_of_other_atom_orders_go_together(springs, rough):
    order = np.random.default_rng(9).permutation(len(rough.numbers))
    other = ForceRun(rough.positions[:20, order], rough.cells[:20], rough.forces[:20, order], rough.numbers[order])
    rest = rough.chosen(np.arange(20, 40))
    found, expected = sigma([other, rest], springs), sigma([rough.chosen(np.arange(20)), rest], springs)
    np.testing.assert_allclose(found.arrays["scores"], expected.arrays["scores"], rtol=1e-10)
    np.testing.assert_allclose(found.arrays["mode_contributions"], expected.arrays["mode_contributions"], atol=1e-10)
    assert found.arrays["runs"].tolist() == [0] * 20 + [1] * 20


def test_a_force_that_never_changes_is_no_anharmonicity_for_fhi_vibes(springs, rough):
    """The only place where the mean-subtracted form differs: a net force of the calculator."""
    shifted = ForceRun(rough.positions, rough.cells, rough.forces + 0.5, rough.numbers)
    before, after = sigma(rough, springs).values["sigma"], sigma(shifted, springs).values["sigma"]
    assert after["fhi_vibes"] == pytest.approx(before["fhi_vibes"], rel=1e-10)
    assert after["pooled"]["value"] > before["pooled"]["value"] + 0.01


def test_displacements_may_be_counted_from_another_crystal():
    """Two phases of the same topology: from the crystal of the frames, the static part does not count."""
    crystal = three_springs()
    constants = force_constants(crystal, np.diag([2, 2, 2]))
    run = shaken(crystal, np.diag([2, 2, 2]), n_frames=10)
    other = crystal.atoms.copy()
    other.positions[1, 0] += 0.2
    moved = ForceRun(run.positions + 0.2 * (run.numbers == 79)[:, None] * [1, 0, 0], run.cells, run.forces, run.numbers)
    assert sigma(moved, constants, other).values["sigma"]["pooled"]["value"] < 1e-10
    assert sigma(moved, constants).values["sigma"]["pooled"]["value"] > 0.5


def test_a_single_frame_has_no_error_bar_and_no_class(springs, rough):
    found = sigma(rough.chosen([3]), springs).values
    assert found["sigma"]["time_averaged"]["standard_error"] is None
    assert found["class"] == "cannot-tell"
    assert "a single frame has no error bar" in found["warnings"]


def test_few_frames_are_warned_of_and_fit_nothing():
    crystal = three_springs()
    constants = force_constants(crystal, np.diag([2, 2, 2]))
    run = roughened(shaken(crystal, np.diag([2, 2, 2]), n_frames=2))
    found = analyse_anharmonicity([run], constants, validate_anharmonicity({})).values
    assert "too short" in found["warnings"][0]
    assert "too few to fit" in found["effective"]["reason"]


def test_broken_rules_are_warned_of_with_their_size(rough):
    crystal = three_springs()
    values, matrix, primitive_matrix = compact(crystal, np.diag([3, 2, 2]))
    values[0, 0] += 0.5 * np.eye(3)
    warnings = sigma(rough, lattice_force_constants(crystal.atoms, matrix, primitive_matrix, values)).values["warnings"]
    assert any(text.startswith("the force constants break the acoustic sum rule by 0.5 eV/Å²") for text in warnings)


def test_frames_that_are_no_numbers_are_left_out(springs, rough):
    forces = rough.forces.copy()
    forces[[2, 5], 3] = np.nan
    found = sigma(ForceRun(rough.positions, rough.cells, forces, rough.numbers), springs)
    assert (found.values["n_frames"], found.values["n_non_finite"]) == (38, 2)
    assert "2 frames with numbers that are not finite" in found.values["warnings"][0]
    with pytest.raises(ValueError, match="no frame has finite forces"):
        sigma(ForceRun(rough.positions, rough.cells, forces * np.nan, rough.numbers), springs)


def test_atoms_that_leave_their_sites_are_warned_of(springs, rough):
    positions = rough.positions.copy()
    positions[30:, 4] += [0, 1.6, 0]
    found = sigma(ForceRun(positions, rough.cells, rough.forces, rough.numbers), springs)
    assert any("in 10 of 40 frames an atom is more than 1.50 Å from its site" in w for w in found.values["warnings"])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (Score(0.3, 0.01), "weak"),
        (Score(0.49, 0.01), "cannot-tell"),
        (Score(0.5, 0.0), "strong"),
        (Score(1.0, 0.0), "strong"),
        (Score(0.99, 0.01), "cannot-tell"),
        (Score(1.3, 0.1), "unstable"),
        (Score(0.3, math.nan), "cannot-tell"),
        (Score(math.nan, math.nan), "cannot-tell"),
    ],
)
def test_classes(score, expected):
    assert classify(score, 2.0) == expected


def test_sites_are_told_apart_by_symmetry():
    perovskite = Atoms(
        "PbTiO3",
        scaled_positions=[[0, 0, 0.1], [0.5, 0.5, 0.55], [0.5, 0.5, 0.98], [0.5, 0, 0.47], [0, 0.5, 0.47]],
        cell=[3.87, 3.87, 4.2],
        pbc=True,
    )
    assert site_names(perovskite, 1e-3) == ["Pb", "Ti", "O1", "O2", "O2"]


def test_labels_and_supercells():
    assert [temperature_of(label) for label in ("T300", "T312p5_run_1", "T5", "Tc", "run_1")] == [
        300.0,
        312.5,
        5.0,
        None,
        None,
    ]
    unit = three_springs().atoms
    assert len(own_supercell(validate_anharmonicity({"supercell_matrix": [2, 3, 1]}), unit)) == 12
    assert len(own_supercell(validate_anharmonicity({"supercell_min_length": 7.0}), unit)) == 2 * 2 * 3 * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperatures": []}, "'temperatures' of anharmonicity is empty"),
        ({"n_runs": 0}, "at least 1"),
        ({"origin": "frame"}, "did you mean 'frames'"),
        ({"discrad": 0.1}, "did you mean 'discard'"),
        ({"supercell_matrix": [1, 2]}, "three whole numbers"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        validate_anharmonicity(given)
    assert "\n" not in str(caught.value)
