"""Which frames belong together, on which side each is, what stands out, and what lies between two zeros of energy."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from labelled_frames import frames_of

from aiida_crucible.analysis.datasets.energy_shifts import DISTRIBUTED, NONE, PER_ELEMENT, fit_shift
from aiida_crucible.analysis.datasets.examination import examine, find_duplicates, find_outliers
from aiida_crucible.analysis.datasets.frames import joined
from aiida_crucible.analysis.datasets.settings import validate_split
from aiida_crucible.analysis.datasets.splits import blocks_of, split_frames
from aiida_crucible.analysis.datasets.units import check_units


def rattled(count, amplitude=0.1, seed=0, symbols="NaCl"):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        atoms = bulk(symbols, "rocksalt", a=5.6, cubic=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        frames.append(atoms)
    return frames


def trajectory(count, period=20.0):
    """Return frames of a slow vibration: neighbours in time are nearly the same."""
    modes = np.random.default_rng(1).normal(0, 0.2, (3, 8, 3))
    frames = []
    for index in range(count):
        atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
        for number, mode in enumerate(modes):
            atoms.positions += mode * np.sin(2 * np.pi * index / (period * (1 + 0.37 * number)) + number)
        frames.append(atoms)
    return frames


def split(frames, blocks=None, sources=("",), **settings):
    complete = validate_split(settings)
    blocks = blocks_of(frames, complete) if blocks is None else blocks
    return blocks, split_frames(frames, blocks, list(sources), complete)


def test_frames_that_resemble_each_other_are_of_one_block():
    frames = frames_of(trajectory(60))
    blocks, sides = split(frames)
    assert 3 < blocks.max() + 1 < 30
    assert (np.diff(blocks) >= 0).all()
    assert all(len(set(sides[blocks == block])) == 1 for block in np.unique(blocks))
    assert all((sides == side).any() for side in range(3))


def test_frames_without_order_are_each_a_block():
    blocks, sides = split(frames_of(rattled(30)))
    assert blocks.tolist() == list(range(30))
    assert [(sides == side).sum() for side in range(3)] == [24, 3, 3]


def test_a_block_does_not_care_how_atoms_are_wrapped_or_where_the_crystal_is():
    atoms = trajectory(12, period=200.0)
    plain = blocks_of(frames_of(atoms), validate_split({}))
    for index, each in enumerate(atoms):
        each.positions += 0.3 * index
        each.wrap()
    assert blocks_of(frames_of(atoms), validate_split({})).tolist() == plain.tolist()


def test_the_split_follows_from_the_seed():
    frames = frames_of(rattled(40))
    first, second, other = (split(frames, seed=seed)[1] for seed in (3, 3, 4))
    assert (first == second).all()
    assert (first != other).any()


def test_blocks_are_cut_where_their_length_is_given():
    blocks, _ = split(frames_of(rattled(10)), block_length=4)
    assert blocks.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_frames_of_other_files_are_of_other_blocks():
    atoms = rattled(4, amplitude=0.0)
    frames = frames_of(atoms, files=np.array([0, 0, 1, 1]), places=np.array([0, 1, 0, 1]))
    assert len(np.unique(blocks_of(frames, validate_split({"block_length": 10})))) == 2


def test_the_same_frame_is_never_on_both_sides():
    atoms = rattled(20)
    atoms += [each.copy() for each in atoms]
    frames = frames_of(atoms)
    duplicates = find_duplicates(frames)
    assert duplicates == [(index, index + 20) for index in range(20)]
    blocks = blocks_of(frames, validate_split({}), duplicates)
    sides = split_frames(frames, blocks, [""], validate_split({}))
    assert (sides[:20] == sides[20:]).all()


def test_sides_by_source_and_by_temperature():
    frames = frames_of(
        rattled(6), sources=np.array([0, 0, 1, 1, 2, 2]), temperatures=np.repeat([300.0, 450.0, 900.0], 2)
    )
    _, sides = split(frames, sources=("a", "b", "c"), split="source", validation_of=["b"], test_of=["c"])
    assert sides.tolist() == [0, 0, 1, 1, 2, 2]
    _, sides = split(frames, split="temperature", validation_of=[900.0])
    assert sides.tolist() == [0, 0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match="test_of has 'd', and no frame is of that source: choose of a, b, c"):
        split(frames, sources=("a", "b", "c"), split="source", validation_of=["b"], test_of=["d"])
    with pytest.raises(ValueError, match=r"no frame to train on \(all sources are named for other sides"):
        split(frames, sources=("a", "b", "c"), split="source", validation_of=["a", "b"], test_of=["c"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"validation": 0.0}, "leave nothing to train on, or nothing to validate with"),
        ({"validation": 0.6, "test": 0.4}, "leave nothing to train on"),
        ({"split": "source"}, "needs validation_of: give the sources"),
        ({"validation_of": ["a"]}, "set split to source or temperature"),
        ({"split": "tmeperature"}, "did you mean 'temperature'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ValueError, match=said) as caught:
        validate_split(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (rattled(1), "the dataset has 1 frame: training needs one and validation another"),
        (trajectory(3, period=1e6)[:1] * 5, "its 5 frames are 1 block of frames that resemble each other"),
    ],
)
def test_what_cannot_be_split_is_refused(atoms, said):
    frames = frames_of(atoms)
    with pytest.raises(ValueError, match=said):
        split_frames(frames, blocks_of(frames, validate_split({}), find_duplicates(frames)), [""], validate_split({}))


def test_what_stands_out_is_named():
    frames = frames_of(rattled(50))
    frames.forces[8 * 7] = 400.0
    frames.energies[3] += 5000.0
    frames.stresses[11] = 30.0
    assert [(each["frame"], each["what"]) for each in find_outliers(frames)] == [
        (3, "energy"),
        (7, "force"),
        (11, "stress"),
    ]
    assert not find_outliers(frames_of(rattled(50)))


def test_what_a_dataset_holds():
    frames = joined([frames_of(rattled(4)), frames_of(rattled(2, symbols="MgO"))])
    held = examine(frames, ["run"])
    assert held["compositions"] == {"MgO": 2, "NaCl": 4}
    assert held["elements"] == ["O", "Na", "Mg", "Cl"]
    assert held["ranges"]["volume_per_atom"] == pytest.approx([5.6**3 / 8] * 2)
    assert held["sources"] == {"run": 6}
    assert held["temperatures"] == {"300": 6}
    assert frames.taken([4, 5]).elements == ["O", "Mg"]


def mixed(counts):
    """Return frames of salt with some atoms left out, so that compositions differ."""
    atoms = rattled(len(counts))
    for each, (sodium, chlorine) in zip(atoms, counts, strict=True):
        symbols = each.get_chemical_symbols()
        gone = [i for i, s in enumerate(symbols) if s == "Na"][sodium:] + [
            i for i, s in enumerate(symbols) if s == "Cl"
        ][chlorine:]
        del each[gone]
    return frames_of(atoms)


def test_shifts_of_elements_are_found():
    frames = mixed([(4, 4), (3, 4), (4, 2), (2, 3), (4, 3)])
    zeros = np.array([-4400.0, 1234.5])  # Na, Cl
    predicted = frames.energies - frames.counts @ zeros
    found = fit_shift(frames, predicted, np.ones(5, dtype=bool), PER_ELEMENT)
    assert list(found.report["by_element"].values()) == pytest.approx(zeros.tolist(), abs=1e-8)
    assert frames.energies - found.energies == pytest.approx(predicted, abs=1e-7)
    assert found.report["after"] == pytest.approx(0.0, abs=1e-8)


def test_one_composition_determines_the_sum_alone():
    frames = frames_of(rattled(6))
    predicted = frames.energies + 4400.0 * 8
    everything = np.ones(6, dtype=bool)
    with pytest.raises(ValueError, match=r"determine 1 of the shifts of 2 elements \(Na, Cl\)") as caught:
        fit_shift(frames, predicted, everything, PER_ELEMENT)
    assert "\n" not in str(caught.value)
    found = fit_shift(frames, predicted, everything, DISTRIBUTED)
    assert found.report["by_element"] == pytest.approx({"Na": -4400.0, "Cl": -4400.0})
    assert "goes to all elements alike" in found.report["how"]
    assert frames.energies - found.energies == pytest.approx(predicted, abs=1e-7)


def test_energies_are_left_alone_only_where_they_may_be():
    frames = frames_of(rattled(6))
    everything = np.ones(6, dtype=bool)
    assert not fit_shift(frames, frames.energies + 0.8, everything, NONE).energies.any()
    with pytest.raises(ValueError, match="differ by -4400 eV/atom on average: they have different zeros"):
        fit_shift(frames, frames.energies + 4400.0 * 8, everything, NONE)


def test_validation_and_test_do_not_decide_the_shift():
    frames = frames_of(rattled(6))
    predicted = frames.energies + 8.0
    predicted[4:] += 1e6
    chosen = np.array([True] * 4 + [False] * 2)
    assert fit_shift(frames, predicted, chosen, DISTRIBUTED).report["by_element"]["Na"] == pytest.approx(-1.0)


UNITS = {
    "forces in kcal": ("forces", units.mol / units.kcal, "the force labels seem to be in kcal/mol/Å"),
    "gradients": ("forces", -1.0, "the force labels seem to be gradients"),
    "stress in GPa": ("stresses", 1 / units.GPa, "the stress labels seem to be in GPa"),
    "stress of the other sign": ("stresses", -1.0, "the stress labels seem to be of the other sign"),
    "VASP's stress": ("stresses", -10 / units.GPa, "the stress labels seem to be in kbar of the other sign"),
    "Hartree": ("energies", 1 / units.Hartree, "the energy labels seem to be in Hartree"),
}


@pytest.mark.parametrize("name", UNITS)
def test_labels_in_another_unit_are_refused(name):
    column, factor, said = UNITS[name]
    frames = frames_of(rattled(20))
    noise = np.random.default_rng(5)
    predicted = {
        each: getattr(frames, each)
        + 0.1 * np.abs(getattr(frames, each)).mean() * noise.normal(size=getattr(frames, each).shape)
        for each in ("energies", "forces", "stresses")
    }
    check_units(frames, predicted, "chgnet 0.3.0")
    wrong = frames_of(rattled(20), **{column: factor * getattr(frames, column)})
    with pytest.raises(ValueError, match=said) as caught:
        check_units(wrong, predicted, "chgnet 0.3.0")
    assert "against the answers of chgnet 0.3.0" in str(caught.value)


def test_a_flipped_stress_is_seen_behind_a_pressure_between_levels_of_theory():
    frames = frames_of(rattled(30))
    predicted = {name: getattr(frames, name) for name in ("energies", "forces", "stresses")}
    pressure = np.array([0.03, 0.03, 0.03, 0, 0, 0])
    check_units(frames_of(rattled(30), stresses=frames.stresses + pressure), predicted, "a model")
    with pytest.raises(ValueError, match="of the other sign"):
        check_units(frames_of(rattled(30), stresses=-(frames.stresses + pressure)), predicted, "a model")
