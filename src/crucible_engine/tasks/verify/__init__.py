"""The task ``verify``: the checks that a model has to pass before its numbers are believed.

:mod:`probes` and :mod:`consistency.smoothness` make the structures, :mod:`evaluator` evaluates them.
:mod:`consistency.repeatability`, :mod:`precision`, :mod:`elements`, :mod:`derivatives.differences`,
:mod:`derivatives.continuity`, :mod:`consistency.invariance`, :mod:`consistency.supercell`, :mod:`consistency.motion`
and :mod:`weights` measure; :mod:`derivatives.diagnosis` finds out what a wrong energy, force or stress is, by its
factor and its unit. Each measurement ends as a :class:`check.Check`. :mod:`examination` puts those that need finite
numbers into an order in which one fault does not show up under other faults' names, :mod:`run` all of them.

In all of them ``evaluator`` is the model, ``probes`` are the structures, ``bases`` what the model says of each,
``scatter`` what evaluating a structure again changes, and ``precision`` what two evaluations may differ by.
"""

from __future__ import annotations

from crucible_engine.tasks.facts import Task
from crucible_engine.wire.rules import Parameter

TASK = Task(
    name="verify",
    parameters={
        "fingerprint": Parameter(bool, True, "compare with the stored fingerprint where named weights have one"),
        "seed": Parameter(int, 0, "seed of the random rotations, displacements and permutations", minimum=0),
    },
    needs_structures=False,
    rank=3,
)
