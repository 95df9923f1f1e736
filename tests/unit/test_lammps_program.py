"""A LAMMPS that is not what it should be, with a stand-in for the program: what a job says then."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from crucible_engine.families.base import Evaluation, Identity, Model
from crucible_engine.families.deepmd import FAMILY
from crucible_engine.tasks.dynamics.crystal.guard import LostError
from crucible_engine.tasks.dynamics.lammps import program
from crucible_engine.tasks.dynamics.lammps.agreement import require_agreement
from crucible_engine.tasks.dynamics.lammps.dynamics import LOST, LammpsCalculator, LammpsDynamics
from crucible_engine.tasks.dynamics.lammps.program import LammpsError, Program, find_program, launched
from crucible_engine.tasks.dynamics.lammps.session import Session
from crucible_engine.tasks.dynamics.lammps.setup import Setup
from crucible_engine.tasks.dynamics.lammps.snapshot import Snapshot
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters
from crucible_engine.wire.schema import Condition, EngineError

FAKE = """\
#!{python}
import os, signal, sys
for line in sys.stdin:
    if line.startswith({at!r}):
        sys.stdout.write({said!r})
        sys.stdout.flush()
        {end}
    if line.startswith('print "'):
        text = line[7:].rstrip().rstrip('"')
        print(text.replace("$(extract_setting(world_size))", "{ranks}").replace("$(version)", "20250722"), flush=True)
"""
COPPER = bulk("Cu", cubic=True)


class Rigid(Model):
    """Gives the same numbers of any structure."""

    def __init__(self, energy=-1.0):
        super().__init__(Identity("deepmd", "0" * 64, "float64", "cpu", None, {}), frozenset({29}))
        self.energy = energy

    def _evaluate(self, batch, stress):
        return [Evaluation(self.energy, np.zeros((len(atoms), 3)), np.zeros(6)) for atoms in batch]


def fake(folder, at="never", said="", end="pass", ranks=1):
    path = folder / "lmp"
    path.write_text(FAKE.format(python=sys.executable, at=at, said=said, end=end, ranks=ranks))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def setup_of(path, ranks=1, model=None):
    assert FAMILY.pair_style is not None
    return Setup(model or Rigid(), FAMILY, FAMILY.pair_style, (str(path),), ranks, path.parent, dict(os.environ))


def start(setup):
    settings = Settings(**validate_parameters("dynamics", {"backend": "lammps", "ensemble": "nve"}))
    return Session(setup, settings, COPPER, restart=None, target=(300.0, 300.0), rests=True, seed=1)


@pytest.mark.parametrize(
    ("faults", "condition", "words"),
    [
        (
            {"at": "pair_style", "said": "ERROR: Unrecognized pair style 'deepmd' (src/force.cpp:1)\n",
             "end": "sys.exit(1)"},
            Condition.PACKAGE_MISSING, ["no pair style 'deepmd'", "env create deepmd"],
        ),
        (
            {"at": "read_data", "said": "ERROR on proc 0: Cannot open file\n", "end": "sys.exit(1)"},
            Condition.UNEXPECTED_ERROR, ["LAMMPS says: ERROR on proc 0: Cannot open file"],
        ),
        ({"at": "run", "end": "sys.exit(3)"}, Condition.UNEXPECTED_ERROR, ["without a word, with exit status 3"]),
        (
            {"at": "run", "end": "os.kill(os.getpid(), signal.SIGTERM)"},
            Condition.INTERRUPTED, ["ended from outside", "continues"],
        ),
        ({"at": "run", "end": "sys.exit(137)"}, Condition.INTERRUPTED, ["ended from outside"]),
        ({"at": "run", "end": "sys.exit(15)"}, Condition.INTERRUPTED, ["ended from outside"]),
        ({"ranks": 2}, Condition.PACKAGE_MISSING, ["runs on 2 rank", "not on the 1"]),
    ],
    ids=["no pair style", "an error", "no word", "SIGTERM", "behind a shell", "as MPICH says it", "other ranks"],
)  # fmt: skip
def test_a_lammps_that_cannot_begin_is_told_in_one_line(tmp_path, faults, condition, words):
    with pytest.raises(EngineError) as caught:
        start(setup_of(fake(tmp_path, **faults)))
    assert caught.value.condition is condition
    assert all(word in caught.value.message for word in words) and "\n" not in caught.value.message


def test_a_program_that_is_none_is_told(tmp_path):
    with pytest.raises(EngineError, match="cannot be started"):
        start(setup_of(tmp_path / "lmp"))


def test_answers_come_one_after_the_other_and_the_end_is_the_end(tmp_path):
    running = Program([str(fake(tmp_path))], tmp_path, os.environ)
    assert running.ask(["units metal"], "1 2.5") == ["1", "2.5"]
    assert running.ask([], "again") == ["again"]
    running.close()
    with pytest.raises(LammpsError):
        running.ask([], "more")


@pytest.mark.parametrize(("said", "outcome"), LOST.items())
def test_what_lammps_says_of_a_lost_crystal_is_an_outcome(tmp_path, said, outcome):
    dynamics = dynamics_of(tmp_path)
    error = dynamics._meaning(LammpsError(f"ERROR: {said} something", 1))
    assert isinstance(error, LostError) and error.finding.outcome == outcome


def dynamics_of(folder):
    atoms = COPPER.copy()
    atoms.calc = type("Guard", (), {"inner": LammpsCalculator(setup_of(folder / "lmp"))})()
    settings = Settings(**validate_parameters("dynamics", {"backend": "lammps", "ensemble": "nve"}))
    return LammpsDynamics(atoms, 1.0, settings=settings, rests=True, rng=np.random.default_rng(0), temperature_K=300.0)


def test_other_numbers_than_the_model_has_are_refused(tmp_path):
    atoms = COPPER
    forces = np.zeros((4, 3))
    now = Snapshot(0, -1.0, 0.0, atoms.cell.array, atoms.positions, forces, forces, np.zeros(6))
    require_agreement(now, atoms, setup_of(tmp_path / "lmp", model=Rigid(-1.0 + 1e-7)))
    with pytest.raises(EngineError, match=r"pair style 'deepmd' is not the model: it gives -1 eV where deepmd-kit"):
        require_agreement(now, atoms, setup_of(tmp_path / "lmp", model=Rigid(-1.1)))
    other = Snapshot(0, -1.0, 0.0, atoms.cell.array, atoms.positions, forces, forces + np.nan, np.zeros(6))
    with pytest.raises(EngineError, match="is not the model"):
        require_agreement(other, atoms, setup_of(tmp_path / "lmp"))


def test_the_program_is_the_users_own_or_beside_python_or_on_the_path(tmp_path, monkeypatch):
    own = fake(tmp_path)
    assert find_program({"CRUCIBLE_LAMMPS": str(own)}, "deepmd") == str(own)
    monkeypatch.setattr(program, "sys", type("Fake", (), {"executable": str(tmp_path / "python")}))
    assert find_program({}, "deepmd") == str(own)
    monkeypatch.setattr(program, "sys", type("Fake", (), {"executable": "/nowhere/python"}))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(find_program({}, "deepmd")) == own
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match=r"LAMMPS \(lmp\) is not on this computer: 'aiida-crucible env create"):
        find_program({}, "deepmd")


def test_a_launcher_beside_the_program_is_its_own(tmp_path):
    assert launched([], "/opt/lmp") == ["/opt/lmp"]
    assert launched(["srun", "-n", "4"], "/opt/lmp") == ["srun", "-n", "4", "/opt/lmp"]
    (tmp_path / "mpirun").touch()
    assert launched(["mpirun", "-np", "2"], str(tmp_path / "lmp"))[0] == str(tmp_path / "mpirun")
