"""The checks that a model has to pass before its numbers are believed; the task ``verify`` runs them all.

``probes`` makes the structures, ``evaluator`` evaluates them, ``repeatability``, ``invariance``, ``differences`` and
``weights`` measure, ``diagnosis`` finds out what a wrong force or stress is, and each measurement ends as a
:class:`crucible_engine.verification.check.Check`.
"""
