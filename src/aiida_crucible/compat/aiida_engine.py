"""What is used of ``aiida.engine``, aiida's management and plumpy beyond their documented interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plumpy
from aiida.common import AttributeDict
from aiida.engine import PortNamespace, Process, ProcessBuilder
from aiida.engine.daemon.client import DaemonException as DaemonException
from aiida.engine.daemon.client import DaemonNotRunningException as DaemonNotRunningException
from aiida.engine.daemon.client import get_daemon_client as get_daemon_client
from aiida.engine.daemon.execmanager import kill_calculation as kill_calculation
from aiida.engine.processes.builder import ProcessBuilderNamespace as ProcessBuilderNamespace
from aiida.engine.processes.workchains.workchain import WorkChainSpec as WorkChainSpec
from aiida.manage.configuration.settings import AiiDAConfigDir
from plumpy.processes import PROCESS_STACK


def ports_of(builder: ProcessBuilderNamespace) -> PortNamespace:
    """Return the ports that a builder, or a part of one, fills."""
    ports: PortNamespace = builder._port_namespace
    return ports


def given_inputs(builder: ProcessBuilder) -> Mapping[str, Any]:
    """Return the inputs of a builder as AiiDA submits them: without what is empty."""
    inputs: Mapping[str, Any] = AttributeDict(builder._inputs(prune=True))
    return inputs


def callers_now() -> list[Process]:
    """Return the processes that are being stepped around this call, the outermost first."""
    return list(PROCESS_STACK.get())


def kill_process(process: Process, reason: str) -> None:
    """Kill a process itself, not its job: AiiDA's own `kill` of a CalcJob cannot wait inside the loop."""
    plumpy.Process.kill(process, reason)


def use_configuration(folder: Path) -> None:
    """Let AiiDA keep its configuration in a folder from now on."""
    AiiDAConfigDir.set(folder)
