"""An ASE calculator that complains, as libraries in C do, to descriptor 2 whatever that is."""

from __future__ import annotations

import contextlib
import os

from crucible_engine.families.emt.adapter import OrderedEMT


class Loud(OrderedEMT):
    """EMT that complains at each calculation."""

    def calculate(self, *arguments, **keywords):
        with contextlib.suppress(OSError):
            os.write(2, b"a warning of a library\n" * 10)
        super().calculate(*arguments, **keywords)


def loud() -> Loud:
    """Return the calculator."""
    return Loud()
