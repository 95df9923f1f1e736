"""The CalcJob ``crucible.evaluate`` and its parser."""
