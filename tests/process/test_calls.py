"""A calcfunction that was finished is not called again where a step begins anew."""

from __future__ import annotations

import pytest
from aiida.engine import WorkChain, calcfunction, run_get_node
from aiida.orm import Int

from aiida_crucible.workflows.common.workchain import call_once

pytestmark = pytest.mark.usefixtures("aiida_profile")


@calcfunction
def halve(number):
    """Return half of an even number."""
    if number.value % 2:
        raise ValueError("it is odd")
    return {"half": Int(number.value // 2)}


class Restless(WorkChain):
    """Does each of its steps twice, as a worker that is killed before a checkpoint does."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.once, cls.once, cls.failing, cls.failing)
        spec.outputs.dynamic = True

    def once(self):
        """Halve three numbers by names of which AiiDA's filter takes two for each other."""
        for name, number in (("halfxofxa", 2), ("half_of_a", 8), ("half_of_b", 4)):
            self.out(f"of_{number}", call_once(self, name, halve, Int(number))["half"])

    def failing(self):
        """Fail, which is no result that could be found again."""
        with pytest.raises(ValueError, match="it is odd"):
            call_once(self, "odd", halve, Int(3))


@pytest.mark.slow
def test_what_is_finished_is_found_and_what_failed_is_tried_again():
    outputs, node = run_get_node(Restless)
    assert node.is_finished_ok, node.exit_message
    assert {name: number.value for name, number in outputs.items()} == {"of_2": 1, "of_8": 4, "of_4": 2}
    assert len(node.called) == 5  # three, and the failing one twice
