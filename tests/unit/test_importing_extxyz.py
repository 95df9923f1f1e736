"""What of a trajectory's file is left out is said, and what cannot be read is said of its frame and line."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from aiida_crucible.references.settings import validate_trajectory
from aiida_crucible.references.trajectories.trajectory import read_trajectory

HEAD = '2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 {} pbc="T T T"\n'
ATOMS = "Na 0 0 0 0 0 0.1\nCl 2.5 0 0 0 0 -0.1\n"
FRAME = HEAD.format("energy=-1.5") + ATOMS


def imported(folder, content, **settings):
    (folder / "md.extxyz").write_text(content)
    return read_trajectory(folder / "md.extxyz", validate_trajectory(settings))


def test_energies_that_some_frames_lack_are_said_to_be_left_out(tmp_path):
    found = imported(tmp_path, FRAME + FRAME + HEAD.format("") + ATOMS + FRAME)
    assert found.energies is None
    (warning,) = found.warnings
    assert warning.startswith("1 of 4 frames of md.extxyz have no energy 'energy', the first of them the 3rd")


def test_an_energy_that_no_frame_has_is_refused_with_what_was_meant(tmp_path):
    content = (HEAD.format("REF_energy=-5.0 step=3") + ATOMS) * 2
    with pytest.raises(ValueError, match=r"no frame of md\.extxyz has an energy 'RFE_energy': did you mean 'REF"):
        imported(tmp_path, content, energy_key="RFE_energy")
    assert imported(tmp_path, content, energy_key="REF_energy").energies.tolist() == [-5.0, -5.0]
    with pytest.raises(ValueError, match=r"no frame of md\.extxyz has an energy 'E0': its frames have none"):
        imported(tmp_path, (HEAD.format("") + ATOMS) * 2, energy_key="E0")


def test_energies_of_another_name_are_told_of(tmp_path):
    (warning,) = imported(tmp_path, (HEAD.format("REF_energy=-5.0") + ATOMS) * 2).warnings
    assert warning == "no frame of md.extxyz has an energy 'energy', but 'REF_energy': give energy_key to have it"
    assert imported(tmp_path, (HEAD.format("") + ATOMS) * 2).warnings == []


def test_energies_of_unknown_units_are_said_to_be_left_out(tmp_path):
    found = imported(tmp_path, FRAME * 2, force_unit="Ry/bohr")
    assert found.energies is None
    assert found.warnings == [
        "the energies in md.extxyz are left out: their unit is not known where forces are in Ry/bohr"
    ]


def test_forces_of_another_name_are_named(tmp_path):
    content = FRAME.replace("forces:R", "dft_forces:R") * 2
    with pytest.raises(ValueError, match="has no forces 'forces'; it has dft_forces: if an extxyz"):
        imported(tmp_path, content)
    with pytest.raises(ValueError, match="has no forces 'DFT_forces'; it has dft_forces: leave forces_key out"):
        imported(tmp_path, content, forces="optional", forces_key="DFT_forces")
    assert imported(tmp_path, content, forces="optional").forces is None


@pytest.mark.parametrize("key", ["forces_key", "energy_key"])
def test_names_are_of_extxyz_alone(tmp_path, key):
    write(tmp_path / "md.traj", bulk("Cu"))
    with pytest.raises(ValueError, match=rf"md\.traj is read as traj, which has no names .* leave {key} out"):
        read_trajectory(tmp_path / "md.traj", validate_trajectory({key: "REF", "forces": "optional"}))


def test_what_else_the_frames_carry_is_said_once(tmp_path):
    frames = []
    for index in range(3):
        atoms = bulk("NaCl", "rocksalt", a=5.6)
        atoms.set_initial_magnetic_moments([1.0, 0.0])
        atoms.set_masses([22.0, None])
        results = {"energy": float(index), "forces": np.zeros((2, 3)), "stress": np.zeros(6)}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(tmp_path / "md.traj", frames)
    (warning,) = read_trajectory(tmp_path / "md.traj", validate_trajectory({})).warnings
    assert warning == (
        "the frames of md.traj carry initial_magmoms, masses of isotopes, stress as well, which are left out"
    )


def test_frames_with_partly_occupied_sites_are_refused(tmp_path):
    content = FRAME.replace("forces:R:3", "forces:R:3:occupancy:R:1").replace("0.1\n", "0.1 0.5\n")
    with pytest.raises(ValueError, match=r"md\.extxyz cannot be read: a site of Na is occupied to 0\.5"):
        imported(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FRAME.replace("Na", "Na1"), "frame 0: species 'Na1' on line 3 is no chemical element: write Na"),
        (FRAME + FRAME.replace("Na", "D"), "frame 1: species 'D' on line 7 is no chemical element: write H, masses"),
        (FRAME.replace("Na", "Q"), "frame 0: species 'Q' on line 3 is no chemical element"),
        (FRAME.replace("species:S:1:pos:R:3", "pos:R:3:species:S:1").replace("Na 0 0 0", "0 0 0 Na_p"),
         "frame 0: species 'Na_p' on line 3 is no chemical element: write Na"),
        (FRAME + ATOMS, "frame 1: line 5 is 'Na 0 0 0 0 0 0.1', where a frame begins with its number of atoms"),
        (FRAME * 2 + FRAME.replace("-0.1", "*****"), "frame 2: line 12 has '*****' for a number, which was too wide"),
        (FRAME + HEAD.format("") + "Na 0 0 0 0 0 0\n", "frame 1: the file ends after 1 of its 2 atoms"),
        (FRAME + "2\n", "frame 1: the file ends after 0 of its 2 atoms"),
        (FRAME + FRAME.replace('5"', ""), "frame 1: "),
    ],
)  # fmt: skip
def test_a_broken_frame_is_the_one_that_is_named(tmp_path, content, message):
    with pytest.raises(ValueError) as caught:
        imported(tmp_path, content)
    assert str(caught.value).startswith(f"md.extxyz cannot be read at {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_broken_frame_that_is_passed_over_is_the_one_that_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"md\.extxyz cannot be read at frame 1: line 5 is"):
        imported(tmp_path, FRAME + ATOMS + FRAME, stride=2)


def test_compressed_frames_and_empty_lines_are_read(tmp_path):
    path = tmp_path / "md.extxyz.gz"
    with gzip.open(path, "wt") as stream:
        stream.write(f"{FRAME}\n{FRAME}\n\n")
    found = read_trajectory(path, validate_trajectory({}))
    assert found.energies.tolist() == [-1.5, -1.5]
    assert found.positions.shape == (2, 2, 3)
