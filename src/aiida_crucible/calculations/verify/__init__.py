"""The CalcJob ``crucible.verify`` and its parser, and the verifications that there are."""
