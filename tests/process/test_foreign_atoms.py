"""Atoms from elsewhere: partially occupied sites are refused, and what is not represented is said."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from aiida.orm import CifData, StructureData
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.data import atomic_masses
from ase.io import read

from aiida_crucible.calculations.validation import check_structures
from aiida_crucible.cli.reference import _find_structure
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms, to_atoms, with_geometry
from aiida_crucible.references.phonopy.atom_order import read_structure
from aiida_crucible.workflows.anharmonicity.calcfunctions import drawn_frames

HEAD = """data_x
_cell_length_a 4.1
_cell_length_b 4.1
_cell_length_c 4.1
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
DISORDERED = {
    "vacancies": "Ni1 Ni 0 0 0 0.8\nTi1 Ti 0.5 0.5 0.5 1.0\n",
    "an alloy": "Au1 Au 0 0 0 0.5\nCu1 Cu 0 0 0 0.5\nTi1 Ti 0.5 0.5 0.5 1\n",
    "one element twice": "Fe1 Fe2+ 0 0 0 0.5\nFe2 Fe3+ 0 0 0 0.5\nO1 O 0.5 0.5 0.5 1\n",
    "a split site": "Ni1 Ni 0 0 0.02 0.5\nNi2 Ni 0 0 0.98 0.5\nTi1 Ti 0.5 0.5 0.5 1\n",
    "thirds": "Ni1 Ni 0 0 0 0.3333\nPd1 Pd 0 0 0 0.3333\nPt1 Pt 0 0 0 0.3334\nTi1 Ti 0.5 0.5 0.5 1\n",
}


def cif(sites, occupancy=True):
    return HEAD + ("_atom_site_occupancy\n" if occupancy else "") + sites


@pytest.mark.parametrize("sites", DISORDERED.values(), ids=list(DISORDERED))
def test_atoms_of_a_disordered_cif_are_refused(sites):
    atoms = read(io.StringIO(cif(sites)), format="cif")
    with pytest.raises(ValueError, match=r"^a site is partially occupied \(alloyed or vacant\): .* ordered supercell"):
        from_atoms(atoms * (2, 1, 1))


def test_a_disordered_cif_is_refused_where_files_are_read(tmp_path):
    file = tmp_path / "nickel.cif"
    file.write_text(cif(DISORDERED["vacancies"]))
    for reader in (read_structure, lambda path: _find_structure(str(path))):
        with pytest.raises(ValueError, match=r"nickel.cif: a site is partially occupied .*: Ni 0.8"):
            reader(file)


def test_occupancies_in_the_tags_alone_are_seen():
    atoms = read(io.StringIO(cif(DISORDERED["vacancies"])), format="cif", store_tags=True, fractional_occupancies=False)
    assert "occupancy" not in atoms.info
    with pytest.raises(ValueError, match="_atom_site_occupancy says that sites are partially occupied"):
        from_atoms(atoms)


@pytest.mark.parametrize("occupancy", ["1", "1.0", "1.000(2)", "?", "."])
def test_whole_atoms_of_a_cif_are_taken(occupancy):
    atoms = read(io.StringIO(cif(f"Ni1 Ni 0 0 0 {occupancy}\nTi1 Ti 0.5 0.5 0.5 1\n")), format="cif")
    assert from_atoms(atoms).get_formula() == "NiTi"


def test_an_ordered_supercell_is_taken_once_its_disordered_kind_is_gone():
    atoms = read(io.StringIO(cif(DISORDERED["vacancies"])), format="cif")
    assert from_atoms(atoms[[1]]).get_formula() == "Ti"
    del atoms.info["occupancy"]
    assert from_atoms(atoms).get_formula() == "NiTi"


def test_occupancies_of_each_atom_are_seen():
    atoms = bulk("Cu", cubic=True)
    atoms.set_array("occupancy", np.array([1.0, 1.0, 0.7, 1.0]))
    with pytest.raises(ValueError, match=r"a site of Cu is occupied to 0.7"):
        from_atoms(atoms)


def test_a_structure_made_from_a_disordered_cif_is_refused():
    """AiiDA's own conversion forgets the occupancies, but its provenance does not."""
    node = CifData(file=io.BytesIO(cif(DISORDERED["vacancies"]).encode()), parse_policy="lazy").store()
    structure = node.get_structure(converter="ase", store=True)
    assert to_atoms(structure).get_chemical_formula() == "NiTi"
    with pytest.raises(ValueError, match=rf"'cell': it was made from CifData<{node.pk}>: a site is partially"):
        check_structures({"cell": structure})


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("moments", lambda atoms: atoms.set_initial_magnetic_moments([2.2] * 2), r"magnetic moments \(up to 2.2 μ_B\)"),
        ("charges", lambda atoms: atoms.set_initial_charges([1, -1]), r"charges \(up to 1 e\)"),
        ("tags", lambda atoms: atoms.set_tags([0, 3]), "tags"),
        ("velocities", lambda atoms: atoms.set_velocities(np.ones((2, 3))), "velocities"),
        ("constraints", lambda atoms: atoms.set_constraint(FixAtoms([0])), "constraints"),
    ],
)
def test_what_is_not_represented_is_said(name, change, said):
    atoms = bulk("Cu", cubic=True)[:2]
    change(atoms)
    with pytest.warns(UserWarning, match=f"Cu2 carries {said}.*not represented"):
        from_atoms(atoms)


def test_moments_of_zero_are_not_worth_a_word():
    atoms = bulk("Cu")
    atoms.set_initial_magnetic_moments([0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_atoms(atoms)


def test_masses_survive_both_ways():
    atoms = bulk("Li", cubic=True) * (2, 1, 1)
    atoms.set_masses([6.015, None, 7.016, None])
    structure = from_atoms(atoms)
    assert sorted(kind.mass for kind in structure.kinds) == [6.015, 6.941, 7.016]
    expected = [6.015, atomic_masses[3], 7.016, atomic_masses[3]]
    assert to_atoms(structure).get_masses().tolist() == expected
    moved = with_geometry(structure, atoms.cell.array, atoms.positions + 0.1)
    assert to_atoms(moved).get_masses().tolist() == expected


@pytest.mark.parametrize("source", ["AiiDA", "ASE"])
def test_standard_masses_are_those_of_ase_whoever_made_the_node(source):
    """AiiDA's table has 6.941 for lithium, ASE's 6.94."""
    if source == "ASE":
        structure = StructureData(ase=bulk("Li"))
    else:
        structure = StructureData(cell=np.eye(3) * 3)
        structure.append_atom(symbols="Li", position=(0, 0, 0))
    assert to_atoms(structure).get_masses().tolist() == [atomic_masses[3]]


def test_a_kind_with_a_name_keeps_its_mass():
    structure = StructureData(cell=np.eye(3) * 4)
    structure.append_atom(symbols="H", position=(0, 0, 0), name="D", mass=2.014)
    structure.append_atom(symbols="H", position=(2, 2, 2), name="H")
    assert to_atoms(structure).get_masses().tolist() == [2.014, atomic_masses[1]]


def test_frames_that_runs_begin_from_have_the_masses_of_the_structure():
    """A trajectory has none."""
    unit = bulk("NaCl", "rocksalt", a=5.6)
    unit.set_masses([22.0, None])
    supercell = (bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 1, 1))[::-1]
    trajectory = atoms_to_trajectory([supercell, supercell])
    (drawn,) = drawn_frames(trajectory, {"n_runs": 1, "seed": 0}, unit)
    expected = [22.0 if symbol == "Na" else atomic_masses[17] for symbol in supercell.symbols]
    assert to_atoms(drawn).get_masses().tolist() == expected
    (natural,) = drawn_frames(trajectory, {"n_runs": 1, "seed": 0}, bulk("NaCl", "rocksalt", a=5.6))
    assert not to_atoms(natural).has("masses")
