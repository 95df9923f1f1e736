"""What the adapters of torch-based packages share: devices and precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray

from crucible_engine.families.base import Evaluation, Identity, Model, stress_of
from crucible_engine.wire.devices import require_precision
from crucible_engine.wire.schema import Condition, EngineError

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class TorchModel(Model):
    """A model that is a network of torch's, on its device and in its precision."""

    def __init__(self, network: Any, identity: Identity, elements: frozenset[int], conservative: bool = True) -> None:
        super().__init__(identity, elements, conservative)
        self.network = network


def evaluations(
    batch: Sequence[Atoms], energies: torch.Tensor, forces: torch.Tensor, stresses: torch.Tensor | None
) -> list[Evaluation]:
    """Return what a network says of a batch, structure by structure.

    :param energies: eV, [n_structures].
    :param forces: eV/Å, of all structures one after the other, [n_atoms, 3].
    :param stresses: eV/Å³, see :func:`crucible_engine.families.base.stress_of`; ``None``, if they are not wanted.
    """
    parts = np.split(to_numpy(forces), np.cumsum([len(atoms) for atoms in batch])[:-1])
    tensors = [None] * len(batch) if stresses is None else to_numpy(stresses)
    return [
        Evaluation(float(energy), part, stress_of(atoms, stress))
        for atoms, energy, part, stress in zip(batch, to_numpy(energies), parts, tensors, strict=True)
    ]


def resolve_device(device: str, dtype: str = "float64") -> str:
    """Return torch's name of a device.

    :param device: see :data:`crucible_engine.wire.devices.NAMES`; ``auto`` is a GPU where there is one.
    :param dtype: what is to be computed in.
    :raises EngineError: ``DEVICE_UNAVAILABLE``, with the devices that there are, or where one has no such precision.
    """
    try:
        require_precision(device, dtype)
    except ValueError as error:
        raise EngineError(Condition.DEVICE_UNAVAILABLE, str(error)) from None
    available = available_devices()
    if device == "auto":
        return available[-1] if available[-1] == "cuda" else "cpu"
    if device not in available:
        raise EngineError(
            Condition.DEVICE_UNAVAILABLE,
            f"device {device!r} is not there: this machine and this build of torch ({torch.__version__}) offer "
            f"{', '.join(available)}",
        )
    return device


def available_devices() -> list[str]:
    """Return the names of the devices that torch can use here, ``cpu`` first and ``cuda`` last."""
    devices = ["cpu"]
    if torch.backends.mps.is_available():
        devices.append("mps")
    if torch.cuda.is_available():
        devices += [*(f"cuda:{index}" for index in range(torch.cuda.device_count())), "cuda"]
    return devices


def to_numpy(tensor: torch.Tensor) -> NDArray[np.float64]:
    """Return a tensor's values in double precision, wherever it lies."""
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)


@contextlib.contextmanager
def default_dtype(dtype: str) -> Iterator[None]:
    """Make ``dtype`` torch's default for a while: packages build their input tensors with the default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        yield
    finally:
        torch.set_default_dtype(before)
