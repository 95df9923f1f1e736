"""The CalcJob ``crucible.similarity`` and its parser."""
