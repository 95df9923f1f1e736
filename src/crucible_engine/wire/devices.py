"""Which devices a job may ask for: one rule for both sides."""

from __future__ import annotations

import re

NAMES = "auto, cpu, cuda, cuda:N or mps"
WITHOUT_DOUBLE_PRECISION = ("mps",)


def require_device(device: str) -> None:
    """Refuse the name of a device that the engine does not compute on.

    :raises ValueError: one line.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ValueError(f"device {device!r} is unknown: give {NAMES}")


def require_precision(device: str, dtype: str) -> None:
    """Refuse a device that cannot compute in a precision.

    :param device: its name.
    :param dtype: ``float32`` or ``float64``.
    :raises ValueError: one line.
    """
    if dtype == "float64" and device in WITHOUT_DOUBLE_PRECISION:
        raise ValueError(
            f"device {device!r} has no double precision, in which this job computes (float64): give cpu or cuda, or "
            "a model with dtype float32"
        )
