"""What a WorkChain needs to offer protocols: reads its YAML, merges overrides, refuses what is misspelt."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import yaml
from aiida.common import AttributeDict
from aiida.common.exceptions import MultipleObjectsError, NotExistent, ValidationError
from aiida.engine import PortNamespace, ProcessBuilder
from aiida.engine.processes.builder import ProcessBuilderNamespace
from aiida.orm import AbstractCode, Computer, Dict, Node, QueryBuilder, load_code, load_computer

from aiida_crucible.calculations.misfits import misfit
from aiida_crucible.environments.codes import missing_code
from crucible_engine.wire.rules import plain, shown, suggestion


class ProtocolMixin:
    """Gives a WorkChain named settings from the file ``protocol.yaml`` beside its module.

    The file has ``default_protocol``, ``default_inputs`` and ``protocols``: for each name a ``description`` and what
    differs from the default inputs.
    """

    @classmethod
    def get_available_protocols(cls) -> dict[str, str]:
        """Return the names of the protocols with their descriptions."""
        return {name: content["description"] for name, content in cls._read_protocols()["protocols"].items()}

    @classmethod
    def get_default_protocol(cls) -> str:
        """Return the name of the protocol that is used where none is named."""
        return str(cls._read_protocols()["default_protocol"])

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol, nested as the ports are.

        :param protocol: its name; by default :meth:`get_default_protocol`.
        :param overrides: what to set otherwise, nested as the ports are.
        :raises ValueError: one line, if a name is misspelt.
        """
        content = cls._read_protocols()
        name = content["default_protocol"] if protocol is None else protocol
        if name not in content["protocols"]:
            raise ValueError(f"there is no protocol {name!r}: {suggestion(name, list(content['protocols']))}")
        chosen = {key: value for key, value in content["protocols"][name].items() if key != "description"}
        return cls.override(merged(content["default_inputs"], chosen), overrides)

    @classmethod
    def override(cls, inputs: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return nested inputs with overrides put over them.

        :raises ValueError: one line that says which name was meant, if an override is of no port.
        """
        overrides = {} if overrides is None else overrides
        check_overrides(cls.spec().inputs, overrides)  # type: ignore[attr-defined]
        return merged(inputs, overrides)

    @classmethod
    def _read_protocols(cls) -> dict[str, Any]:
        text = resources.files(cls.__module__.rpartition(".")[0]).joinpath("protocol.yaml").read_text("utf-8")
        content: dict[str, Any] = yaml.safe_load(text)
        return content


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with others put over them; neither argument is changed."""
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        plain = value.get_dict() if isinstance(value, Dict) else value
        if isinstance(plain, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], plain)
        else:
            result[key] = plain
    return result


def with_options(
    inputs: Mapping[str, Any], ports: PortNamespace, jobs: Sequence[str], options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return nested inputs with ``metadata.options`` set in the namespaces of CalcJobs.

    :param ports: those of the WorkChain.
    :param jobs: the namespaces, their levels separated by points.
    :raises ValueError: one line, if an option is misspelt.
    """
    result = dict(inputs)
    for job in jobs if options is not None else ():
        check_overrides(ports.get_port(f"{job}.metadata.options"), options, "options")
        nested: dict[str, Any] = {"metadata": {"options": dict(options or {})}}
        for level in reversed(job.split(".")):
            nested = {level: nested}
        result = merged(result, nested)
    return result


def check_overrides(ports: PortNamespace, overrides: Any, path: str = "") -> None:
    """Refuse overrides that no port takes; what is inside a ``Dict`` is checked when the port takes it.

    :param path: where in the overrides this is, as the message should call it.
    :raises ValueError: one line that says which name was meant.
    """
    if not isinstance(overrides, Mapping):
        what = f"override {path!r} is" if path else "overrides are"
        raise ValueError(f"{what} {shown(overrides)}: give a dict of {', '.join(ports)}")
    for key, value in overrides.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in ports:
            # AiiDA makes every process's own namespace dynamic; one that takes any name declares none.
            if len(ports) or not ports.dynamic:
                raise ValueError(f"override {where!r} is unknown: {suggestion(key, list(ports))}")
        elif isinstance(ports[key], PortNamespace):
            check_overrides(ports[key], value, where)
        elif ports[key].valid_type is Dict and not isinstance(value, Mapping | Dict):
            raise ValueError(f"override {where!r} is {shown(value)}: give a dict or a Dict node")


def fill_builder(builder: ProcessBuilder, inputs: Mapping[str, Any]) -> None:
    """Put nested inputs into a builder and check all that can be known of them before they are submitted.

    :raises ValueError: one line, if an input is of another type or refused, or does not fit to the others.
    """
    _fill(builder, {key: _plain(value) for key, value in inputs.items()}, "")
    ports = builder.process_class.spec().inputs
    # As AiiDA does at submission.
    problem = ports.validate(ports.pre_process(AttributeDict(builder._inputs(prune=True))))
    if problem is not None:
        raise ValueError(problem.message)


def _fill(builder: ProcessBuilderNamespace, inputs: Mapping[str, Any], path: str) -> None:
    for key, value in inputs.items():
        where = f"{path}.{key}" if path else key
        ports = builder._port_namespace
        port = ports.get(key)
        if port is None and (len(ports) or not ports.dynamic):
            raise ValueError(f"input {where!r} is unknown: {suggestion(key, list(ports))}")
        if isinstance(port, PortNamespace) and len(port) and isinstance(value, Mapping):
            _fill(builder[key], value, where)
            continue
        _check_type(where, port, value)
        try:
            setattr(builder, key, value)
        except (TypeError, ValueError) as error:
            complaint = str(error).removeprefix("invalid attribute value ")
            raise ValueError(f"input {where!r}: {complaint}") from error


def _plain(value: Any) -> Any:
    """Return nested inputs with numpy's numbers as Python's; nodes and what holds them stay."""
    if isinstance(value, Mapping) and not isinstance(value, Node):
        return {key: _plain(item) for key, item in value.items()}
    return plain(value)


def _check_type(where: str, port: Any, value: Any) -> None:
    """Refuse a value that neither is what a port takes nor becomes it, in the words of the one who gave it."""
    if isinstance(port, PortNamespace):
        for key, item in value.items() if isinstance(value, Mapping) else ():
            _require_type(f"{where}.{key}", item, item, port.valid_type)
    elif port is not None:
        try:
            node = port.serialize(value)
        except TypeError:
            node = None
        except ValidationError as error:  # of a Dict that holds what no database takes
            raise ValueError(f"input {where!r} is {shown(value)}: {error}") from error
        _require_type(where, value, node, port.valid_type)


def _require_type(where: str, given: Any, value: Any, valid_type: Any) -> None:
    types = valid_type if isinstance(valid_type, tuple) else (valid_type,)
    if valid_type is not None and not isinstance(value, types):
        raise ValueError(f"input {where!r} is {misfit(given, types)}")


def as_code(code: AbstractCode | str) -> AbstractCode:
    """Return the code, loaded where its label was given.

    :raises ValueError: one line, if there is none of that label, or more than one.
    """
    if not isinstance(code, str):
        return code
    try:
        loaded: AbstractCode = load_code(code)
    except NotExistent:
        known = [f"{label}@{computer}" for computer, label in _codes("label")]
        raise ValueError(f"there is no code {code!r} in this profile: {missing_code(code, known)}") from None
    except MultipleObjectsError:
        found = [(computer, node) for computer, node in _codes("*") if node.label == code]
        # An imported archive brings codes of computers that this profile cannot reach.
        reachable = [node for computer, node in found if load_computer(computer).is_configured]
        if len(reachable) == 1:
            return reachable[0]
        choices = ", ".join(f"{code}@{computer}" for computer, _ in found)
        raise ValueError(f"code {code!r} is on several computers: choose one of {choices}") from None
    return loaded


def _codes(project: str) -> list[Any]:
    """Return computer's label and what is asked for of each code of this profile."""
    query = QueryBuilder().append(Computer, tag="computer", project="label")
    found: list[Any] = query.append(AbstractCode, with_computer="computer", project=project).all()
    return found
