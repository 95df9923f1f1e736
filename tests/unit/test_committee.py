"""A committee: how its files are packed, what it says, and what its spread hides in phonons."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from numpy.testing import assert_allclose
from scipy.stats import t

from aiida_crucible.analysis.phonons.committee import MemberPhonons, member_phonons
from aiida_crucible.analysis.phonons.phonon_analysis import analyse, prepare
from aiida_crucible.analysis.phonons.settings import validate_settings
from aiida_crucible.analysis.phonons.stability import Modes, judge_stability
from aiida_crucible.analysis.statistics.members import interval_factor
from crucible_engine.families.base import Identity
from crucible_engine.families.calculators import CalculatorModel
from crucible_engine.families.committee import Committee, load
from crucible_engine.families.packed import is_packed, members_of_committee, pack_committee
from crucible_engine.wire.schema import Condition, EngineError

IDENTITY = Identity("emt", "", "float64", "cpu")
SETTINGS = validate_settings({"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4], "band_points": 5})


class Scaled(EMT):
    """EMT whose energy, forces and stress are larger by a factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def calculate(self, *arguments, **keywords):
        super().calculate(*arguments, **keywords)
        for name in ("energy", "free_energy", "forces", "stress"):
            if name in self.results:
                self.results[name] = self.results[name] * self.factor


def committee(*factors, elements=frozenset({29})):
    return Committee([CalculatorModel(Scaled(factor), IDENTITY, elements) for factor in factors], IDENTITY)


@pytest.fixture
def members(tmp_path):
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(f"weights {number}")
    return paths


def test_the_mean_and_what_each_member_says():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    (alone,) = CalculatorModel(EMT(), IDENTITY).evaluate_batch([atoms])
    (found,) = committee(0.9, 1.0, 1.4).evaluate_batch([atoms])
    assert_allclose(found.energy, 1.1 * alone.energy)
    assert_allclose(found.forces, 1.1 * alone.forces)
    assert_allclose(found.ensemble.energies, np.array([0.9, 1.0, 1.4]) * alone.energy)
    assert_allclose(found.ensemble.forces[2], 1.4 * alone.forces)
    assert_allclose(found.ensemble.stresses[0], 0.9 * alone.stress)


def test_members_know_the_same_elements():
    one, other = (CalculatorModel(EMT(), IDENTITY, frozenset(numbers)) for numbers in ({29, 79}, {29}))
    with pytest.raises(EngineError, match=r"members 1 and 2 do not know the same elements \(Au only in one") as raised:
        Committee([one, other], IDENTITY)
    assert raised.value.condition is Condition.CHECKPOINT_UNREADABLE


def test_packed_files_are_the_same_bytes_and_come_back(members, tmp_path):
    packed, again = tmp_path / "one.zip", tmp_path / "two.zip"
    pack_committee(members, "emt", packed)
    pack_committee(members, "emt", again)
    assert packed.read_bytes() == again.read_bytes()
    assert is_packed(packed) and not is_packed(members[0])
    assert len(members_of_committee(packed)) == 3
    read = []

    def reader(path):
        read.append(path.read_text())
        return CalculatorModel(EMT(), IDENTITY, frozenset({29}))

    assert load(packed, IDENTITY, reader).n_members == 3
    assert read == ["weights 0", "weights 1", "weights 2"]


def test_one_file_or_the_same_file_twice_is_no_committee(members, tmp_path):
    with pytest.raises(ValueError, match="a committee needs 2 members or more"):
        pack_committee(members[:1], "emt", tmp_path / "packed.zip")
    with pytest.raises(ValueError, match=r"1\.txt has the same content as .*0\.txt: a committee of the same model"):
        members[1].write_text(members[0].read_text())
        pack_committee(members, "emt", tmp_path / "packed.zip")


@pytest.mark.parametrize("damage", ["truncated", "changed", "of another family", "compressed"])
def test_a_damaged_committee_is_refused_in_one_line(members, tmp_path, damage):
    packed = tmp_path / "packed.zip"
    pack_committee(members, "mace" if damage == "of another family" else "emt", packed)
    content = packed.read_bytes()
    if damage == "truncated":
        packed.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        packed.write_bytes(content.replace(b"weights 1", b"weights 7"))
    elif damage == "compressed":
        with zipfile.ZipFile(packed) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
    with pytest.raises(EngineError) as raised:
        load(packed, IDENTITY, lambda path: CalculatorModel(EMT(), IDENTITY))
    assert raised.value.condition in {Condition.CHECKPOINT_UNREADABLE, Condition.CHECKPOINT_OF_ANOTHER_FAMILY}
    assert "\n" not in raised.value.message


def test_few_members_need_a_wide_interval():
    # Two-sided 95.45 % of a normal distribution: t with 2 degrees of freedom is 4.527, times √(4/3).
    assert_allclose(interval_factor(3, 2.0), 4.5266 * np.sqrt(4 / 3), rtol=1e-3)
    assert_allclose(interval_factor(10**6, 2.0), 2.0, rtol=1e-3)


def test_the_interval_covers_as_often_as_it_says():
    """The next draw lies within it 95.45 times in a hundred, however few the members are."""
    random = np.random.default_rng(7)
    draws = random.normal(3.0, 2.0, (40000, 5))
    low_high = interval_factor(4, 2.0) * draws[:, :4].std(axis=1, ddof=1)
    share = np.mean(np.abs(draws[:, 4] - draws[:, :4].mean(axis=1)) < low_high)
    assert abs(share - (1 - 2 * t.sf(2.0, 10**6))) < 0.005


def test_members_of_scaled_forces_have_scaled_squares():
    """Frequencies go with the root of the forces' factor; what a narrow spread leaves known, a wide one hides."""
    atoms = bulk("Cu")
    _, plan = prepare(atoms, SETTINGS)
    forces = _forces(plan)
    factors = np.array([0.98, 1.0, 1.02])
    ensemble = forces[:, None] * factors[None, :, None, None]
    analysis = analyse(atoms, SETTINGS, forces, ensemble=ensemble)
    alone = analyse(atoms, SETTINGS, forces)
    expected = alone.bands.frequencies[..., None] * np.sqrt(factors)
    clear = alone.bands.frequencies > 0.5
    assert_allclose(analysis.bands.spread[clear], expected[clear].std(axis=-1, ddof=1), rtol=1e-6)
    assert analysis.summary["outcome"] == "stable"
    assert analysis.summary["committee"]["n_members"] == 3
    assert alone.bands.spread is None and "committee" not in alone.summary


def test_members_that_contradict_each_other_cannot_tell():
    atoms = bulk("Cu")
    _, plan = prepare(atoms, SETTINGS)
    forces = _forces(plan)
    ensemble = forces[:, None] * np.array([1.9, 1.9, -0.8])[None, :, None, None]
    analysis = analyse(atoms, SETTINGS, forces, ensemble=ensemble)
    assert analysis.summary["outcome"] == "cannot-tell"
    assert "the committee's spread hides" in analysis.summary["verdict"]["reason"]


def test_a_translation_is_not_widened():
    squares = np.array([[0.0, 4.0]])
    modes = Modes(np.zeros((1, 3)), squares, np.zeros((1, 2)), np.array([[True, False]]), np.zeros((1, 2), dtype=bool))
    wide = MemberPhonons(np.array([[[0.0, 1.9]], [[0.1, 2.1]]])).widen(modes, 2.0)
    assert wide.resolvable[0, 0] == 0.0 and wide.resolvable[0, 1] > 1.0
    assert judge_stability(wide).verdict.value == "cannot-tell"


def test_no_member_changes_the_phonons_of_the_mean():
    atoms = bulk("Cu")
    phonon, plan = prepare(atoms, SETTINGS)
    forces = _forces(plan)
    found = member_phonons(phonon, plan, np.stack([forces, forces], axis=1), np.array([[0.5, 0.5, 0.0]]))
    assert phonon.force_constants is None
    assert_allclose(found.spread, 0.0, atol=1e-10)


def _forces(plan):
    forces = []
    for atoms in plan.structures():
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    return np.array(forces)
