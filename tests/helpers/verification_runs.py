"""Verify a model with its real package, as it is and with planted faults.

Run by the Python of a family's environment, which needs no pytest::

    python verification_runs.py CASE FOLDER REPORT.json [FAULT ...]

The report has the summary of the sound model, its fingerprint's check and, for each fault to plant, the names of those
found; then also what noise, missing images and other weights are found to be.
"""

import json
import sys
from pathlib import Path

from conformance_cases import CASES, load, make_checkpoint
from planted_faults import PLANTED, FaultyModel, Noise, no_images, scaled

from crucible_engine.families.registry import FAMILIES
from crucible_engine.tasks.verify.run import verify_model
from crucible_engine.tasks.verify.weights import check_fingerprint


def main(name, folder, report, *faults):
    case = CASES[name]
    make_checkpoint(case, folder)
    model = load(case, folder, FAMILIES[case.family].default_dtype)
    verification = verify_model(model, seed=1)
    content = {
        "summary": verification.to_dict(),
        "fingerprint": check_fingerprint(model, True, verification.faults).to_dict(),
    }
    if faults:
        content["planted"] = {fault: verify_model(FaultyModel(model, *PLANTED[fault][0])).faults for fault in faults}
        content["noise"] = verify_model(FaultyModel(model, Noise(forces=1e-3))).faults
        content["no images"] = verify_model(FaultyModel(model, no_images)).faults
        other = FaultyModel(model, scaled(energy=1.001, forces=1.001, stress=1.001))
        content["other weights"] = check_fingerprint(other, True, []).to_dict()
    Path(report).write_text(json.dumps(content))


if __name__ == "__main__":
    main(*sys.argv[1:])
