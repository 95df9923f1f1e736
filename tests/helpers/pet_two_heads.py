"""A tiny PET with heads for forces and stress beside its energy; runs in its environment.

    python pet_two_heads.py FOLDER REPORT.json

Trains it in the folder, compares its direct forces with those of metatomic's calculator, and runs each kind.
"""

import json
import shutil
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pet_springs
from ase.build import bulk
from engine_jobs import read_arrays, run_here, write_job
from metatomic.torch import load_atomistic_model
from metatomic_ase import MetatomicCalculator
from refusals import said

from crucible_engine.families.load import load_model
from crucible_engine.families.pet import conformance
from crucible_engine.wire.schema import SERIES_COLUMNS, ModelReference

EPOCHS = 40
STEPS = 1600
KINDS = {
    "conservative": {"forces": "conservative"},
    "direct": {"forces": "direct", "temperature_limit": 1e6, "lindemann_limit": 10.0},
    "both": {"direct_steps": 8},
}


def reference(path, dtype="float64", **settings):
    return ModelReference("pet", checkpoint=str(path), dtype=dtype, settings=settings, trust_pickle=True)


def compare(folder, path, report):
    """Compare direct forces and stress with those of metatomic's calculator, alone and in a batch."""
    frames = conformance.labelled_frames(range(3))
    conservative, direct = load_model(reference(path)), load_model(reference(path, forces="direct"))
    report["kinds"] = [conservative.conservative, direct.conservative, conservative.has_direct_forces]
    report["gives stress"] = [conservative.gives_stress, direct.gives_stress]
    network = load_atomistic_model(path)
    network.capabilities().dtype = "float64"
    package = MetatomicCalculator(
        network.double(), device="cpu", non_conservative=True, uncertainty_threshold=None, check_consistency=False
    )
    answers = direct.evaluate_batch(frames)
    gradients = conservative.evaluate_batch(frames)
    differences = []
    for atoms, answer in zip(frames, answers, strict=True):
        atoms.calc = package
        differences += [
            abs(answer.energy - atoms.get_potential_energy()),
            np.abs(answer.forces - atoms.get_forces()).max(),
            np.abs(answer.stress - atoms.get_stress()).max(),
        ]
    report["difference from the package"] = float(max(differences))
    report["difference of the energies"] = max(
        abs(one.energy - other.energy) for one, other in zip(answers, gradients, strict=True)
    )
    report["kinds apart"] = float(np.abs(answers[0].forces - gradients[0].forces).max())
    report["back again"] = float(
        np.abs(direct.with_forces("conservative").evaluate_batch(frames)[0].forces - gradients[0].forces).max()
    )
    bare = pet_springs.write(folder / "bare.pt", outputs=["energy"])
    report["no heads"] = said(lambda: load_model(reference(bare, forces="direct")))
    lonely = pet_springs.write(folder / "forces.pt", outputs=["energy", "non_conservative_force"])
    report["no stress"] = load_model(reference(lonely, forces="direct")).gives_stress


def runs(folder, path, report):
    """Run each kind without thermostat from 500 K at 0.5 fs, and keep what tells of the energy."""
    crystal = {"alloy": bulk("Cu", cubic=True) * (2, 1, 1)}
    crystal["alloy"].symbols[::4] = "Al"
    common = {
        "ensemble": "nve", "temperatures": [500.0], "time_step": 0.5, "steps": STEPS, "series_interval": 8,
        "frame_interval": 0, "on_failure": "continue",
    }  # fmt: skip
    for kind, changes in KINDS.items():
        job = write_job(folder / kind, "dynamics", crystal, model=reference(path), **common, **changes)
        began = time.monotonic()
        results = run_here(job)
        report[kind] = {"condition": results["condition"], "message": results["message"]}
        if results["condition"] != "finished":
            continue
        series = dict(zip(SERIES_COLUMNS, read_arrays(job)["series_0"].T.tolist(), strict=True))
        energies = np.add(series["potential_energy"], series["kinetic_energy"])
        report[kind] |= {
            "seconds": time.monotonic() - began,
            "milliseconds": 1000 * results["timings"]["compute"] / results["summary"]["steps_done"],
            "outcome": results["outcome"],
            "forces": results["summary"]["forces"],
            "times": series["time"],
            "energies": energies.tolist(),
            "temperatures": series["temperature"],
            "n_atoms": len(crystal["alloy"]),
        }


def main(folder, report_file):
    folder, report = Path(folder), {}
    began = time.monotonic()
    trained = folder / "trained"
    training, validation = conformance.labelled_frames(range(40)), conformance.labelled_frames(range(40, 50))
    conformance.train(trained, training, validation, EPOCHS, direct=("force", "stress"))
    path = shutil.copy(trained / "model.pt", folder / "model.pt")
    report["training"] = time.monotonic() - began
    compare(folder, Path(path), report)
    runs(folder, path, report)
    Path(report_file).write_text(json.dumps(report))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(*sys.argv[1:])
