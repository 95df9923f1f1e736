"""Make a checkpoint for a family whose package ships no weights.

Usage: python make_checkpoint.py CASE FOLDER    (a case of tests/helpers/conformance_cases.py)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from conformance_cases import CASES, make_checkpoint

if __name__ == "__main__":
    make_checkpoint(CASES[sys.argv[1]], sys.argv[2])
