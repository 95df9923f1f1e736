"""Stands for the Python of a model's environment: reads the checkpoint file's digest and computes with EMT.

With it a test sees a checkpoint file's whole way without any model's package. In addition it is killed, as a scheduler
does it for the memory, where a batch has more than two structures.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

job = json.loads(Path("job.json").read_text())
if (job["parameters"].get("batch_size") or 1) > 2:
    os.kill(os.getpid(), signal.SIGKILL)
digest = None
if job["model"]["checkpoint"]:
    checkpoint = Path(job["model"]["checkpoint"])
    if not checkpoint.exists():
        missing = {
            "task": "evaluate",
            "condition": "checkpoint-missing",
            "message": "where is it?",
            "protocol": job["protocol"],
        }
        Path("results.json").write_text(json.dumps(missing))
        sys.exit()
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
job["model"] = {"family": "emt", "name": "emt", "dtype": "float64"}
Path("job.json").write_text(json.dumps(job))
subprocess.run([sys.executable, *sys.argv[1:]], check=True)
results = json.loads(Path("results.json").read_text())
results["model"]["sha256"] = digest or results["model"]["sha256"]
Path("results.json").write_text(json.dumps(results))
