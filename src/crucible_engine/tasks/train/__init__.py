"""The task ``train``: fine-tune a model on labelled structures, or train one like it from scratch."""

from __future__ import annotations

from crucible_engine.tasks.facts import Task
from crucible_engine.tasks.train.parameters import DETAILS, TRAIN, check_train

TASK = Task(
    name="train",
    parameters=TRAIN,
    complete=check_train,
    has_labels=True,
    changeable=DETAILS,
    rank=4,
)
