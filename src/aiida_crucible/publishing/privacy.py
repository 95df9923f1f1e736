"""What of nodes tells of people and machines: found and listed before it is published, and kept out of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida.orm import CalcJobNode, Comment, Log, Node, QueryBuilder
from aiida.repository import FileType

from aiida_crucible.publishing.closure import Closure

PATH = re.compile(r"(?<![\w./:<-])(?:/[\w.+@%=-]+){2,}/?")
"""An absolute path of at least two folders."""
HOME = re.compile(r"/(?:home|Users|u|users|scratch)/([\w.-]+)")
E_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]*\w")
OF_EVERY_SYSTEM = ("/bin/", "/dev/", "/etc/", "/lib/", "/lib64/", "/proc/", "/sbin/", "/sys/", "/usr/")
LARGEST_TEXT = 2**18
"""Bytes of a file of a job that are searched for paths."""

NOBODY = frozenset({"root", "user", "admin", "localhost", "localhost.localdomain", "user@email.com", "aiida@localhost"})
"""Names that tell nothing of anybody."""

TEXTS = ("prepend_text", "append_text", "custom_scheduler_commands", "environment_variables", "account", "qos",
         "queue_name", "job_owner", "submitting_machine", "detailed_job_info")  # fmt: skip
"""Attributes of codes and jobs that a person or a site wrote."""

SCHEDULER_FILES = ("_aiidasubmit.sh", "_scheduler-stdout.txt", "_scheduler-stderr.txt", "calcinfo.json",
                   "job_tmpl.json", "stdout.txt", "stderr.txt")  # fmt: skip
REPLACEMENTS = {"path": "[path]", "person": "[person]", "host": "[host]", "e-mail": "[e-mail]"}
"""What stands for a value of each kind in a text; other kinds are listed and not looked for."""
EMBEDDED = re.compile(r"(data:[^\"')\s]+|[A-Za-z0-9+/=]{200,}|<script>.*?</script>)", re.DOTALL)
"""What is no text of ours: pictures, data and programs in a page, in which any two letters may stand by chance."""


@dataclass
class Findings:
    """Private values by kind, with where they are.

    :param places: kind → value → what holds it, as people call it.
    """

    places: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def add(self, kind: str, value: Any, place: str) -> None:
        """Note a value that is not empty."""
        text = str(value).strip() if value else ""
        if text and text not in NOBODY:
            self.places.setdefault(kind, {}).setdefault(text, set()).add(place)

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield kind, value and place of all that was found, in one order."""
        for kind in sorted(self.places):
            for value in sorted(self.places[kind]):
                yield kind, _one_line(value), _some(self.places[kind][value])

    def scrub(self, text: str) -> str:
        """Return a text without the values of the kinds in :data:`REPLACEMENTS`; embedded data stay as they are."""
        parts = EMBEDDED.split(text)
        return "".join(part if index % 2 else self._scrub(part) for index, part in enumerate(parts))

    def _scrub(self, text: str) -> str:
        for kind in ("path", "e-mail", "host", "person"):
            # The longest first: a path may be in another one.
            for value in sorted(self.places.get(kind, {}), key=lambda each: (-len(each), each)):
                if len(value) > 1:
                    text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", REPLACEMENTS[kind], text)
        return text


def find_private(closure: Closure) -> Findings:
    """Return what an archive of nodes tells of people and machines."""
    found = Findings()
    for user in closure.users:
        place = "AiiDA user of the nodes"
        found.add("e-mail", user.email, place)
        for name in (user.first_name, user.last_name):
            found.add("person", name, place)
    for computer in closure.computers:
        place = f"computer {computer.label}"
        found.add("computer", computer.label, "label")
        found.add("host", computer.hostname, place)
        _search(computer.metadata, place, found)
        found.add("text", computer.get_prepend_text(), place)
        found.add("text", computer.get_append_text(), place)
    for node in closure.nodes(Node):
        _of_node(node, found)
    _of_logs(closure, found)
    return found


def _of_node(node: Node, found: Findings) -> None:
    place = f"{type(node).__name__}<{node.pk}>"
    attributes, extras = node.base.attributes.all, node.base.extras.all
    for key, value in _words_of({"attributes": attributes, "extras": extras, "said": [node.label, node.description]}):
        _search(value, place, found)
        if key in TEXTS:
            found.add("text", value, f"{key} of {place}")
    found.add("host", (attributes.get("environment") or {}).get("host") if "task" in attributes else None, place)
    info = attributes.get("last_job_info")
    if isinstance(info, Mapping):
        found.add("person", info.get("job_owner"), place)
    if isinstance(node, CalcJobNode) or "retrieved" in _labels(node):
        _of_files(node, place, found)


def _labels(node: Node) -> list[str]:
    from aiida.orm import FolderData

    if not isinstance(node, FolderData):
        return []
    return [link.link_label for link in node.base.links.get_incoming(node_class=CalcJobNode)]


def _of_files(node: Node, place: str, found: Findings) -> None:
    """Search the small texts of a job, and name those that a machine or a scheduler wrote."""
    repository = node.base.repository
    for folder, _, names in repository.walk():
        for name in names:
            path = folder / name
            if name in SCHEDULER_FILES:
                found.add("file", name, place)
            if repository.get_object(path).file_type is not FileType.FILE or name.endswith((".pyz", ".bin")):
                continue
            with repository.open(path, "rb") as stream:
                _search(stream.read(LARGEST_TEXT).decode(errors="replace"), f"{name} of {place}", found)


def _of_logs(closure: Closure, found: Findings) -> None:
    nodes = sorted(closure.pks)
    for start in range(0, len(nodes), 500):
        some = nodes[start : start + 500]
        for log in QueryBuilder().append(Log, filters={"dbnode_id": {"in": some}}).all(flat=True):
            _search([log.message, log.metadata.get("pathname", "")], "logs", found)
        query = QueryBuilder().append(Node, filters={"id": {"in": some}}, tag="node", project="id")
        for pk, comment in query.append(Comment, with_node="node", project="content").all():
            found.add("comment", comment, f"node {pk}")


def _search(value: Any, place: str, found: Findings) -> None:
    """Note paths, people and e-mail addresses in a value, however it is nested."""
    for _, text in _words_of({"": value}):
        for path in PATH.findall(text):
            if not path.startswith(OF_EVERY_SYSTEM):
                found.add("path", path.rstrip("./"), place)
        for name in HOME.findall(text):
            found.add("person", name, place)
        for address in E_MAIL.findall(text):
            found.add("e-mail", address, place)


def _words_of(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts of nested dicts and lists, each with the nearest key."""
    if isinstance(content, str):
        yield key, content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _words_of(value, str(name))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _words_of(value, key)


def _one_line(text: str, longest: int = 100) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= longest else f"{joined[:longest]}…"


def _some(places: Iterable[str], most: int = 3) -> str:
    ordered = sorted(places, key=_naturally)
    more = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {more} more" if more > 0 else "")


_naturally: Callable[[str], list[Any]] = lambda text: [  # noqa: E731
    (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)
]
