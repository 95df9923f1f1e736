"""What a process is called and what its extras hold comes back in a dump. The page of queries is run by test_pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.build import bulk

from aiida_crucible.launch.requests import as_question

SMALL = {"phonon": {"parameters": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4], "dos_mesh": [4, 4, 4]}}}


@pytest.mark.slow
def test_a_dump_says_what_was_asked_and_the_verdict(code, model, tmp_path):
    _, judged = run_get_node(as_question(bulk("Cu"), protocol="fast", overrides=SMALL).builder(code, model))
    assert judged.is_finished_ok
    folder = tmp_path / "dump"
    profile = get_manager().get_profile().name
    verdi = Path(sys.executable).with_name("verdi")
    done = subprocess.run(
        [verdi, "-p", profile, "process", "dump", str(judged.pk), "--path", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = yaml.safe_load((folder / "aiida_node_metadata.yaml").read_text())["Node data"]["description"]
    assert f"verdict: {judged.outputs.verdict['headline']}" in told.splitlines()
    assert judged.base.extras.get("crucible_headline") == judged.outputs.verdict["headline"]
