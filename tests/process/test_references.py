"""References come in from files with their provenance, by functions and by the command line, and are compared with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.orm import ArrayData, CalcFunctionNode, Dict, Node, QueryBuilder, SinglefileData
from ase.io import write
from click.testing import CliRunner
from golden_references import frame_of, solved
from phonopy.file_IO import write_FORCE_SETS

from aiida_crucible.analysis.crystal.phonopy_cells import to_atoms as from_phonopy
from aiida_crucible.analysis.verdict.reliability import check_reference
from aiida_crucible.cli import main
from aiida_crucible.nodes.file_digest import is_file
from aiida_crucible.nodes.structures import from_atoms, to_atoms, trajectory_to_atoms
from aiida_crucible.references import from_files
from aiida_crucible.references.calcfunctions import import_trajectory as import_trajectory_node
from aiida_crucible.references.from_files import import_phonons, import_trajectory, import_values
from aiida_crucible.workflows.harmonic_comparison.calcfunctions import compare_harmonic


@pytest.fixture(scope="module")
def phonon():
    return solved(1.0)


@pytest.fixture
def folder(tmp_path, phonon):
    phonon.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": False})
    phonon.save(tmp_path / "phonopy.yaml", settings={"force_sets": False, "displacements": False})
    write_FORCE_SETS(phonon.dataset, filename=str(tmp_path / "FORCE_SETS"))
    return tmp_path


@pytest.fixture
def run(forgotten):
    """Return a function that runs a command and returns its exit status and what it wrote."""

    def run(*arguments):
        result = CliRunner().invoke(main, ["reference", "import", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


def count():
    return QueryBuilder().append(Node).count()


def creator(node):
    return node.base.links.get_incoming(link_type=LinkType.CREATE).one().node


def test_force_constants_have_the_form_of_a_phonon_run_and_their_provenance(folder, phonon):
    nodes = import_phonons(folder / "FORCE_SETS", folder / "phonopy.yaml", theory="PBE", doi="10.1/x")
    constants = nodes["force_constants"]
    assert set(constants.get_arraynames()) == {"force_constants", "supercell_matrix", "primitive_matrix"}
    np.testing.assert_allclose(constants.get_array("force_constants"), phonon.force_constants, atol=1e-6)
    assert constants.base.attributes.get("acoustic_sum_residual") > 0
    summary = nodes["summary"].get_dict()
    assert (summary["theory"], summary["doi"], summary["kind"]) == ("PBE", "10.1/x", "FORCE_SETS")
    assert {entry["name"]: entry["sha256"] for entry in summary["files"]} == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("FORCE_SETS", "phonopy.yaml")
    }
    process = creator(constants)
    assert isinstance(process, CalcFunctionNode)
    assert process.inputs.source.get_content("rb") == (folder / "FORCE_SETS").read_bytes()


@pytest.mark.slow
def test_imported_and_computed_force_constants_are_compared(folder):
    reference = import_phonons(folder / "phonopy_params.yaml")
    other = solved(0.81)
    own = ArrayData(
        {
            "force_constants": other.force_constants,
            "supercell_matrix": np.array(other.supercell_matrix),
            "primitive_matrix": np.array(other.primitive_matrix),
        }
    )
    inputs = (reference["structure"], reference["force_constants"], reference["structure"])
    settings = Dict({"mesh": [3, 3, 3], "thermal_mesh": [3, 3, 3]})
    same = compare_harmonic(*inputs, reference["force_constants"], settings)["summary"].get_dict()
    assert max(same["errors"]["by_order"].values()) < 1e-9
    found = compare_harmonic(*inputs, own, settings)
    assert found["summary"]["frequencies"]["maximum"]["error"] < 0
    shape = found["modes"].get_array("reference_frequencies").shape
    assert found["modes"].get_array("matched").shape == shape
    with pytest.raises(ValueError, match=r"^the force constants of the model have no array 'force_constants'"):
        compare_harmonic(*inputs, ArrayData({"charges": np.zeros(3)}), settings)


@pytest.fixture
def frames(phonon):
    atoms = _crystal(phonon) * (3, 2, 2)
    return [frame_of(atoms, seed) for seed in range(4)]


def _crystal(phonon):
    return from_phonopy(phonon.unitcell)


@pytest.mark.slow
@pytest.mark.parametrize("largest", [100_000_000, 10])
def test_trajectory_and_its_provenance(tmp_path, phonon, frames, monkeypatch, largest):
    monkeypatch.setattr(from_files, "LARGEST_KEPT_FILE", largest)
    path = tmp_path / "md.traj"
    write(path, frames)
    nodes = import_trajectory(path, from_atoms(_crystal(phonon)), stride=2, time_step=2.0, temperature=300)
    trajectory = nodes["trajectory"]
    assert trajectory.get_stepids().tolist() == [0, 2]
    np.testing.assert_allclose(trajectory.get_times(), [0, 0.004])
    np.testing.assert_allclose(trajectory.get_array("forces")[1], frames[2].get_forces())
    assert trajectory.get_array("energies").tolist() == [-1, -1]
    again = list(trajectory_to_atoms(trajectory))[1]
    np.testing.assert_allclose(again.positions, frames[2].positions)
    assert to_atoms(nodes["supercell"]).get_chemical_symbols() == again.get_chemical_symbols()
    summary = nodes["summary"].get_dict()
    assert summary["temperature"] == 300
    assert summary["files"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    source = creator(trajectory).inputs.source
    assert isinstance(source, SinglefileData) is (largest > 10)
    # The function alone gives the same, from the node or from the file that it names.
    inputs = {key: creator(trajectory).inputs[key] for key in ("source", "parameters", "structure")}
    np.testing.assert_array_equal(
        import_trajectory_node(**inputs)["trajectory"].get_array("forces"), trajectory.get_array("forces")
    )
    if largest == 10:
        path.write_bytes(b"another")
        with pytest.raises(ValueError, match="is another file now"):
            import_trajectory_node(**inputs)


def test_values_are_a_reference_of_the_reliability_workchain(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text("lattice: {a: 3.904, c: 4.152}\ntransition_temperature: 763\n")
    values = import_values(path, theory="experiment", doi="10.1/y").get_dict()
    check_reference(values, set())
    assert values["source"] == "experiment, doi 10.1/y"
    assert values["lattice"]["a"] == 3.904


def test_what_does_not_fit_leaves_nothing_behind(folder, frames):
    before = count()
    write(folder / "md.extxyz", frames)
    with pytest.raises(ValueError, match="does not fit the structure"):
        import_trajectory(folder / "md.extxyz", from_atoms(frames[0] * (1, 2, 1)))
    with pytest.raises(ValueError, match="does not say which crystal"):
        import_phonons(folder / "FORCE_SETS")
    assert count() == before


@pytest.mark.slow
def test_commands(run, folder, phonon, frames):
    write(folder / "md.extxyz", frames)
    write(folder / "cell.vasp", _crystal(phonon), format="vasp", direct=True)
    (folder / "values.yaml").write_text("lattice: {a: 3.9}\n")
    status, output = run("phonons", folder / "FORCE_SETS", "--structure", folder / "phonopy.yaml", "--label", "PBE")
    assert status == 0, output
    assert "force constants  PK" in output
    status, output = run("phonons", folder / "FORCE_SETS", "--structure", folder / "cell.vasp", "--supercell", 3, 2, 2)
    assert status == 0, output
    status, output = run("trajectory", folder / "md.extxyz", "--structure", folder / "cell.vasp", "--stride", 3)
    assert status == 0, output
    assert "trajectory" in output
    assert "Warning: the forces of frame" in output
    status, output = run("values", folder / "values.yaml", "--theory", "experiment")
    assert status == 0, output
    labelled = QueryBuilder().append(ArrayData, filters={"label": "PBE"}).all(flat=True)
    assert len(labelled) == 1


@pytest.mark.slow
def test_cells_of_phonopys_own_choice(run, folder, phonon):
    write(folder / "cell.vasp", _crystal(phonon), format="vasp", direct=True)
    arguments = ["phonons", folder / "FORCE_SETS", "--structure", folder / "cell.vasp"]
    status, output = run(*arguments, "--supercell", 3, 0, 0, 0, 2, 0, 0, 0, 2, "--primitive", "P")
    assert status == 0, output
    status, output = run(*arguments, "--supercell", 3, 2, 2, "--primitive", *[1, 0, 0, 0, 1, 0, 0, 0, 2])
    assert (status, len(output.splitlines())) == (1, 1)
    assert "has the determinant 2: it must be 1, 1/2, 1/3" in output


def test_moments_of_a_structures_file_are_said_to_be_lost(run, folder, frames):
    write(folder / "md.extxyz", frames)
    crystal = frames[0].copy()
    crystal.calc = None
    crystal.set_initial_magnetic_moments(np.full(len(crystal), 2.2))
    write(folder / "magnetic.traj", crystal)
    status, output = run("trajectory", folder / "md.extxyz", "--structure", folder / "magnetic.traj")
    assert status == 0, output
    assert "carries magnetic moments (up to 2.2 μ_B): not represented, no model is told of them" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phonons", "nothing.yaml"], "nothing.yaml is not a file"),
        (["phonons", "FORCE_SETS"], "FORCE_SETS does not say which crystal it belongs to"),
        (["trajectory", "FORCE_SETS"], "FORCE_SETS is no trajectory by its name"),
        (
            ["trajectory", "FORCE_SETS", "--structure", "Cu2"],
            "there is no node 'Cu2' in this profile",
        ),
        (["trajectory", "FORCE_SETS", "--structure", "FORCE_SETS"], "FORCE_SETS is no structure that ASE reads"),
        (["values", "FORCE_SETS"], "FORCE_SETS holds no values"),
        (["values", "wrong.yaml"], "wrong.yaml: the reference has no 'latice': did you mean 'lattice'?"),
    ],
)
def test_mistake_is_one_line(run, folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    (folder / "wrong.yaml").write_text("latice: {a: 3.9}\n")
    status, output = run(*arguments)
    assert status == 1
    assert output.startswith("Error: ")
    assert message in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("name", ["9" * 400, "a\0b"])
def test_a_name_that_no_file_can_have_is_that_of_none(name):
    with pytest.raises(ValueError, match="is not a file"):
        import_values(name)
    assert not is_file(Path(name))
