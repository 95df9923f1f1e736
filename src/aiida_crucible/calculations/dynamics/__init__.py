"""The CalcJob ``crucible.dynamics``, its monitor and its parser."""
