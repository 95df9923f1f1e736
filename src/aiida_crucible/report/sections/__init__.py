"""The sections of a report, each of one subject: what the findings of a page say of it, beside each other.

A new one is a function of the findings that returns a section, or ``None`` where they say nothing of its subject; its
place in :data:`SECTIONS` is its place on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Section
from aiida_crucible.report.sections.anharmonicity import anharmonicity
from aiida_crucible.report.sections.answer import answer
from aiida_crucible.report.sections.benchmark import benchmark
from aiida_crucible.report.sections.comparison import comparison, speed
from aiida_crucible.report.sections.configuration_space import configuration_space
from aiida_crucible.report.sections.crystal import crystal
from aiida_crucible.report.sections.elasticity import elasticity
from aiida_crucible.report.sections.heat import heat
from aiida_crucible.report.sections.methods import methods, reproduce
from aiida_crucible.report.sections.model_tests import model_tests
from aiida_crucible.report.sections.origin import origin
from aiida_crucible.report.sections.phonons import phonons
from aiida_crucible.report.sections.temperatures import temperatures
from aiida_crucible.report.sections.verification import verification
from aiida_crucible.report.sections.vibrations import vibrations

SECTIONS: tuple[Callable[[Sequence[Finding]], Section | None], ...] = (
    answer,
    comparison,
    benchmark,
    model_tests,
    crystal,
    phonons,
    elasticity,
    heat,
    vibrations,
    temperatures,
    anharmonicity,
    configuration_space,
    speed,
    verification,
    methods,
    reproduce,
    origin,
)
"""From top to bottom."""
