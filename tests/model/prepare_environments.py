"""Make the environments of the model tests beforehand, where their progress can be seen and no test's time runs out.

A family whose environment cannot be made is reported here, and its tests are then skipped with the reason.
"""

import sys

from aiida_crucible.environments import ModelEnvironmentError, ensure

for family in ("chgnet", "sevennet", "mace", "orb"):
    try:
        ensure(family)
    except ModelEnvironmentError as error:
        sys.stderr.write(f"{error}\n")
