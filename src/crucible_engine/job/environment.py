"""What a job ran on, for its results: Python, packages, device, host, and the memory that it took."""

from __future__ import annotations

import contextlib
import platform
import re
import resource
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "ase", "scipy", "spglib", "scikit-learn")
"""What changes numbers besides the model's own package."""


def describe_environment(package: str, device: str) -> dict[str, Any]:
    """Return what ran.

    :param package: distribution that the model came from.
    :param device: torch's name of the device that the model is on.
    """
    versions = {name: version for name in (package, *PACKAGES) if (version := package_version(name))}
    return {
        "python": platform.python_version(),
        "packages": versions,
        "device": device_in_words(device),
        "device_kind": device.split(":", maxsplit=1)[0],
        "host": platform.node(),
        "platform": platform.platform(),
        **_cuda(device),
    }


def package_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, ``None`` if there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def device_in_words(device: str) -> str:
    """Return the name that its maker gave a device."""
    if device.startswith("cuda"):
        return str(sys.modules["torch"].cuda.get_device_name(device))
    return _processor()


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cuda(device: str) -> dict[str, str]:
    """Return the versions of CUDA and of the driver for a device that has them."""
    if not device.startswith("cuda"):
        return {}
    found = {"cuda": str(sys.modules["torch"].version.cuda)}
    with contextlib.suppress(OSError):
        first_line = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
        if match := re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", first_line):
            found["driver"] = match.group(1)
    return found


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, MiB."""
    with contextlib.suppress(OSError):
        # Not `getrusage`: Linux lets a child begin with its parent's maximum there.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024**2 if sys.platform == "darwin" else 1024)


def peak_device_memory(device: str) -> float | None:
    """Return the largest memory that torch held on a GPU so far, MiB; ``None`` for a CPU."""
    if not device.startswith("cuda"):
        return None
    return float(sys.modules["torch"].cuda.max_memory_allocated(device)) / 1024**2
