"""Lets EMT cost what a big model would, in a Python that finds this folder in its path when it starts.

``COSTLY_EMT_SECONDS`` are slept before each calculation, and ``COSTLY_EMT_MEGABYTES`` are held from the first one on.
"""

import os
import time

from ase.calculators.emt import EMT

calculate = EMT.calculate


def calculate_at_a_cost(self, *arguments, **keywords):
    self.held = b"." * (int(os.environ["COSTLY_EMT_MEGABYTES"]) * 2**20)
    time.sleep(float(os.environ["COSTLY_EMT_SECONDS"]))
    calculate(self, *arguments, **keywords)


EMT.calculate = calculate_at_a_cost
