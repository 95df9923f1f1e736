"""What WorkChains say of children that failed."""

from __future__ import annotations

from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, WorkChainNode
from plumpy import ProcessState

from aiida_crucible.workflows.common.workchain import message_of


def ended(node, label, status, message):
    node.set_process_label(label)
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(status)
    node.set_exit_message(message)
    return node


def test_a_restart_that_gave_up_says_what_its_last_job_said(forgotten, localhost):
    chain = ended(WorkChainNode(), "RelaxBaseWorkChain", 401, "The maximum number of iterations was exceeded.").store()
    for index, message in enumerate(("the queue was full", "No EMT-potential for Fe")):
        job = ended(CalcJobNode(computer=localhost), "RelaxCalculation", 305, message)
        job.base.links.add_incoming(chain, LinkType.CALL_CALC, f"iteration_{index}")
        job.store()
    assert message_of(chain) == (
        f"RelaxBaseWorkChain<{chain.pk}>: The maximum number of iterations was exceeded. The last job said: "
        f"RelaxCalculation<{job.pk}>: No EMT-potential for Fe"
    )
    chain.set_exit_status(310)
    assert message_of(chain).endswith("exceeded.")
