"""YAML with line numbers. In: a text; out: plain values, the line of every key, complaints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Key = tuple[str | int, ...]
MOST_NODES = 20_000


class _Loader(yaml.SafeLoader):
    """The safe loader with the numbers of YAML 1.2: 1e-3 is one, 1:30 is not 90, 010 is ten."""


_NUMBERS = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(_NUMBERS[1], lambda _, node: int(node.value))
_Loader.add_implicit_resolver(_NUMBERS[1], re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _NUMBERS[0],
    re.compile(
        r"^[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?"
        r"|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


@dataclass
class Document:
    """A parsed YAML text: its value, where each key stands, and what is wrong with it."""

    value: Any
    lines: dict[Key, int] = field(default_factory=dict)
    complaints: list[tuple[int, str]] = field(default_factory=list)
    nodes: int = 0

    def line(self, key: Key) -> int | None:
        """Line of a key, or of the nearest key above it."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return None


def parse(text: str) -> Document:
    """Parse YAML safely; mistakes are listed with their lines, not raised."""
    document = Document(None)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except RecursionError:
        document.complaints.append((1, "nested too deeply for a configuration"))
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        document.complaints.append((mark.line + 1 if mark else 1, f"not valid YAML: {problem}"))
        return document
    except yaml.YAMLError as error:
        document.complaints.append((1, f"not valid YAML: {error}".replace("\n", " ")))
        return document
    if node is not None:
        try:
            document.value = _build(node, (), document, _Loader(""), set())
        except RecursionError:
            document.complaints.append((1, "nested too deeply for a configuration"))
    return document


def _build(node: Any, key: Key, document: Document, loader: _Loader, above: set[int]) -> Any:
    if id(node) in above:
        document.complaints.append((node.start_mark.line + 1, "an alias that contains itself"))
        return None
    document.nodes += 1
    if document.nodes >= MOST_NODES:  # aliases of aliases can unfold without end
        if document.nodes == MOST_NODES:
            complaint = f"unfolds into more than {MOST_NODES} values; write it without aliases"
            document.complaints.append((node.start_mark.line + 1, complaint))
        return None
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, key, document, loader, above | {id(node)})
    if isinstance(node, yaml.SequenceNode):
        _refuse_tag(node, "tag:yaml.org,2002:seq", document)
        items = []
        for number, item in enumerate(node.value):
            document.lines[(*key, number)] = item.start_mark.line + 1
            items.append(_build(item, (*key, number), document, loader, above | {id(node)}))
        return items
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        document.complaints.append(
            (
                node.start_mark.line + 1,
                f"{node.tag} {node.value!r} is not a plain value; "
                "write text, numbers, lists and mappings only",
            )
        )
        return None


def _refuse_tag(node: Any, plain: str, document: Document) -> None:
    if node.tag != plain:
        complaint = f"the tag {node.tag} is not allowed; write plain YAML"
        document.complaints.append((node.start_mark.line + 1, complaint))


def _build_mapping(
    node: Any, key: Key, document: Document, loader: _Loader, above: set[int]
) -> dict[str, Any]:
    _refuse_tag(node, "tag:yaml.org,2002:map", document)
    values: dict[str, Any] = {}
    for name_node, value_node in node.value:
        line = name_node.start_mark.line + 1
        if not isinstance(name_node, yaml.ScalarNode):
            document.complaints.append((line, "a key must be a plain name"))
            continue
        name = str(name_node.value)
        if name in values:
            first = document.lines[(*key, name)]
            document.complaints.append(
                (line, f"the key {name!r} stands twice, first in line {first}; keep one of them")
            )
        document.lines.setdefault((*key, name), line)
        values[name] = _build(value_node, (*key, name), document, loader, above)
    return values
