"""The border of imports: files of other programs, cut, changed and hostile, and settings that make no sense."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from golden_references import solved
from mutations import PLAIN_JUNK, copied, mutated, mutated_bytes, mutated_text
from phonopy.file_IO import write_FORCE_CONSTANTS, write_force_constants_to_hdf5, write_FORCE_SETS

from aiida_crucible.analysis.phonons.force_constants import to_atoms
from aiida_crucible.references.from_files import import_phonons, import_trajectory, import_values

VALUES = """\
lattice: {a: 3.905, c: 4.15, c_over_a: 1.063}
energy_differences: {cubic: 0.056}
transition_temperature: 763.0
source: an experiment
"""
YAML_TRICKS = (
    "!!python/object/apply:os.getcwd []", "&a [*a]", "{" * 3000, "[" * 3000, "a: &a [x, x]\nb: [*a, *a]", "\t- x: y",
    "lattice: !!binary xx==", "? [a, b]\n: c", "lattice: 2001-01-01", "a: 1\n---\nb: 2", "%YAML 9.9\n---\n",
    "x" * 70000, "lattice: {a: .nan}", "lattice: {a: 1e999}", "lattice: {1: 2}", "source: [1, 2]",
    "lattice: {a: 0x}", "<<: 5",
)  # fmt: skip
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % ((98 + i, *[97 + i] * 8)) for i in range(9)
) + b"]>"  # fmt: skip
"""Nine levels of entities, of which a reader that believes them makes a billion letters."""

Import = tuple[Callable[..., Any], str, dict[str, str], dict[str, Any]]
"""The function, its file, further files by argument, and settings."""

IMPORTS: tuple[Import, ...] = (
    (import_phonons, "phonopy_params.yaml", {}, {"theory": "PBE"}),
    (import_phonons, "phonopy_params.yaml", {"born": "BORN"}, {}),
    (import_phonons, "FORCE_SETS", {"structure": "phonopy.yaml"}, {"symmetry_tolerance": 1e-5}),
    (import_phonons, "FORCE_CONSTANTS", {"structure": "POSCAR"}, {"supercell_matrix": [3, 2, 2], "primitive": True}),
    (import_phonons, "force_constants.hdf5", {"structure": "phonopy.yaml"}, {"calculator": "vasp"}),
    (import_trajectory, "md.extxyz", {}, {"time_step": 1.0, "temperature": 300.0, "length_unit": "angstrom"}),
    (import_trajectory, "md.traj", {}, {"start": 1, "stop": 3, "stride": 1}),
    (import_trajectory, "vasprun.xml", {}, {"forces": "optional"}),
    (import_trajectory, "vasprun.xml.gz", {}, {"format": "vasprun"}),
    (import_values, "values.yaml", {}, {"doi": "10.1/x", "comment": "x"}),
    (import_values, "values.yaml", {}, {}),
)


def write_files(folder: Path) -> None:
    """Write a valid file of every kind."""
    phonon = solved(1.0)
    phonon.save(folder / "phonopy_params.yaml", settings={"force_constants": False})
    phonon.save(folder / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
    write_FORCE_SETS(phonon.dataset, filename=str(folder / "FORCE_SETS"))
    write_FORCE_CONSTANTS(phonon.force_constants, str(folder / "FORCE_CONSTANTS"), phonon.primitive.p2s_map)
    path = str(folder / "force_constants.hdf5")
    write_force_constants_to_hdf5(phonon.force_constants, path, phonon.primitive.p2s_map)
    write(folder / "POSCAR", to_atoms(phonon.unitcell), format="vasp", direct=True)
    tensor = "1 0 0 0 1 0 0 0 1"
    (folder / "BORN").write_text(f"14.4\n{tensor}\n{tensor}\n{tensor.replace('1', '-1')}\n")
    frames = [_frame(number) for number in range(4)]
    write(folder / "md.extxyz", frames)
    write(folder / "md.traj", frames)
    (folder / "vasprun.xml").write_text(_vasprun(frames))
    (folder / "vasprun.xml.gz").write_bytes(gzip.compress(_vasprun(frames).encode()))
    (folder / "values.yaml").write_text(VALUES)


def try_import(rng: random.Random, originals: Path, folder: Path) -> str | None:
    """Import a reference of which one file, or a setting, is hostile; return the message, ``None`` if it went well."""
    function, name, others, settings = rng.choice(IMPORTS)
    paths = {file: folder / file for file in (name, *others.values())}
    for file, path in paths.items():
        path.write_bytes((originals / file).read_bytes())
    if rng.random() < 0.2:
        settings = _mutated_settings(rng, settings)
    else:
        victim = rng.choice(sorted(paths))
        spoil_file(rng, paths[victim])
    arguments = {argument: paths[file] for argument, file in others.items()}
    try:
        function(paths[name], **{**arguments, **settings})
    except ValueError as error:
        return str(error)
    return None


def _mutated_settings(rng: random.Random, settings: dict[str, Any]) -> dict[str, Any]:
    changed = mutated(rng, settings or {"theory": "x"}, (*PLAIN_JUNK, np.int64(3), b"x", {1}, object(), 1j))
    reserved = ("path", "structure", "born")
    if not isinstance(changed, dict):
        return copied(settings)  # type: ignore[no-any-return]
    return {str(key): value for key, value in changed.items() if key not in reserved}


def spoil_file(rng: random.Random, path: Path) -> None:
    """Make a file hostile."""
    content = path.read_bytes()
    kind = rng.random()
    if kind < 0.04:
        path.unlink()
        return
    if path.suffix == ".gz":
        inner = mutated_text(rng, gzip.decompress(content))
        path.write_bytes(gzip.compress(inner) if kind < 0.7 else mutated_bytes(rng, content))
    elif path.suffix == ".hdf5":
        _spoil_hdf5(rng, path)
    elif path.suffix == ".traj":
        path.write_bytes(mutated_bytes(rng, content))
    elif path.suffix == ".yaml" and kind < 0.2:
        path.write_text(rng.choice(YAML_TRICKS) + ("" if rng.random() < 0.5 else "\n" + content.decode()))
    elif path.suffix == ".xml" and kind < 0.1:
        path.write_bytes(content.replace(b"?>", b"?>" + BOMB, 1).replace(b"Na", b"&j;", 1))
    else:
        path.write_bytes(mutated_text(rng, content))


def _spoil_hdf5(rng: random.Random, path: Path) -> None:
    if rng.random() < 0.5:
        path.write_bytes(mutated_bytes(rng, path.read_bytes()))
        return
    with h5py.File(path, "r+") as file:
        name = rng.choice(sorted(file))
        values = file[name][()]
        del file[name]
        shapes = (
            values[:-1],
            values.T,
            values.reshape(-1),
            np.float64(0),
            np.full_like(values, -1),
            b"text",
            values * 1j,
        )
        if rng.random() < 0.9:
            file[name] = rng.choice(shapes)


def _frame(number: int) -> Atoms:
    rng = np.random.default_rng(number)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    forces = rng.normal(size=atoms.positions.shape)
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=forces - forces.mean(axis=0))
    return atoms


def _vasprun(frames: list[Atoms]) -> str:
    def rows(name: str, values: Any) -> str:
        text = "".join(f"<v>{' '.join(f'{x:.8f}' for x in row)}</v>\n" for row in values)
        return f'<varray name="{name}">\n{text}</varray>\n'

    atoms = "".join(f"<rc><c>{symbol}</c><c>1</c></rc>\n" for symbol in frames[0].get_chemical_symbols())
    steps = "".join(
        f"<calculation>\n<structure><crystal>\n{rows('basis', frame.cell)}</crystal>\n"
        f"{rows('positions', frame.get_scaled_positions())}</structure>\n{rows('forces', frame.get_forces())}"
        '<energy><i name="e_fr_energy">-1.0</i></energy>\n</calculation>\n'
        for frame in frames
    )
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<atominfo><array name="atoms"><set>\n'
    return f"{head}{atoms}</set></array></atominfo>\n{steps}</modeling>\n"
