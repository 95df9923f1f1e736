"""Make the environments of the model tests beforehand, where their progress can be seen and no test's time runs out.

Where one cannot be made, this says why, and the tests that need it are skipped with the same reason.
"""

import sys
from contextlib import suppress
from pathlib import Path

from aiida_crucible.environments import ModelEnvironmentError, ensure
from aiida_crucible.environments.specification import environments_with_a_lock

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from conformance_cases import HEAVY
from package_sources import source_of

for name in sorted(set(environments_with_a_lock()) - HEAVY):
    with suppress(ModelEnvironmentError):
        ensure(name, source=source_of(name))
