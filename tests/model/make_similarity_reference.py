"""Store dscribe's kernels between descriptors of random numbers: run with the Python of the environment ``analysis``.

``aiida-crucible env create analysis`` makes it; then
``PYTHONPATH=src:tests/helpers PYTHON tests/model/make_similarity_reference.py``.
"""

import json
from importlib.metadata import version

from dscribe.kernels import REMatchKernel
from similarity_jobs import REFERENCE, SETTINGS, reference_rows

kernels = [
    {
        "alpha": alpha,
        "threshold": threshold,
        "kernel": REMatchKernel(metric="linear", alpha=alpha, threshold=threshold).create(reference_rows()).tolist(),
    }
    for alpha, threshold in SETTINGS
]
REFERENCE.write_text(json.dumps({"dscribe": version("dscribe"), "kernels": kernels}, indent=1) + "\n")
