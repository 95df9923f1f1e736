"""From what a user has to a verdict: structures, temperatures, phases, models, and the command that does it all."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest
from aiida.manage.caching import enable_caching
from aiida.orm import Code, QueryBuilder, StructureData, WorkChainNode
from ase import Atoms
from ase.build import bulk, molecule
from click.testing import CliRunner

from aiida_crucible.cli.root import main
from aiida_crucible.cli.run import next_command
from aiida_crucible.launch.models import find_model
from aiida_crucible.launch.requests import as_question, parse_temperatures
from aiida_crucible.launch.structures import read_structure
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import from_atoms, to_atoms
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain

OVERRIDES = (
    "{phonon: {parameters: {supercell_matrix: [2, 2, 2], mesh: [4, 4, 4], dos_mesh: [4, 4, 4], band_points: 5}}, "
    "sweep: {parameters: {supercell_matrix: [2, 2, 2]}}}"
)


class FromPymatgen:
    """What pymatgen's structures offer."""

    def to_ase_atoms(self):
        return bulk("Cu")


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("name", "formula", "n_atoms"),
    [
        ("Si:diamond:5.43", "Si", 8),
        ("Fe:bcc", "Fe", 2),
        ("Mg:hcp", "Mg", 2),
        ("NaCl:rocksalt:5.64", "ClNa", 8),
        ("pto-test:tetragonal", "O3PbTi", 5),
    ],
)
def test_prototypes(profile, name, formula, n_atoms):
    structure = read_structure(name)
    assert (structure.get_formula(mode="hill_compact"), len(structure.sites)) == (formula, n_atoms)
    assert structure.label == name


def test_each_thing_that_holds_a_structure(profile, tmp_path):
    stored = from_atoms(bulk("Cu")).store()
    path = tmp_path / "copper.cif"
    bulk("Cu").write(path)
    for source in (bulk("Cu"), FromPymatgen(), stored, stored.pk, str(stored.pk), stored.uuid, path, str(path)):
        structure = read_structure(source)
        assert isinstance(structure, StructureData)
        assert to_atoms(structure).get_chemical_symbols() == ["Cu"]
    assert read_structure(path).label == "copper.cif"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no.cif", "there is no structure 'no.cif': give a file"),
        ("999999", "there is no node '999999'"),
        (True, "the structure is True"),
        (3.5, "the structure is 3.5"),
        ("Xx:fcc", "'Xx:fcc' is no prototype"),
        ("Cu:fcc:abc", "no prototype"),
        ("Cu:fcc:1:2:3", "more than two lengths"),
        ("Si:nothing", "no prototype"),
        (Atoms(), "no atoms"),
    ],
)
def test_what_is_no_structure(profile, source, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        to_atoms(read_structure(source))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_structure_and_a_node_that_is_none(model, tmp_path):
    path = tmp_path / "notes.cif"
    path.write_text("not a crystal")
    with pytest.raises(ValueError, match="cannot be read as a structure"):
        read_structure(path)
    with pytest.raises(ValueError, match="is a ModelData and no structure"):
        read_structure(model.pk)


@pytest.mark.parametrize(
    ("text", "temperatures"),
    [
        ("300", [300]),
        ("300,450", [300, 450]),
        ("100:600:100", [100, 200, 300, 400, 500, 600]),
        ("100:350:100", [100, 200, 300]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),
    ],
)
def test_temperatures(text, temperatures):
    assert parse_temperatures(text) == pytest.approx(temperatures)


@pytest.mark.parametrize("text", ["", "warm", "100:600", "100:600:0", "100:600:-5", "1:1e9:1", "nan", "1:2:3:4", ","])
def test_what_are_no_temperatures(text):
    with pytest.raises(ValueError, match="temperature") as caught:
        parse_temperatures(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [range(300, 500, 100), np.array([300, 400]), (300, 400.0), [np.int64(300), 400]])
def test_temperatures_in_python(profile, given):
    assert as_question(bulk("Cu"), temperatures=given).temperatures == [300.0, 400.0]


def test_phases_get_names_of_their_files(profile, tmp_path):
    paths = [tmp_path / name for name in ("high-T phase.cif", "1hcp.cif")]
    for path in paths:
        bulk("Cu", "bcc", a=2.9).write(path)
    assert list(as_question(bulk("Cu"), phases=paths).phases) == ["high_T_phase", "phase_2"]
    assert list(as_question(bulk("Cu"), phases={"bcc": paths[0]}).phases) == ["bcc"]


def test_steps_without_temperatures_are_refused(profile):
    with pytest.raises(ValueError, match="steps are of hot runs: give temperatures"):
        as_question(bulk("Cu"), steps=100)


def test_models_by_family_and_name(profile):
    assert find_model("chgnet:0.2.0").title == "chgnet 0.2.0"
    assert find_model("emt").title == "emt"
    with pytest.raises(ValueError, match="mine"):
        find_model("mace:folder/mine.model")


@pytest.mark.slow
def test_a_process_says_what_it_is_about(code, model):
    builder = RelaxWorkChain.get_builder_from_protocol(code, model, from_atoms(bulk("Cu")), "fast")
    from aiida.engine import run_get_node

    _, node = run_get_node(builder)
    jobs = [each for each in node.called_descendants if each.process_label == "RelaxCalculation"]
    assert (node.label, jobs[0].label) == ("Cu · emt · fast", "Cu · emt")
    assert node.description == "protocol fast; overrides: none"
    assert node.base.extras.get("crucible_protocol") == "fast"
    assert node.outputs.summary.label == "Cu · emt · fast · summary"
    assert node.outputs.relaxed.structure.label == "Cu · emt · relaxed.structure"
    for process in (node, *jobs, node.outputs.relaxed.structure):
        extras = process.base.extras.all
        assert (extras["crucible_formula"], extras["crucible_family"], extras["crucible_elements"]) == (
            "Cu",
            "emt",
            ["Cu"],
        )
    assert jobs[0].res.outcome == "converged"
    assert {jobs[0].get_option(name) for name in ("input_filename", "output_filename")} == {"job.json", "results.json"}
    query = QueryBuilder().append(
        WorkChainNode, filters={"extras.crucible_model": "emt", "extras.crucible_elements": {"contains": ["Cu"]}}
    )
    assert node in query.all(flat=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.cif", "-m", "emt"], "there is no structure 'no.cif'"),
        (["Cu:fcc"], "Missing option '-m' / '--model'"),
        (["Cu:fcc", "-m", "emd"], "did you mean"),
        (["Cu:fcc", "-m", "emt", "-T", "warm"], "no temperature"),
        (["Cu:fcc", "-m", "emt", "--expect", "stable"], "write key=value"),
        (["Cu:fcc", "-m", "emt", "--expect", "stable=perhaps"], "give true or false"),
        (["Cu:fcc", "-m", "emt", "--expect", "melts=3"], "the reference has no 'melts'"),
        (["Cu:fcc", "-m", "emt", "--protocol", "quick"], "there is no protocol 'quick'"),
        (["Cu:fcc", "-m", "emt", "--steps", "0"], "--steps"),
        (["Cu:fcc", "-m", "emt", "--steps", "10"], "give temperatures"),
        (["Cu:fcc", "-m", "emt", "--phase", "Cu:fcc"], "same crystal"),
        (["Cu:fcc", "-m", "emt", "--phase", "Ag:fcc"], "cannot be compared"),
        (["Fe:bcc", "-m", "emt"], "Fe"),
        (["MOLECULE", "-m", "emt", "--phase", "Cu:fcc"], "is a molecule, which has no competing phases"),
        (["MOLECULE", "-m", "emt", "--expect", "space_group=1"], "space_group cannot be asked of a molecule"),
        (["Cu:fcc", "-m", "emt", "-m", "emt:emt"], "a model is given twice"),
        (["Cu:fcc", "-m", "emt", "--overrides", "{sweeep: 1}"], "did you mean"),
        (["Cu:fcc", "-m", "emt", "--reference", "{stable: true}", "--expect", "stable=true"], "give it once"),
        (["Cu:fcc", "-m", "emt", "--device", "gpu7"], "gpu7"),
    ],
)
def test_wrong_uses_are_one_line(code, tmp_path, words, said):
    molecule("H2O").write(tmp_path / "water.xyz")
    words = [str(tmp_path / "water.xyz") if word == "MOLECULE" else word for word in words]
    result = invoke("run", *words, "--code", f"python@{code.computer.label}", "--yes")
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


def test_the_next_command_keeps_all_that_was_given():
    given = {
        "structure": "my crystal.cif", "models": ("emt",), "phases": (), "temperatures": "300", "protocol": None,
        "steps": 40, "time_step": None, "code": "emt@here", "computer": None, "device": "cuda:1",
        "expected": (("stable", False), ("exists_at", 400)), "reference": {"source": "me"},
        "overrides": {"phonon": {"parameters": {"mesh": [4, 4, 4]}}}, "options": {},
    }  # fmt: skip
    command = next_command(given, "--overrides '{relax: {relax: {parameters: {max_steps: 3000}}}}'")
    words = shlex.split(command)
    assert words[:4] == ["aiida-crucible", "run", "my crystal.cif", "--model"]
    assert [words[i + 1] for i, word in enumerate(words) if word == "--expect"] == ["stable=no", "exists_at=400"]
    merged = json.loads(words[words.index("--overrides") + 1])
    assert merged == {**given["overrides"], "relax": {"relax": {"parameters": {"max_steps": 3000}}}}
    assert words[words.index("--device") + 1] == "cuda:1"
    assert next_command(given, "--steps 5000").endswith("--steps 5000")
    assert "--steps 40" not in next_command(given, "--steps 5000")


def test_without_an_environment_it_says_how_to_make_one(localhost):
    result = invoke("run", "Cu:fcc", "-m", "mace", "--no-estimate")
    assert result.exit_code == 1
    assert "`aiida-crucible env create mace` makes one" in result.output


@pytest.mark.slow
def test_from_a_prototype_to_a_headline(code):
    words = ["run", "Cu:fcc", "-m", "emt", "--code", code.full_label, "--protocol", "fast", "--overrides", OVERRIDES]
    hot = ["-T", "300,400", "--steps", "40", "--time-step", "2"]
    before = QueryBuilder().append(WorkChainNode).count()
    planned = invoke(*words, *hot, "--dry-run", "--no-estimate")
    assert planned.exit_code == 0, planned.output
    assert re.search(r"dynamics at 2 temperatures +2 \(\d at once\) +32 +40", planned.output)
    assert "together" not in planned.output
    planned = invoke(*words, *hot, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert re.search(r"together about \d+ s", planned.output)
    assert QueryBuilder().append(WorkChainNode).count() == before
    result = invoke(*words, *hot)
    assert result.exit_code == 3, result.output  # so short a run cannot tell
    assert "emt cannot be judged for Cu (Fm-3m), in runs of 0.08 ps" in result.output
    assert re.search(r"next: run longer: `aiida-crucible run Cu:fcc --model emt .*--steps \d+`", result.output)
    with enable_caching():
        told = invoke(*words, *hot, "--json", "--no-estimate", "--yes")
    (verdict,) = json.loads(told.stdout).values()
    assert verdict["verdict"]["trusted"] == "cannot-tell"
    assert [round(each["sigma"], 1) for each in verdict["verdict"]["anharmonicity"]]
    (code_node,) = QueryBuilder().append(Code, filters={"label": "python"}).all(flat=True)
    assert code_node.pk == code.pk


@pytest.mark.slow
def test_python_is_as_short(code, model):
    from aiida_crucible import reliability

    overrides = {"phonon": {"parameters": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4], "dos_mesh": [4, 4, 4]}}}
    result = reliability(bulk("Cu"), [ModelData.get_or_create("emt")], code=code.full_label, overrides=overrides)
    assert result.verdict.startswith("emt: all is as it should be for Cu (Fm-3m) at 0 K")
    assert "dynamical stability" in result.table()
    assert "<table>" in result._repr_html_()
    assert result.plot().axes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["relax", "no.cif", "-m", "emt"], "there is no structure 'no.cif'"),
        (["phonon", "Cu:fcc", "-m", "emt", "--protocol", "quick"], "there is no protocol 'quick'"),
        (["sweep", "Cu:fcc", "-m", "emt", "-T", "hot"], "no temperature"),
        (["sweep", "Cu:fcc", "-m", "emt", "--overrides", "{parameters: {supercel: 2}}"], "supercell"),
        (["anharmonicity", "Cu:fcc"], "Missing option"),
        (["anharmonicity", "Fe:bcc", "-m", "emt"], "Fe"),
        (["map", "a"], "write LABEL=VALUE"),
        (["map", "a=1", "--code", "nothing"], "nothing"),
        (["benchmark", "Cu", "-m", "emt"], "write LABEL=VALUE"),
        (["benchmark", "Cu=Xx:fcc", "-m", "emt"], "no prototype"),
        (["relaxx"], "there is no command 'relaxx': did you mean 'relax'"),
        (["verify", "chgnet", "--code", "nothing"], "nothing"),
    ],
)
def test_wrong_uses_of_launch_are_one_line(code, words, said):
    given = [] if "--code" in words or words[0] == "relaxx" else ["--code", f"python@{code.computer.label}"]
    result = invoke("launch", *words, *given)
    assert result.exit_code in (1, 2), result.output
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_launch_checks_and_runs(code):
    words = ["launch", "relax", "Cu:fcc", "-m", "emt", "--protocol", "fast", "--code", f"python@{code.computer.label}"]
    assert "RelaxWorkChain is ready to run" in invoke(*words, "--dry-run").output
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["outcome"] == "converged"


@pytest.mark.slow
def test_a_molecule_is_relaxed_and_vibrates(code, tmp_path):
    molecule("H2O").write(tmp_path / "water.xyz")
    words = ["-m", "emt", "--protocol", "fast", "--code", f"python@{code.computer.label}"]
    result = invoke("launch", "vibrations", tmp_path / "water.xyz", *words)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["outcome"], summary["rigid_motions"], len(summary["frequencies"])) == ("minimum", 6, 3)
    assert "of a molecule" in summary["not_asked"]
    single = tmp_path / "atom.xyz"
    Atoms("Cu").write(single)
    assert "does not vibrate" in invoke("launch", "vibrations", single, *words).output


@pytest.mark.slow
def test_a_molecule_gets_a_headline_too(code, tmp_path):
    molecule("H2O").write(tmp_path / "water.xyz")
    words = ["run", tmp_path / "water.xyz", "-m", "emt", "--protocol", "fast", "--code", code.full_label, "--yes"]
    hot = ["-T", "300", "--steps", "200"]
    planned = invoke(*words, *hot, "--dry-run", "--no-estimate")
    assert re.search(r"vibrations +1 +3 +19\n.*dynamics at 1 temperature +1 +3 +200", planned.output), planned.output
    result = invoke(*words, *hot, "--json", "--no-estimate")
    assert result.exit_code in (2, 3), result.output  # EMT knows no water, and nobody has given frequencies
    (found,) = json.loads(result.stdout).values()
    assert found["verdict"]["headline"].startswith("emt cannot be ")
    assert "for H2O (molecule)" in found["verdict"]["headline"]
    assert {"geometry", "stability", "bonds"} <= set(found["verdict"]["questions"])
    (run,) = found["verdict"]["runs"]
    assert (run["temperature"], run["steps"], run["duration"]) == (300.0, 200, pytest.approx(0.1))


def test_doctor_says_what_is_missing(code, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    result = invoke("doctor", "--json")
    found = {each["part"]: each for each in json.loads(result.stdout)}
    assert found["verdi"]["cure"].endswith("bin/activate`")
    assert (result.exit_code, found["environments"]["state"]) == (1, "bad")
    assert found["environments"]["cure"] == "`aiida-crucible env create chgnet`"
    assert found["daemon"]["state"] == "warning"
    assert found["profile"]["state"] == "good"
    assert all(each["cure"] for each in found.values() if each["state"] != "good")
    assert "what to do" in invoke("doctor").output
