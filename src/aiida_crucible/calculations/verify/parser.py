"""Parser of ``crucible.verify``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aiida.orm import Data

from aiida_crucible.calculations.parser import EngineParser


class VerifyParser(EngineParser):
    """All that a verification says is in ``results``."""

    def outputs_of_complete(self, temporary: Path) -> Mapping[str, Data]:
        """Return no further outputs."""
        del temporary
        return {}
