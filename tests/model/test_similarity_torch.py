"""The kernel of the GPU's code is that of the CPU's; here torch runs it on the CPU, since CI has no GPU."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.model

BOTH = """
import json
import numpy as np
from crucible_engine.wire.schema import EngineError
from crucible_engine.tasks.similarity.gpu import GpuTileMaker, find_device
from crucible_engine.tasks.similarity.tiles import Match, TileMaker

rng = np.random.default_rng(5)

def frames(count, n_atoms):
    rows = rng.exponential(size=(count, n_atoms, 30)) ** 2
    return rows / np.linalg.norm(rows, axis=2)[:, :, None]

errors, asked = [], 0
def pause():
    global asked
    asked += 1

for alpha, threshold in ((1.0, 1e-6), (0.1, 1e-8), (0.02, 1e-6), (0.5, 1e-3)):
    settings, first, second = Match(alpha, threshold), frames(7, 12), frames(5, 9)
    with TileMaker(settings, 1) as wanted, GpuTileMaker(settings, "cpu") as found:
        for entries in (1 << 22, 12 * 9 * 4):
            found._entries = lambda entries=entries: entries
            for pair, is_diagonal in (((first, second), False), ((first, first), True)):
                both = [maker.make(*pair, is_diagonal, pause) for maker in (wanted, found)]
                errors.append(float(np.abs(both[0] - both[1]).max()))
broken = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([[[1.0, 0.0], [-1.0, 0.0]]])
with GpuTileMaker(Match(1e-3, 1e-6), "cpu") as maker:
    vanished = bool(np.isnan(maker.make(*broken, False)[0, 0]))
devices = {"auto": find_device("auto")}
for name in ("cuda:7", "mps"):
    try:
        find_device(name)
    except EngineError as error:
        devices[name] = error.message
print(json.dumps({"error": max(errors), "asked": asked, "vanished": vanished, "devices": devices}))
"""


@pytest.fixture(scope="module")
def found(run_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    (folder / "both.py").write_text(BOTH)
    finished = run_in("chgnet", folder / "both.py", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def test_kernel(found):
    assert found["error"] < 1e-13
    assert found["asked"] > 16
    assert found["vanished"], "weights that vanish end the iteration"


def test_devices(found):
    assert found["devices"]["cuda:7"].startswith("device 'cuda:7' is not there: this machine and this build of torch")
    assert found["devices"]["mps"] == "device 'mps' has no double precision: similarity runs on cpu or cuda"
