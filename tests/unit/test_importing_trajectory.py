"""Trajectories from files: frame by frame, checked, in one order; what does not fit names its frame."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from aiida_crucible.references.settings import validate_trajectory
from aiida_crucible.references.trajectories.trajectory import read_trajectory

UNIT = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
SUPERCELL = UNIT * (2, 1, 1)


def frame(seed, atoms=SUPERCELL, *, forces=True, scale=1.0):
    generator = np.random.default_rng(seed)
    moved = atoms.copy()
    moved.positions += 0.1 * generator.normal(size=moved.positions.shape)
    values = generator.normal(size=moved.positions.shape) * scale
    said = {"energy": -float(seed), "forces": values - values.mean(axis=0)} if forces else {"energy": -float(seed)}
    moved.calc = SinglePointCalculator(moved, **said)
    return moved


def reordered(atoms, order):
    """Return a frame with its atoms and forces in another order; ASE itself would leave the forces out."""
    other = atoms[order]
    other.calc = SinglePointCalculator(other, energy=atoms.get_potential_energy(), forces=atoms.get_forces()[order])
    return other


def given(**settings):
    return validate_trajectory(settings)


@pytest.fixture
def frames():
    return [frame(seed) for seed in range(7)]


@pytest.fixture(params=["md.extxyz", "md.traj", "vasprun.xml", "vasprun.xml.gz"])
def file(request, tmp_path, frames):
    path = tmp_path / request.param
    if "vasprun" in request.param:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "wt") as stream:
            stream.write(vasprun(frames))
    else:
        write(path, frames)
    return path


def rows(name, values):
    lines = "".join("<v>" + " ".join(f"{value:.10f}" for value in row) + "</v>" for row in values)
    return f'<varray name="{name}">{lines}</varray>'


def vasprun(frames, entropy=0.25):
    """Write what VASP writes, as far as it matters; its own `e_0_energy` of a step is not the one meant."""
    atoms = "".join(f"<rc><c>{symbol:2s}</c><c>1</c></rc>" for symbol in frames[0].get_chemical_symbols())
    steps = []
    for one in frames:
        free = one.get_potential_energy() + entropy
        scaled = one.get_scaled_positions(wrap=False)
        steps.append(
            f'<calculation><scstep><energy><i name="e_fr_energy">{free - 7}</i>'
            f'<i name="e_0_energy">{free - 7 - entropy}</i></energy></scstep>'
            f"<structure><crystal>{rows('basis', one.cell.array)}</crystal>{rows('positions', scaled)}</structure>"
            f"{rows('forces', one.get_forces())}{rows('stress', np.eye(3))}"
            f'<energy><i name="e_fr_energy">{free}</i><i name="e_0_energy">{entropy}</i></energy></calculation>'
        )
    first = frames[0]
    geometry = f"<crystal>{rows('basis', first.cell.array)}</crystal>{rows('positions', first.get_scaled_positions())}"
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><modeling><atominfo><atoms>16</atoms><array name="atoms">'
        f"<set>{atoms}</set></array></atominfo><kpoints>{rows('kpointlist', np.zeros((1, 3)))}"
        f'{rows("weights", np.ones((1, 1)))}</kpoints><structure name="initialpos">{geometry}</structure>'
        f"{''.join(steps)}</modeling>"
    )


def test_frames_are_read_as_they_are(file, frames):
    found = read_trajectory(file, given())
    assert found.symbols == SUPERCELL.get_chemical_symbols()
    assert found.frames.tolist() == list(range(7))
    np.testing.assert_allclose(found.positions, [one.positions for one in frames], atol=1e-7)
    np.testing.assert_allclose(found.forces, [one.get_forces() for one in frames], atol=1e-7)
    np.testing.assert_allclose(found.energies, [one.get_potential_energy() for one in frames], atol=1e-9)
    np.testing.assert_allclose(found.cells, [SUPERCELL.cell.array] * 7, atol=1e-9)
    assert found.warnings == []


def test_stride_start_and_stop(file, frames):
    found = read_trajectory(file, given(start=1, stop=6, stride=2))
    assert found.frames.tolist() == [1, 3, 5]
    np.testing.assert_allclose(found.positions[1], frames[3].positions, atol=1e-7)


def test_vasprun_is_read_as_ase_reads_it(tmp_path, frames):
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun(frames))
    by_ase = read(path, index=":")
    found = read_trajectory(path, given())
    np.testing.assert_allclose(found.energies, [one.get_potential_energy() for one in by_ase], atol=1e-9)
    np.testing.assert_allclose(found.forces, [one.get_forces() for one in by_ase], atol=1e-12)


def test_atoms_are_put_into_the_order_of_the_supercell(tmp_path, frames):
    order = np.random.default_rng(3).permutation(len(SUPERCELL))
    shuffled = [frame(seed) for seed in range(3)]
    write(tmp_path / "md.extxyz", [reordered(one, order) for one in shuffled])
    found = read_trajectory(tmp_path / "md.extxyz", given(), SUPERCELL)
    assert found.symbols == SUPERCELL.get_chemical_symbols()
    np.testing.assert_allclose(found.positions, [one.positions for one in shuffled], atol=1e-7)
    np.testing.assert_allclose(found.forces, [one.get_forces() for one in shuffled], atol=1e-7)
    assert found.values["permuted"] is True
    assert "put into the order of the structure" in found.warnings[0]


def test_order_that_fits_is_left_alone(tmp_path, frames):
    write(tmp_path / "md.extxyz", frames)
    found = read_trajectory(tmp_path / "md.extxyz", given(), SUPERCELL)
    assert found.values["permuted"] is False
    assert found.supercell is SUPERCELL


def test_unit_cell_gives_the_sites_in_the_order_of_the_frames(tmp_path):
    order = np.random.default_rng(4).permutation(len(SUPERCELL))
    one = reordered(frame(0), order)
    write(tmp_path / "md.extxyz", one)
    found = read_trajectory(tmp_path / "md.extxyz", given(), UNIT)
    assert found.symbols == one.get_chemical_symbols()
    differences = found.supercell.get_scaled_positions() - SUPERCELL[order].get_scaled_positions()
    assert np.abs(differences - np.rint(differences)).max() < 1e-9


def test_units_are_converted(tmp_path, frames):
    plain = [frame(seed) for seed in range(2)]
    scaled = []
    for one in plain:
        other = one.copy()
        other.set_cell(one.cell.array / units.Bohr, scale_atoms=True)
        forces = one.get_forces() / (units.Hartree / units.Bohr)
        other.calc = SinglePointCalculator(other, energy=0.0, forces=forces)
        scaled.append(other)
    write(tmp_path / "md.extxyz", scaled)
    found = read_trajectory(tmp_path / "md.extxyz", given(length_unit="bohr", force_unit="Hartree/bohr"), SUPERCELL)
    np.testing.assert_allclose(found.positions, [one.positions for one in plain], atol=1e-6)
    np.testing.assert_allclose(found.forces, [one.get_forces() for one in plain], atol=1e-6)


def test_forces_and_energies_of_other_names(tmp_path):
    one = frame(0)
    plain = one.copy()
    plain.arrays["dft_forces"] = one.get_forces()
    plain.info["dft_energy"] = -3.5
    write(tmp_path / "md.extxyz", plain)
    found = read_trajectory(tmp_path / "md.extxyz", given(forces_key="dft_forces", energy_key="dft_energy"))
    np.testing.assert_allclose(found.forces[0], one.get_forces(), atol=1e-7)
    assert found.energies.tolist() == [-3.5]


def test_drift_of_forces_is_warned_of_with_its_size(tmp_path, frames):
    forces = frames[2].get_forces() + np.array([0.0, 0.01, 0.0])
    frames[2].calc = SinglePointCalculator(frames[2], energy=0.0, forces=forces)
    write(tmp_path / "md.traj", frames)
    found = read_trajectory(tmp_path / "md.traj", given())
    assert found.values["largest_force_drift"] == pytest.approx(0.16)
    assert found.values["drift_frame"] == 2
    assert "the forces of frame 2 of md.traj add up to 0.16 eV/Å" in found.warnings[0]


def test_forces_may_be_missing_where_that_is_said(tmp_path):
    write(tmp_path / "md.extxyz", [frame(seed, forces=False) for seed in range(2)])
    assert read_trajectory(tmp_path / "md.extxyz", given(forces="optional")).forces is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["md.extxyz", "vasprun.xml"])
def test_memory_is_bounded_by_what_is_kept(tmp_path, name):
    """Of 400 frames two are kept; all of them would take some 20 MB as Python objects."""
    large = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (3, 3, 3)
    frames = [frame(seed, large) for seed in range(4)] * 100
    path = tmp_path / name
    if name == "vasprun.xml":
        path.write_text(vasprun(frames))
    else:
        write(path, frames)
    tracemalloc.start()
    found = read_trajectory(path, given(stride=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.values["n_frames"] == 2
    assert peak < 4_000_000


def bohr(seed=0):
    one = frame(seed)
    one.set_cell(one.cell.array / units.Bohr, scale_atoms=True)
    return one


def deformed(*factors):
    """Return a frame with forces whose cell vectors are so many times as long."""
    one = frame(2)
    results = one.calc.results
    one.set_cell(np.diag(factors) @ one.cell.array)
    one.calc = SinglePointCalculator(one, **results)
    return one


def swapped(seed=3):
    one = frame(seed)
    order = np.arange(len(one))
    order[[0, 1]] = [1, 0]
    return reordered(one, order)


def broken(seed=3):
    one = frame(seed)
    one.calc.results["forces"][4, 1] = np.nan
    return one


def magnesium(seed=3):
    one = frame(seed)
    one.symbols[0] = "Mg"
    return one


STEPS = [frame(0), frame(1)]


@pytest.mark.parametrize(
    ("made", "structure", "settings", "message"),
    [
        ([*STEPS, frame(2, forces=False)], None, {}, "frame 2 of md.traj has no forces"),
        ([frame(0, forces=False), frame(1)], None, {"forces": "optional"}, "frame 1 of md.traj has forces, but frame"),
        ([*STEPS, broken()], None, {}, "frame 2 of md.traj has forces that are no finite numbers"),
        ([*STEPS, magnesium()], None, {}, "frame 2 of md.traj is of Cl8MgNa7, frame 0 of Cl8Na8"),
        ([*STEPS, frame(2, UNIT)], None, {}, "frame 2 of md.traj is of Cl4Na4, frame 0 of Cl8Na8"),
        ([*STEPS, swapped()], None, {}, "has its atoms in another order: atom 0 is Cl, in frame 0 Na"),
        (STEPS, UNIT * (3, 1, 1), {}, "frame 0 of md.traj does not fit the structure"),
        (STEPS, bulk("KCl", "rocksalt", a=5.6, cubic=True), {}, "it is of Cl8Na8, the structure of Cl4K4"),
        ([bohr()], SUPERCELL, {}, "are they in Bohr?"),
        ([*STEPS, deformed(1, 1.9, 1)], None, {}, "frame 2 of md.traj has a cell that is deformed by 0.9 against"),
        ([*STEPS, deformed(1, 1, 0)], SUPERCELL, {}, "frame 2 of md.traj is periodic along other axes, or has fewer"),
        (STEPS, None, {"start": 5}, "md.traj has no frame from 5 on"),
        (STEPS, None, {"start": 5, "stop": 3}, "frames 5 to 3 are none"),
        (STEPS, None, {"stride": 0}, "'stride' of an import of a trajectory is 0: it must be at least 1"),
        (STEPS, None, {"force_unit": "eV/Angstrom"}, "did you mean 'eV/angstrom'?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(tmp_path, made, structure, settings, message):
    write(tmp_path / "md.traj", made)
    with pytest.raises(ValueError) as caught:
        read_trajectory(tmp_path / "md.traj", given(**settings), structure)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("md.extxyz", lambda text: text[: len(text) * 4 // 5], "md.extxyz cannot be read at frame"),
        ("vasprun.xml", lambda _: vasprun(STEPS * 2)[:-2000], "it breaks off behind 3 complete steps: stop at 3"),
        ("vasprun.xml", lambda _: "", "vasprun.xml cannot be read at frame 0"),
        ("md.traj", lambda _: "nonsense", "md.traj cannot be read at frame 0"),
        ("md.dat", lambda text: text, "md.dat is no trajectory by its name"),
    ],
)
def test_damaged_file_is_one_line(tmp_path, name, content, message):
    write(tmp_path / "whole.extxyz", STEPS)
    (tmp_path / name).write_text(content((tmp_path / "whole.extxyz").read_text()))
    with pytest.raises(ValueError) as caught:
        read_trajectory(tmp_path / name, given())
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_whole_of_a_broken_file_is_imported_where_that_is_said(tmp_path):
    (tmp_path / "vasprun.xml").write_text(vasprun(STEPS * 2)[:-2000])
    assert read_trajectory(tmp_path / "vasprun.xml", given(stop=3)).values["n_frames"] == 3
