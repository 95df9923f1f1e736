"""An ASE calculator whose process dies whenever it meets a certain element."""

from __future__ import annotations

import os
import signal

from crucible_engine.families.emt.adapter import OrderedEMT


class Poisoned(OrderedEMT):
    """EMT that ends its own process.

    :param symbol: of the element.
    """

    def __init__(self, symbol: str):
        super().__init__()
        self.symbol = symbol

    def calculate(self, atoms=None, *arguments, **keywords):
        if self.symbol in atoms.symbols:
            os.kill(os.getpid(), signal.SIGKILL)
        super().calculate(atoms, *arguments, **keywords)


def poisoned(**arguments) -> Poisoned:
    """Return the calculator."""
    return Poisoned(**arguments)
