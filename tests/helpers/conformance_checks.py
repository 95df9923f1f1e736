"""The conformance suite: what every adapter must do, with its real package and real weights.

Run by the Python of a family's environment, which needs no pytest::

    python conformance_checks.py CASE FOLDER REPORT.json

``FOLDER`` keeps checkpoints that are made on the spot; the report has one entry for each check.
"""

import json
import sys
import traceback
from pathlib import Path

import conformance_behaviour  # noqa: F401 (importing registers the checks)
import conformance_checkpoints  # noqa: F401
import conformance_numbers  # noqa: F401
from conformance_cases import CASES, make_checkpoint
from conformance_suite import CHECKS, Suite, check


@check
def the_process_is_left_as_it_was(suite):
    """After all the others."""
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        assert torch.get_default_dtype() is torch.float32
    if "chgnet.model.model" in sys.modules:
        assert sys.modules["chgnet.model.model"].TORCH_DTYPE is torch.float32


def main(case_name, folder, report):
    """Run every check and write what each said; nothing of it goes to the standard output."""
    case = CASES[case_name]
    make_checkpoint(case, folder)
    suite = Suite(case, folder)
    outcome = {}
    for name, function in CHECKS.items():
        try:
            function(suite)
        except Exception:
            outcome[name] = traceback.format_exc()
        else:
            outcome[name] = None
    Path(report).write_text(json.dumps(outcome, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
