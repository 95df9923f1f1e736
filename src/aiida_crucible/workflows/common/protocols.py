"""What a WorkChain needs to offer protocols: reads its YAML, merges overrides, refuses what is misspelt, builds."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, ClassVar, TypeVar

import yaml
from aiida.common.exceptions import ValidationError
from aiida.engine import PortNamespace, ProcessBuilder
from aiida.orm import Dict, Node, StructureData

from aiida_crucible.calculations.validation import misfit, require_living
from aiida_crucible.compat.aiida_engine import ProcessBuilderNamespace, given_inputs, ports_of
from aiida_crucible.environments.codes import as_code
from aiida_crucible.nodes.identity import SEPARATOR, describe_protocol
from aiida_crucible.nodes.model import ModelData
from crucible_engine.wire.rules import as_line, plain, shown, suggestion
from crucible_engine.wire.value_types import require_type


class ProtocolMixin:
    """Gives a WorkChain named settings from the file ``protocol.yaml`` beside its module.

    The file has ``default_protocol``, ``default_inputs`` and ``protocols``: for each name a ``description`` and what
    differs from the default inputs.

    Its builder, ``get_builder_from_protocol``, takes besides what the WorkChain treats:

    - ``code``: the Python of the model's environment, or its label;
    - ``model``: which potential;
    - ``protocol``: one of :meth:`get_available_protocols`;
    - ``overrides``: inputs to set otherwise, nested as the ports are;
    - ``options``: ``metadata.options`` of the jobs.

    It raises ``ValueError`` with one line, if something is misspelt or does not fit.

    :cvar JOBS: where the ports of the WorkChain's CalcJobs are, e.g. ``base.relax``.
    """

    JOBS: ClassVar[tuple[str, ...]]

    @classmethod
    def get_available_protocols(cls) -> dict[str, str]:
        """Return the names of the protocols with their descriptions."""
        return {name: content["description"] for name, content in cls.read_protocols()["protocols"].items()}

    @classmethod
    def get_default_protocol(cls) -> str:
        """Return the name of the protocol that is used where none is named."""
        return str(cls.read_protocols()["default_protocol"])

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol, nested as the ports are.

        :param protocol: its name; by default :meth:`get_default_protocol`.
        :param overrides: what to set otherwise, nested as the ports are.
        :raises ValueError: one line, if a name is misspelt; it says which was meant.
        """
        content = cls.read_protocols()
        name = content["default_protocol"] if protocol is None else protocol
        if name not in content["protocols"]:
            raise ValueError(f"there is no protocol {name!r}: {suggestion(name, list(content['protocols']))}")
        overrides = {} if overrides is None else overrides
        check_overrides(cls.spec().inputs, overrides)  # type: ignore[attr-defined]
        chosen = {key: value for key, value in content["protocols"][name].items() if key != "description"}
        inputs = merged(content["default_inputs"], chosen)
        return merged(cls.with_children(name, inputs, overrides), overrides)

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a protocol together with those that its children's own protocols have.

        :param inputs: of the file; nothing is overridden yet.
        :param overrides: what is to be set otherwise: some children run only where these speak of them.
        """
        del protocol, overrides
        return inputs

    @classmethod
    def build(cls, inputs: Mapping[str, Any], options: Mapping[str, Any] | None, **given: Any) -> ProcessBuilder:
        """Return a builder with inputs of a protocol and those that come before them, all of them checked.

        :param inputs: of a protocol, nested as the ports are.
        :param options: ``metadata.options`` of the jobs that are asked for.
        :param given: other inputs; a ``code`` may be its label.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        ports = cls.spec().inputs  # type: ignore[attr-defined]
        jobs = [job for job in cls.JOBS if _is_asked_for(job, inputs, ports)]
        complete = dict(inputs)
        for job in jobs if options is not None else ():
            check_overrides(ports.get_port(f"{job}.metadata.options"), options, "options")
            nested: dict[str, Any] = {"metadata": {"options": dict(options or {})}}
            for level in reversed(job.split(".")):
                nested = {level: nested}
            complete = merged(complete, nested)
        builder: ProcessBuilder = cls.get_builder()  # type: ignore[attr-defined]
        code = {"code": as_code(given.pop("code"))} if "code" in given else {}
        fill_builder(builder, {**code, **given, **complete})
        return builder

    @classmethod
    def read_protocols(cls) -> dict[str, Any]:
        """Return the content of the file."""
        text = resources.files(cls.__module__.rpartition(".")[0]).joinpath("protocol.yaml").read_text("utf-8")
        content: dict[str, Any] = yaml.safe_load(text)
        return content


def _is_asked_for(job: str, inputs: Mapping[str, Any], ports: Any) -> bool:
    """Return whether a job runs: none of the namespaces around it is optional and left out."""
    for name in job.split("."):
        if name not in inputs and not ports[name].required:
            return False
        inputs, ports = inputs.get(name, {}), ports[name]
    return True


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with others put over them; neither argument is changed, and nodes stay the same nodes."""
    result = {key: merged(value, {}) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, value in changes.items():
        plain = value.get_dict() if isinstance(value, Dict) else value
        if isinstance(plain, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], plain)
        else:
            result[key] = plain
    return result


def without_none(**given: Any) -> dict[str, Any]:
    """Return the arguments that were given."""
    return {name: value for name, value in given.items() if value is not None}


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
    problem = ports.validate(ports.pre_process(given_inputs(builder)))
    if problem is not None:
        raise ValueError(problem.message)


def _fill(builder: ProcessBuilderNamespace, inputs: Mapping[str, Any], path: str) -> None:
    for key, value in inputs.items():
        where = f"{path}.{key}" if path else key
        ports = ports_of(builder)
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


CHECKED_WITH_PORTS = ("overrides", "options")
"""Arguments whose content the ports know better."""

Method = TypeVar("Method", bound=Callable[..., Any])


def with_checked_arguments(method: Method) -> Method:
    """Return a method that refuses arguments of another type than it is annotated with.

    :param method: its first argument is the class.
    :raises ValueError: one line that names the argument (when the method is called).
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def checked(cls: type, *args: Any, **kwargs: Any) -> Any:
        annotations = typing.get_type_hints(method)
        try:
            given = signature.bind(cls, *args, **kwargs).arguments
        except TypeError as error:
            takes = [name for name in signature.parameters if name != "cls"]
            unknown = [name for name in kwargs if name not in takes]
            hint = suggestion(unknown[0], takes) if unknown else f"it takes {', '.join(takes)}"
            raise TypeError(f"{cls.__name__}.{method.__name__}: {error}: {hint}") from None
        try:
            for name, value in given.items():
                if name != "cls":
                    _check(cls, name, value, annotations[name])
            return _named(method(cls, *args, **kwargs), cls, given)
        except ValueError as error:
            if (line := as_line(str(error))) != str(error):
                raise ValueError(line) from error
            raise

    return typing.cast("Method", checked)


def _named(result: Any, cls: Any, given: Mapping[str, Any]) -> Any:
    """Return a builder with label and description that say what it is of; anything else as it is."""
    structure, model = given.get("structure"), given.get("model")
    if not isinstance(result, ProcessBuilder):
        return result
    protocol = given.get("protocol") or cls.get_default_protocol()
    result.metadata.description = describe_protocol(protocol, given.get("overrides") or {})
    if isinstance(structure, StructureData) and isinstance(model, ModelData):
        words = (structure.get_formula(mode="hill_compact"), model.title, protocol)
        result.metadata.label = SEPARATOR.join(words)
    return result


def _check(cls: Any, name: str, value: Any, annotation: Any) -> None:
    require_living(name, value)
    if name == "overrides" and value is not None:
        check_overrides(cls.spec().inputs, value)
    elif name not in CHECKED_WITH_PORTS:
        _require_nodes(f"input {name!r}", value, annotation)
        require_type(f"input {name!r}", value, annotation)


def _require_nodes(where: str, value: Any, annotation: Any) -> None:
    """Refuse what is no node where one is wanted, and say how a node is made of it.

    :raises ValueError: one line.
    """
    if typing.get_origin(annotation) is Mapping and isinstance(value, Mapping):
        for key, item in value.items():
            _require_nodes(f"{where}.{key}", item, typing.get_args(annotation)[1])
        return
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    kinds = typing.get_args(annotation) if is_union else (annotation,)
    classes = tuple(typing.get_origin(kind) or kind for kind in kinds)
    if not all(isinstance(kind, type) for kind in classes) or isinstance(value, classes):
        return
    if nodes := tuple(kind for kind in classes if issubclass(kind, Node)):
        raise ValueError(f"{where} is {misfit(value, nodes)}")
