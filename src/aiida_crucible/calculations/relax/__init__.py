"""The CalcJob ``crucible.relax`` and its parser."""
