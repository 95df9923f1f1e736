"""Wrong uses that real users make of the command line and of Python: each ends in one line that says what to do next.

They are in ``tests/data/wrong_uses.txt``: ``$`` a command or ``>>>`` an expression, ``<…>`` the PK of a node of
:func:`known`, and below it the line that is said, without the numbers and words of other packages. A use that is added
there, or a message that is changed, is written down by ``WRONG_USES=record pytest tests/process/test_wrong_uses.py``.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, Computer, Dict, InstalledCode, Node, QueryBuilder, WorkChainNode
from aiida.tools import delete_nodes
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from click.testing import CliRunner
from plumpy import ProcessState

from aiida_crucible import reliability
from aiida_crucible.calculations.validation import ENVIRONMENT_KEY
from aiida_crucible.cli.data import crucible_model
from aiida_crucible.cli.root import main
from aiida_crucible.environments import ModelEnvironmentError
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.benchmark.workchain import BenchmarkWorkChain
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain
from aiida_crucible.workflows.harmonic_comparison.workchain import HarmonicComparisonWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain
from aiida_crucible.workflows.vibrations.workchain import VibrationsWorkChain

SNAPSHOT = Path(__file__).parents[1] / "data" / "wrong_uses.txt"
RECORDING = os.environ.get("WRONG_USES") == "record"
USES = [line for line in SNAPSHOT.read_text("utf-8").splitlines() if line.startswith(("$ ", ">>> "))]
NEXT_STEP = re.compile(
    r"`|\b(begin|build|check|choose|give|leave|load|name|see|write)\b"
    r"|\b(did you mean|known are|must be|in the range|not one of)\b"
)

CORRUPT = """data_Cu
_cell_length_a 3.61
_cell_length_b 3.61
_cell_length_c
loop_
_atom_site_label
_atom_site_fract_x
"""
NO_CELL = """data_Cu
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 0 0 0
"""
ALLOY = """data_CuAu
_cell_length_a 3.8
_cell_length_b 3.8
_cell_length_c 3.8
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_occupancy
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 Cu 0.5 0 0 0
Au1 Au 0.5 0 0 0
"""
POSCAR = "copper\n1.0\n3.61 0 0\n0 3.61 0\n0 0 3.61\n{}4\ndirect\n0 0 0\n0 .5 .5\n.5 0 .5\n.5 .5 0\n"
FORCE_SETS = "4\n1\n\n1\n0.01 0 0\n" + "0 0 0\n" * 4
FILES = {
    "corrupt.cif": CORRUPT,
    "empty.cif": "",
    "no_cell.cif": NO_CELL,
    "alloy.cif": ALLOY,
    "copper.poscar1": POSCAR.format("Cu\n"),
    "POSCAR_names": POSCAR.format("Copper\n"),
    "mine.model": "PK\x03\x04 no model",
    "misspelt.yaml": "latice: {a: 3.6}\nsource: me\n",
    "nm.yaml": "lattice: {a: 0.361}\nsource: me\n",
    "no_phase.yaml": "energy_differences: {bcc: 0.1}\nsource: me\n",
    "broken.yaml": "lattice: {a: 3.6\n",
    "FORCE_SETS": FORCE_SETS,
    "OUTCAR": " vasp.6.4.2 18Apr23 complex\n",
    "record.yaml": "titel: Copper\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with what users have there."""
    folder = tmp_path_factory.mktemp("crystals")
    (folder / "folder").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    bulk("Cu", cubic=True).write(folder / "Cu.cif")
    bulk("Al", cubic=True).write(folder / "Al.cif")
    bulk("Cu", a=0.361, cubic=True).write(folder / "nm.cif")
    molecule("H2O").write(folder / "water.xyz")
    bare = bulk("Cu", cubic=True)
    bare.write(folder / "no_forces.extxyz")
    bare.arrays["forces"] = np.zeros((4, 3))
    bare.write(folder / "frames.extxyz")
    frames = []
    for index in range(4):
        frames.append(bulk("Cu", cubic=True))
        frames[-1].rattle(0.1, seed=index)
        frames[-1].calc = SinglePointCalculator(frames[-1], energy=-1.0 * index, forces=np.zeros((4, 3)))
    write(folder / "labelled.extxyz", frames)
    write(folder / "single.extxyz", frames[0])
    frames[2].calc.results["energy"] = np.nan
    write(folder / "nan.extxyz", frames)
    return folder


def _environment(label, computer, content):
    code = InstalledCode(label=label, computer=computer, filepath_executable=sys.executable).store()
    facts = {"version": "1.0", "lock": "0a1b2c", "build": "cpu", "release": "2.13.0", "python": "3.11"}
    code.base.extras.set(ENVIRONMENT_KEY, {**facts, **content})
    return code


def _deleted():
    node = from_atoms(bulk("Cu")).store()
    delete_nodes([node.pk], dry_run=False)
    return node


def _ended(node, label, state=ProcessState.FINISHED, status=None):
    node.set_process_label(label)
    node.set_process_type(f"aiida.workflows:crucible.{label.removesuffix('WorkChain').lower()}")
    node.set_process_state(state)
    if status is not None:
        node.set_exit_status(status)
        node.set_exit_message("the relaxation did not converge")
    return node.store()


@pytest.fixture(scope="module")
def known(folder, code, localhost):
    """Return what the uses name: nodes, and what of Python they call."""
    cluster = Computer("cluster", "cluster.example", "", "core.local", "core.direct").store()
    elsewhere = InstalledCode(label="python", computer=cluster, filepath_executable="/usr/bin/python3").store()
    _environment("emt", localhost, {"family": "emt", "package": "ase", "torch": None})
    mace = _environment("mace", localhost, {"family": "mace", "package": "mace-torch", "torch": "2.13.0+cpu"})
    vacant = orm.StructureData(cell=np.eye(3).tolist())
    vacant.append_atom(symbols="Cu", weights=0.5, position=(0, 0, 0))
    nodes = {
        "a Dict": Dict({"a": 1}).store().pk,
        "a deleted node": (doomed := from_atoms(bulk("Cu")).store().pk),
        "a structure with vacancies": vacant.store().pk,
        "an empty structure": orm.StructureData(cell=np.eye(3).tolist()).store().pk,
        "a trajectory": (trajectory := atoms_to_trajectory([bulk("Cu")]).store()).pk,
        "a running process": _ended(WorkChainNode(), "RelaxWorkChain", ProcessState.WAITING).pk,
        "a failed process": _ended(WorkChainNode(), "RelaxWorkChain", status=401).pk,
        "a benchmark without rows": _ended(WorkChainNode(), "BenchmarkWorkChain", status=401).pk,
        "a benchmark that begins": _ended(WorkChainNode(), "BenchmarkWorkChain", ProcessState.WAITING).pk,
        "a job": _ended(CalcJobNode(computer=localhost), "RelaxCalculation").pk,
    }
    delete_nodes([doomed], dry_run=False)  # not the last one, whose PK SQLite would give away again
    python = {
        **{
            each.__name__: each
            for each in (
                AnharmonicityWorkChain,
                BenchmarkWorkChain,
                ConfigurationSpaceWorkChain,
                HarmonicComparisonWorkChain,
                PhononWorkChain,
                RelaxWorkChain,
                ReliabilityWorkChain,
                TemperatureSweepWorkChain,
                VerifyWorkChain,
                VibrationsWorkChain,
                Atoms,
                ModelData,
                reliability,
                from_atoms,
            )
        },
        "np": np,
        "orm": orm,
        "code": code,
        "elsewhere": elsewhere,
        "mace": mace,
        "trajectory": trajectory,
        "emt": ModelData.get_or_create("emt"),
        "chgnet": ModelData.get_or_create("chgnet"),
        "copper": from_atoms(bulk("Cu", cubic=True)).store(),
        "iron": from_atoms(Atoms("Fe", cell=[2.5] * 3, pbc=True)),
        "water": from_atoms(molecule("H2O")),
        "deleted": _deleted,
        "array": orm.ArrayData({"force_constants": np.zeros((2, 3))}),
        "steps": lambda n: {"base": {"dynamics": {"parameters": {"steps": n}}}},
        "time_step": lambda t: {"base": {"dynamics": {"parameters": {"time_step": t}}}},
    }
    return nodes, python


@pytest.fixture(autouse=True)
def desk(folder, uv_that_installs_nothing, monkeypatch):
    """Put the user into the folder, with a uv that installs nothing."""
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def said():
    """Return the lines that are recorded, by use; those said now are recorded where that is asked for."""
    lines = SNAPSHOT.read_text("utf-8").splitlines()
    recorded = {use: line.strip() for use, line in zip(lines, [*lines[1:], ""], strict=True) if use in USES}
    now = {}
    yield recorded, now
    if RECORDING:
        _record({**recorded, **now})


def _record(said):
    """Write the uses with what is said of each now; one that has no line yet gets its own."""
    SNAPSHOT.write_text("".join(f"{use}\n    {said[use]}\n" for use in USES if use in said), "utf-8")


def _masked(line, use, nodes):
    """Return a line without what differs from one profile, machine or release of another package to the next."""
    for pattern, mask in (
        (re.escape(get_manager().get_profile().name), "PROFILE"),
        (r"uuid: [0-9a-f-]{36} \(pk: \d+\)", "…"),
        (r"<\d+>", "<PK>"),
        (r"(?<=is no YAML: )[^;(]*(?= \()", "…"),
        (r"(?<=it is broken as )(\w+) \(.*?\)(?=: check)", r"\1 (…)"),
        (r"(?<=read as a structure: ).*(?= \(a POSCAR)", "…"),
        (r"(?<=is no prototype )\(.*?\)(?=: give)", "(…)"),
        (r"(?<= takes: ).*?(?= \(known are)", "…"),
        (r"(?<=mace has no weights named 'mine.modle': ).*(?= \(or give)", "…"),
    ):
        line = re.sub(pattern, mask, line)
    for name in re.findall("<(.*?)>", use):
        line = re.sub(rf"(?<!<)\b{nodes[name]}\b", f"<{name}>", line)
    return line


def _command(words):
    """Call a command; return the one line that it ends with."""
    program, *words = shlex.split(words)
    command, name = main, program
    if program == "verdi":
        command, name, words = crucible_model, "verdi data crucible-model", words[2:]
    result = CliRunner().invoke(command, words, prog_name=name)
    assert isinstance(result.exception, SystemExit), f"{result.exception!r} {result.output}"
    assert result.exit_code != 0, result.output
    lines = [line for line in result.output.splitlines() if line and not line.startswith(("Usage: ", "Try "))]
    assert len(lines) == 1, result.output
    assert lines[0].startswith("Error: "), lines
    return lines[0]


def _expression(text, names):
    """Evaluate an expression; return what is raised in one line."""
    with pytest.raises((ValueError, TypeError, ModelEnvironmentError)) as caught:
        eval(text, dict(names))
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("use", USES)
def test_it_is_refused_in_one_line(use, known, said):
    nodes, names = known
    recorded, now = said
    before = QueryBuilder().append(Node).count()
    prompt, _, text = use.partition(" ")
    text = re.sub("<(.*?)>", lambda match: str(nodes[match[1]]), text)
    line = _masked(_command(text) if prompt == "$" else _expression(text, names), use, nodes)
    now[use] = line
    assert QueryBuilder().append(Node).count() == before
    assert "Traceback" not in line
    assert NEXT_STEP.search(line), f"{line!r} does not say what to do next"
    if not RECORDING:
        assert line == recorded.get(use)
