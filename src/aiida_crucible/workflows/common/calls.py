"""Calcfunctions that a WorkChain calls once, whatever happens to its worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida.common.links import LinkType
from aiida.engine import WorkChain
from aiida.orm import Data


def call_once(
    chain: WorkChain, name: str, function: Callable[..., dict[str, Data]], *arguments: Data, **nodes: Data
) -> dict[str, Data]:
    """Return what a calcfunction makes, or what it has made.

    A worker that is killed in a step begins the step again: what was finished before is found by the name of its call.

    :param chain: the WorkChain that calls.
    :param name: of this call in this WorkChain.
    :param function: a calcfunction with several outputs.
    """
    calls: Any = chain.node.base.links.get_outgoing(link_type=LinkType.CALL_CALC, link_label_filter=name)
    for call in calls.all():
        # The filter takes an underscore for any character.
        if call.link_label == name and call.node.is_finished_ok:
            made: dict[str, Data] = call.node.base.links.get_outgoing(link_type=LinkType.CREATE).nested()
            return dict(made)
    return function(*arguments, **nodes, metadata={"call_link_label": name})
