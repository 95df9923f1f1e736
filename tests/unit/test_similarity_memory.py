"""How much memory a job of similarity may have, whoever limits it."""

from __future__ import annotations

import pytest

from crucible_engine.tasks.similarity import plan
from crucible_engine.wire.schema import EngineError


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Return a function that writes limits (bytes) of control groups and what says which group this process is in."""
    monkeypatch.setattr(plan, "CONTROL_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(plan, "MEMBERSHIP", tmp_path / "membership")
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"):
        monkeypatch.delenv(name, raising=False)

    def write(membership, **limits):
        (tmp_path / "membership").write_text(membership)
        for place, limit in limits.items():
            path = tmp_path / "cgroup" / place.replace("__", "/") / ("memory.max" if "::" in membership else
                                                                     "memory.limit_in_bytes")  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{limit}\n")

    return write


def refusal(wanted):
    with pytest.raises(EngineError) as error:
        plan.require_memory(wanted)
    assert "\n" not in error.value.message
    return error.value.message


def test_the_innermost_group_and_those_around_it_count(groups):
    groups("0::/slurm/job_7/step_0\n", slurm__job_7__step_0="max", slurm__job_7=600 << 20, slurm=9 << 30)
    plan.require_memory(600)
    assert refusal(601) == "memory is 601 MiB, but the container or job has 600 MiB: give less, or ask for more"


def test_the_older_control_groups(groups):
    groups("5:cpu:/x\n4:memory:/docker/1\n", memory__docker__1=500 << 20, memory=9223372036854771712)
    assert "the container or job has 500 MiB" in refusal(501)


def test_a_container_whose_group_only_the_host_sees(groups, tmp_path):
    groups("0::/../other\n")
    (tmp_path / "cgroup").mkdir(exist_ok=True)
    (tmp_path / "cgroup" / "memory.max").write_text(str(400 << 20))
    assert "has 400 MiB" in refusal(401)


@pytest.mark.parametrize(
    "variables", [{"SLURM_MEM_PER_NODE": "300"}, {"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "3"}]
)
def test_an_allocation(groups, monkeypatch, variables):
    groups("")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    plan.require_memory(300)
    assert refusal(400) == ("memory is 400 MiB, but the scheduler's allocation has 300 MiB: give less, or ask for more")


def test_zero_of_slurm_is_all_of_the_node(groups, monkeypatch):
    groups("")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    plan.require_memory(64)
    assert "but this machine has" in refusal(10**9)
