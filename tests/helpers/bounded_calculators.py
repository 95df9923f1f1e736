"""ASE calculators that bear no more than so many atoms: they run out of memory, end their process, or take long."""

from __future__ import annotations

import os
import signal
import time

from crucible_engine.families.emt.adapter import OrderedEMT


class Bounded(OrderedEMT):
    """EMT that takes no more than ``n_atoms``.

    :param beyond: what happens with more: ``MemoryError``, ``CUDA`` (what torch raises) or the name of a signal.
    :param seconds_per_atom: what a call takes at least.
    """

    def __init__(self, n_atoms: int = 10**9, beyond: str = "MemoryError", seconds_per_atom: float = 0.0):
        super().__init__()
        self.n_atoms, self.beyond, self.seconds_per_atom = n_atoms, beyond, seconds_per_atom

    def calculate(self, atoms=None, *arguments, **keywords):
        time.sleep(self.seconds_per_atom * len(atoms))
        if len(atoms) > self.n_atoms:
            if self.beyond == "MemoryError":
                raise MemoryError
            if self.beyond == "CUDA":
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            os.kill(os.getpid(), getattr(signal, self.beyond))
        super().calculate(atoms, *arguments, **keywords)


def bounded(**arguments) -> Bounded:
    """Return the calculator."""
    return Bounded(**arguments)
