"""The checks that a model has to pass before its numbers are believed; the task ``verify`` runs them all.

``probes`` and ``settling`` make the structures, ``evaluator`` evaluates them, ``repeatability``, ``resolution``,
``presence``, ``differences``, ``continuity``, ``invariance``, ``supercell`` and ``weights`` measure, ``diagnosis``
finds out what a wrong energy, force or stress is (``energy_scale``, ``gradients``), and each measurement ends as a
:class:`crucible_engine.verification.check.Check`.
"""
