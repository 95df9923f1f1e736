"""What a WorkChain needs to offer protocols: reads its YAML, merges overrides, refuses what is misspelt."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import resources
from typing import Any, ClassVar

import yaml
from aiida.engine import PortNamespace, ProcessBuilder
from aiida.orm import Dict, load_code
from aiida.orm.nodes.data.code.abstract import AbstractCode

from crucible_engine.parameters import suggestion


class ProtocolMixin:
    """Gives a WorkChain named settings from the YAML file that :attr:`PROTOCOL_FILE` names.

    The file has ``default_protocol``, ``default_inputs`` and ``protocols``: for each name a ``description`` and what
    differs from the default inputs.
    """

    PROTOCOL_FILE: ClassVar[str]

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
        name = protocol or content["default_protocol"]
        if name not in content["protocols"]:
            raise ValueError(f"there is no protocol {name!r}: {suggestion(str(name), list(content['protocols']))}")
        chosen = {key: value for key, value in content["protocols"][name].items() if key != "description"}
        return cls.override(merged(content["default_inputs"], chosen), overrides)

    @classmethod
    def override(cls, inputs: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return nested inputs with overrides put over them.

        :raises ValueError: one line that says which name was meant, if an override is of no port.
        """
        check_overrides(cls.spec().inputs, overrides or {})  # type: ignore[attr-defined]
        return merged(inputs, overrides or {})

    @classmethod
    def _read_protocols(cls) -> dict[str, Any]:
        text = resources.files("aiida_crucible.workflows.protocols").joinpath(cls.PROTOCOL_FILE).read_text("utf-8")
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


def check_overrides(ports: PortNamespace, overrides: Mapping[str, Any], path: str = "") -> None:
    """Refuse overrides that no port takes; what is inside a ``Dict`` is checked when the port takes it.

    :param path: where in the overrides this is, as the message should call it.
    :raises ValueError: one line that says which name was meant.
    """
    for key, value in overrides.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in ports:
            # AiiDA makes every process's own namespace dynamic; one that takes any name declares none.
            if len(ports) or not ports.dynamic:
                raise ValueError(f"override {where!r} is unknown: {suggestion(str(key), list(ports))}")
        elif isinstance(ports[key], PortNamespace):
            if not isinstance(value, Mapping):
                raise ValueError(f"override {where!r} is {value!r}: give a dict of {', '.join(ports[key])}")
            check_overrides(ports[key], value, where)


def fill_builder(builder: ProcessBuilder, inputs: Mapping[str, Any]) -> None:
    """Put nested inputs into a builder, each through its port's serializer and validator.

    :raises ValueError: one line, if a port refuses its value.
    """
    for key, value in inputs.items():
        port = builder._port_namespace.get(key)
        if isinstance(port, PortNamespace) and isinstance(value, Mapping) and key in builder:
            fill_builder(builder[key], value)
        else:
            setattr(builder, key, value)


def as_code(code: AbstractCode | str) -> AbstractCode:
    """Return the code, loaded where its label was given."""
    return load_code(code) if isinstance(code, str) else code
