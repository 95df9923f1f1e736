"""SOAP, REMatch and kernel PCA against dscribe and scikit-learn themselves, in the environment ``analysis``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from engine_jobs import engine_environment, read_arrays
from interrupted_jobs import assert_same_arrays
from similarity_jobs import run_similarity, salt_frames

pytestmark = pytest.mark.model

RANDOM_PAIRS = """
import json
import numpy as np
from ase import Atoms
from crucible_engine.tasks.similarity.descriptors import Describer
from crucible_engine.tasks.similarity.tiles import Match, TileMaker
from dscribe.descriptors import SOAP
from dscribe.kernels import REMatchKernel
from sklearn.preprocessing import normalize

rng = np.random.default_rng(11)
species = ["Na", "Cl", "K", "Br"]
soap = SOAP(species=species, r_cut=4.0, n_max=4, l_max=3, sigma=0.3, periodic=True)
ours = Describer(dict(cutoff=4.0, n_max=4, l_max=3, sigma=0.3, normalise=True), species)

def structure():
    n = int(rng.integers(2, 14))
    symbols = rng.choice(species, n)
    cell = np.eye(3) * 6 + rng.normal(0, 0.3, (3, 3))
    return Atoms(symbols, scaled_positions=rng.random((n, 3)), cell=cell, pbc=True)

errors, rows_off, sizes = [], [], set()
for pair in range(100):
    alpha, threshold = [(1.0, 1e-6), (0.1, 1e-6), (0.05, 1e-8), (0.5, 1e-3)][pair % 4]
    frames = [structure(), structure()]
    rows = [normalize(soap.create(frame)) for frame in frames]
    found = [ours.describe(frame) for frame in frames]
    rows_off.append(max(float(np.abs(a - b).max()) for a, b in zip(rows, found)))
    wanted = REMatchKernel(metric="linear", alpha=alpha, threshold=threshold).create(rows)
    with TileMaker(Match(alpha, threshold), 1) as maker:
        raw = [maker.make(found[i][None], found[j][None], i == j)[0, 0] for i, j in ((0, 0), (0, 1), (1, 1))]
    errors.append(abs(raw[1] / np.sqrt(raw[0] * raw[2]) - wanted[0, 1]))
    sizes.add(tuple(map(len, frames)))
print(json.dumps({"error": max(errors), "rows": max(rows_off), "sizes": len(sizes)}))
"""

WITHOUT_CELL = """
import json
import numpy as np
from ase.build import fcc111, molecule
from crucible_engine.tasks.similarity.descriptors import Describer
from dscribe.descriptors import SOAP

ours = Describer(dict(cutoff=5.0, n_max=4, l_max=3, sigma=0.5, normalise=False), ["C", "H", "O", "Cu"])
soap = {"species": ["C", "H", "O", "Cu"], "r_cut": 5.0, "n_max": 4, "l_max": 3, "sigma": 0.5}
ethanol, slab = molecule("CH3CH2OH"), fcc111("Cu", (2, 2, 2))
far = slab.copy()
far.center(vacuum=20.0, axis=2)
off = [
    np.abs(ours.describe(ethanol) - SOAP(**soap, periodic=False).create(ethanol)).max(),
    np.abs(ours.describe(slab) - SOAP(**soap, periodic=True).create(far)).max(),
]
print(json.dumps([float(value) for value in off]))
"""

WHOLE_JOB = """
import json, sys
import numpy as np
from crucible_engine.wire.structures import read_structures
from dscribe.descriptors import SOAP
from dscribe.kernels import REMatchKernel
from sklearn.decomposition import KernelPCA
from sklearn.preprocessing import normalize

frames = [atoms for _, atoms in read_structures(sys.argv[1])]
soap = SOAP(species=["Cl", "Na"], r_cut=5.0, n_max=7, l_max=6, sigma=0.1, periodic=True)
rows = [normalize(soap.create(atoms)) for atoms in frames]
kernel = REMatchKernel(metric="linear", alpha=0.1, threshold=1e-6).create(rows)
coordinates = KernelPCA(2, kernel="precomputed", eigen_solver="dense").fit_transform(kernel)
print(json.dumps({"kernel": kernel.tolist(), "coordinates": coordinates.tolist()}))
"""


@pytest.fixture
def answer(run_in, tmp_path):
    """Return what a script that runs in the environment prints as JSON."""

    def run(script, *arguments):
        (tmp_path / "script.py").write_text(script)
        finished = run_in("analysis", tmp_path / "script.py", *arguments, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout.splitlines()[-1])

    return run


def test_random_pairs_of_different_sizes_and_species(answer):
    found = answer(RANDOM_PAIRS)
    assert found["sizes"] > 30
    assert found["rows"] < 1e-12
    assert found["error"] < 1e-12


def test_molecules_and_slabs_need_no_cell_where_they_are_not_periodic(answer):
    assert max(answer(WITHOUT_CELL)) < 1e-11


@pytest.fixture
def job(python_of, tmp_path):
    """Return a function that runs a job with the real packages in a folder of its own."""

    def run(name, **parameters):
        environment = engine_environment(OMP_NUM_THREADS="1")
        python = str(python_of("analysis"))
        folder = tmp_path / name
        results = run_similarity(folder, salt_frames(10), python=python, environment=environment, **parameters)
        assert results["condition"] == "finished", results["message"]
        return folder, results

    return run


def test_a_job_has_the_kernel_and_the_map_of_dscribe_and_scikit_learn(job, answer):
    folder, results = job("job", alpha=0.1)
    wanted = answer(WHOLE_JOB, folder / "structures.npz")
    arrays = read_arrays(folder)
    assert np.abs(arrays["kernel"] - wanted["kernel"]).max() < 1e-12
    assert np.abs(arrays["coordinates"] - wanted["coordinates"]).max() < 1e-9
    assert results["summary"]["overlaps"][0]["overlap"] < 1


def test_little_memory_gives_the_same_kernel(job):
    """16 MiB hold the descriptors of a few blocks: the others are on the disk meanwhile."""
    (much, _), (little, results) = job("much"), job("little", memory=16)
    assert np.abs(read_arrays(much)["kernel"] - read_arrays(little)["kernel"]).max() < 1e-13
    assert results["summary"]["n_pairs"] == 210
    again, _ = job("again", memory=16)
    assert_same_arrays(read_arrays(again), read_arrays(little))
