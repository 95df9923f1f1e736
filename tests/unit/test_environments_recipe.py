"""The recipe, executed: what it leaves behind when all goes well, when it is killed, and when it must refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from fake_uv import CUDA_PLAN, REGISTRY_PLAN, FakeUv

from aiida_crucible.environments.local import has_gpu
from aiida_crucible.environments.problems import CUDA_REFUSED_STATUS

without_gpu = pytest.mark.skipif(has_gpu(), reason="this machine has an NVIDIA driver, so that CUDA is welcome")


@pytest.fixture
def uv(tmp_path):
    return FakeUv(tmp_path)


def leftovers(uv):
    """Return what a recipe left beside environments: nothing but the (empty) files that it locks."""
    return [path.name for path in uv.root.iterdir() if path.name.startswith(".") and path.suffix != ".lock"]


def environments(uv):
    return [path for path in uv.root.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize("family", ["chgnet", "emt"])
def test_recipe_is_valid_bash(uv, family):
    check = subprocess.run(["bash", "-n"], input=uv.recipe(family), capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")


def test_packages_are_compiled_when_they_are_installed(uv):
    assert uv.run(uv.recipe())[0] == 0
    installations = [call for call in uv.calls if call.startswith("pip install") and "--dry-run" not in call]
    assert len(installations) == 2
    assert all("--compile-bytecode" in call for call in installations)


def test_environment_is_complete_and_found_again(uv):
    status, output, _ = uv.run(uv.recipe())
    assert status == 0
    (folder,) = environments(uv)
    assert output.strip() == f"{folder}/bin/python"
    content = json.loads((folder / "crucible.json").read_text())
    assert content["family"] == "chgnet"
    assert folder.name == f"chgnet-{content['lock']}"
    assert "chgnet==" in (folder / "lock.txt").read_text()
    assert "torch==" not in (folder / "lock.txt").read_text()
    assert not leftovers(uv)

    calls = uv.calls
    assert uv.run(uv.recipe()) == (0, output, "")
    assert uv.calls == calls, "what exists is not made again"


def test_family_without_torch_never_asks_for_it(uv):
    assert uv.run(uv.recipe("emt"))[0] == 0
    assert not [call for call in uv.calls if "torch==" in call]


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_interrupted_creation_leaves_nothing_half_made(uv, kill):
    uv.set("slow")
    with uv.start(uv.recipe()) as process:
        uv.wait_until_installing()
        os.killpg(process.pid, kill)
        try:
            assert process.wait(60) != 0
        finally:
            uv.unset("slow")  # what did not end would wait for ever
    assert not environments(uv)
    assert uv.run(uv.recipe())[0] == 0
    assert len(environments(uv)) == 1
    assert not leftovers(uv), "what the killed one left is cleaned up"


def test_second_creation_waits_for_the_first(uv):
    uv.set("slow")
    with uv.start(uv.recipe()) as first:
        uv.wait_until_installing()
        with uv.start(uv.recipe()) as second:
            assert "waiting" in second.stderr.readline()
            uv.unset("slow")
            assert {first.wait(60), second.wait(60)} == {0}
    assert len([call for call in uv.calls if call.startswith("venv")]) == 1


def test_environment_whose_python_is_gone_is_made_again(uv):
    uv.run(uv.recipe())
    python = environments(uv)[0] / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert uv.run(uv.recipe())[0] == 0
    assert python.exists()


def test_failed_installation_leaves_nothing(uv):
    uv.set("failure", "error: No space left on device (os error 28)\n")
    status, output, error = uv.run(uv.recipe())
    assert status != 0
    assert output == ""
    assert error.splitlines()[-2:] == [
        "error: No space left on device (os error 28)",
        "error: uv cannot install the packages of chgnet",
    ]
    assert not environments(uv)
    assert not leftovers(uv)


def test_every_file_needs_a_hash_of_the_lock(uv):
    uv.set("unreachable")
    uv.set("plan", REGISTRY_PLAN)
    status, _, error = uv.run(uv.recipe())
    assert status == 0
    installations = [call for call in uv.calls if call.startswith("pip install") and "--dry-run" not in call]
    assert all("--no-deps --require-hashes --requirement" in call for call in installations)
    (folder,) = environments(uv)
    for name, package in (("lock.txt", "chgnet==0.4.2"), ("torch.txt", "torch==2.13.0")):
        lines = (folder / name).read_text().splitlines()
        place = lines.index(f"{package} \\")
        assert lines[place + 1].startswith("    --hash=sha256:")
    assert "no hash" not in error


def test_another_build_of_torch_than_the_registrys_is_said(uv):
    """Torch's own index and a folder of wheels have other files, whose hashes no lock can know."""
    status, _, error = uv.run(uv.recipe())
    assert status == 0
    assert "torch==2.13.0+cpu is another build than the registry's, and the lock has no hash of it" in error
    assert "--require-hashes" not in uv.calls[-1]


def test_own_index_of_torch_comes_first(uv):
    assert uv.run(uv.recipe())[0] == 0
    last = uv.calls[-1]
    assert "--torch-backend cpu torch==2.13.0" in last


def test_plain_index_where_torchs_own_cannot_be_reached(uv):
    uv.set("unreachable")
    status, _, error = uv.run(uv.recipe())
    assert status == 0
    assert error.count("using the plain index") == 1
    assert "--torch-backend" not in uv.calls[-1]


def test_one_named_cuda_release_never_becomes_another_build(uv):
    uv.set("unreachable")
    status, _, error = uv.run(uv.recipe(build="cu128"))
    assert status != 0
    assert "finds no torch==2.13.0 for build 'cu128'" in error
    assert not environments(uv)


def test_release_that_is_missing_there_is_said_and_not_replaced(uv):
    uv.set("broken-index")
    status, _, error = uv.run(uv.recipe())
    assert status != 0
    assert "No solution found" in error
    assert "plain index" not in error


@without_gpu
def test_cuda_is_never_downloaded_by_surprise(uv):
    uv.set("unreachable")
    uv.set("plan", CUDA_PLAN)
    status, _, error = uv.run(uv.recipe())
    assert status == CUDA_REFUSED_STATUS
    line = error.splitlines()[-1]
    assert "(nvidia-cublas==13.1 triton==3.7.1)" in line, "the packages by name, and no harmless one among them"
    assert all(way in line for way in ("--yes", "--torch cuda", "--torch VERSION", "UV_FIND_LINKS"))
    assert not [call for call in uv.calls if call.startswith("pip") and "--dry-run" not in call]
    assert not environments(uv)


@pytest.mark.parametrize(("build", "accept"), [("cpu", True), ("cuda", False)])
def test_cuda_is_downloaded_when_it_is_wanted(uv, build, accept):
    uv.set("unreachable")
    uv.set("plan", CUDA_PLAN)
    assert uv.run(uv.recipe(build=build, accept_cuda=accept))[0] == 0


def test_uv_is_fetched_where_there_is_none(uv, tmp_path):
    """A python3 with venv and pip is enough: here one whose pip 'installs' the fake uv."""
    tools = tmp_path / "tools"
    tools.mkdir()
    python3 = tools / "python3"
    python3.write_text(
        "#!/usr/bin/env bash\n"
        # python3 -m venv FOLDER; then FOLDER/bin/python -m pip install … uv
        f'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp {uv.path} "$3/bin/.uv"; fi\n'
        'if [ "$2" = pip ]; then mv "$(dirname "$0")/.uv" "$(dirname "$0")/uv"; fi\n'
    )
    python3.chmod(0o755)
    script = uv.recipe("emt").replace(str(uv.path), "/nowhere/uv")
    script = f"export PATH={tools}:/usr/bin:/bin HOME={tmp_path}\n{script}"
    status, output, error = uv.run(script)
    assert (status, error.count("installing uv")) == (0, 1)
    assert output.strip().endswith("/bin/python")
    assert (uv.root / ".uv" / "bin" / "uv").exists()


def test_without_uv_and_python3_one_line_says_so(uv, tmp_path):
    script = uv.recipe("emt").replace(str(uv.path), "/nowhere/uv")
    status, _, error = uv.run(f"python3() {{ return 127; }}\nexport PATH=/usr/bin:/bin HOME={tmp_path}\n{script}")
    assert status != 0
    assert error.splitlines()[-1].startswith("error: there is neither uv nor a python3")
