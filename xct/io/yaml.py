"""YAML. In: a text; out: plain values with the line of every key, or the text with new values.

ruamel.yaml reads the text into nodes. Only plain values are made of them: text, numbers, lists and
mappings. What words and numbers mean is settled here: ``yes``, ``no``, ``on`` and ``off`` are true
or false, ``1e-3`` and ``010`` are decimal numbers, and ``1:30`` and dates are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from io import StringIO
from itertools import accumulate
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.resolver import BaseResolver

Key = tuple[str | int, ...]
MOST_NODES = 20_000
DEEPEST = 100
_TAG = "tag:yaml.org,2002:"
_TRUE, _FALSE = ("yes", "true", "on"), ("no", "false", "off")


class _Resolver(BaseResolver):
    """What words and numbers without quotes mean."""

    def __init__(self, version: Any = None, loader: Any = None, loadumper: Any = None) -> None:
        super().__init__(loader or loadumper)

    @property
    def processing_version(self) -> tuple[int, int]:
        return 1, 2


for _name, _pattern, _first in (
    ("bool", "|".join(f"{w}|{w.title()}|{w.upper()}" for w in _TRUE + _FALSE), "yYnNtTfFoO"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Resolver.add_implicit_resolver_base(
        _TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first)
    )

_SCALARS: Mapping[str, Callable[[str], Any]] = {
    _TAG + "str": str,
    _TAG + "int": int,
    _TAG + "float": lambda text: float(re.sub(r"\.(inf|nan)$", r"\1", text.lower())),
    _TAG + "bool": lambda text: {w: w in _TRUE for w in _TRUE + _FALSE}[text.lower()],
    _TAG + "null": lambda text: None,
}


@dataclass
class Document:
    """A parsed YAML text: its value, where each key stands, and what is wrong with it."""

    value: Any
    lines: dict[Key, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
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
    if _brackets(text) > DEEPEST:  # ruamel.yaml would take minutes to find out
        document.errors.append((1, "nested too deeply for a configuration"))
        return document
    try:
        node = _yaml().compose(text)
        if node is not None:
            document.value = _build(node, (), document, frozenset())
    except RecursionError:
        document.errors.append((1, "nested too deeply for a configuration"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        remedy = _remedy(error)
        document.errors.append((mark.line + 1 if mark else 1, f"not valid YAML: {problem}{remedy}"))
    except YAMLError as error:
        document.errors.append((1, f"not valid YAML: {error}".replace("\n", " ")))
    return document


def _remedy(error: MarkedYAMLError) -> str:
    if "'\\t'" in str(error.problem):
        return "; indent with spaces, not with tabs"
    if "flow" in str(error.context) and error.context_mark is not None:
        return f"; close the bracket that line {error.context_mark.line + 1} opens"
    return ""


def with_values(text: str, changes: Mapping[str, Any]) -> str:
    """Set values of a mapping and leave the rest of its text as it is, comments included.

    Parameters
    ----------
    text : str
        YAML without mistakes, a mapping.
    changes : mapping
        Values by dotted key, such as ``{"scan.center_px": 92.5}``; None takes a key out.

    Raises
    ------
    ValueError
        If the text is laid out so that this is not possible.
    """
    wanted = deepcopy(parse(text).value)
    for dotted, value in changes.items():
        keys = dotted.split(".")
        _set(wanted, keys, value)
        text = _with_value(text, keys, value)
    document = parse(text)
    if document.errors or document.value != wanted:
        raise ValueError(f"{', '.join(changes)} cannot be set in place; set it by hand")
    return text


def _brackets(text: str) -> int:
    """Count how many brackets and braces are open at a time, at most."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[][{}]", text))
    return max(accumulate(steps), default=0)


def _flow(value: Any) -> str:
    """Write a value in one line, with brackets and braces."""
    yaml: Any = _yaml()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = True, 10_000, True
    yaml.sort_base_mapping_type_on_output = False  # as they come
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue().strip().removesuffix("\n...")


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = _Resolver
    return yaml


def _build(node: Any, key: Key, document: Document, above: frozenset[int]) -> Any:
    line = node.start_mark.line + 1
    if id(node) in above:
        document.errors.append((line, "an alias that contains itself"))
        return None
    document.nodes += 1
    if document.nodes >= MOST_NODES:  # aliases of aliases can unfold without end
        if document.nodes == MOST_NODES:
            error = f"unfolds into more than {MOST_NODES} values; write it without aliases"
            document.errors.append((line, error))
        return None
    if isinstance(node, ScalarNode):
        return _scalar(node, document)
    plain = _TAG + ("map" if isinstance(node, MappingNode) else "seq")
    if node.tag != plain:
        document.errors.append((line, f"the tag {node.tag} is not allowed; write plain YAML"))
    if isinstance(node, MappingNode):
        return _mapping(node, key, document, above | {id(node)})
    items = []
    for number, item in enumerate(node.value):
        document.lines[(*key, number)] = item.start_mark.line + 1
        items.append(_build(item, (*key, number), document, above | {id(node)}))
    return items


def _scalar(node: ScalarNode, document: Document) -> Any:
    try:
        return _SCALARS[str(node.tag)](node.value)
    except (KeyError, ValueError):
        error = f"{node.tag} {node.value!r} is not a plain value; "
        error += "write text, numbers, lists and mappings only"
        document.errors.append((node.start_mark.line + 1, error))
        return None


def _mapping(
    node: MappingNode, key: Key, document: Document, above: frozenset[int]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name_node, value_node in node.value:
        line = name_node.start_mark.line + 1
        if not isinstance(name_node, ScalarNode):
            document.errors.append((line, "a key must be a plain name"))
            continue
        name = str(name_node.value)
        if name in values:
            first = document.lines[(*key, name)]
            error = f"the key {name!r} stands twice, first in line {first}; keep one of them"
            document.errors.append((line, error))
        document.lines.setdefault((*key, name), line)
        values[name] = _build(value_node, (*key, name), document, above)
    return values


def _set(place: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    if value is None:
        place.pop(keys[-1], None)
    else:
        place[keys[-1]] = value


def _with_value(text: str, keys: Sequence[str], value: Any) -> str:
    """Put one value in the place of an old one, or behind the last one of its mapping."""
    node = _yaml().compose(text)
    for depth, key in enumerate(keys):
        pairs = {str(name.value): (name, inner) for name, inner in node.value}
        rest = keys[depth + 1 :]
        if key not in pairs:
            return text if value is None else _added(text, node, key, _nested(rest, value))
        name, inner = pairs[key]
        if not rest and value is None:
            return _removed(text, node, key)
        if not rest or not (isinstance(inner, MappingNode) and inner.value):
            written = f" {_flow(_nested(rest, value))}"
            start = text.index(":", name.end_mark.index) + 1
            same_line = inner.start_mark.line == name.start_mark.line
            if same_line and inner.start_mark.index > start:
                start, written = inner.start_mark.index, written.strip()
            return text[:start] + written + text[max(start, _end(text, inner, name)) :]
        node = inner
    return text


def _nested(keys: Sequence[str], value: Any) -> Any:
    return {keys[0]: _nested(keys[1:], value)} if keys else value


def _added(text: str, node: MappingNode, key: str, value: Any) -> str:
    """Write a new key behind the last value of a mapping, and behind the comment of its line."""
    entry = _flow({key: value})[1:-1]
    name, last = node.value[-1]
    end = _end(text, last, name)
    if node.flow_style:
        return f"{text[:end]}, {entry}{text[end:]}"
    line = text.find("\n", end)
    start = len(text) if line < 0 else line
    indent = " " * node.value[0][0].start_mark.column
    return f"{text[:start]}\n{indent}{entry}{text[start:] or chr(10)}"


def _removed(text: str, node: MappingNode, key: str) -> str:
    names = [str(name.value) for name, _ in node.value]
    number = names.index(key)
    name, inner = node.value[number]
    start, stop = name.start_mark.index, _end(text, inner, name)
    if node.flow_style:
        if number > 0:
            start = _end(text, *node.value[number - 1][::-1])
        elif len(names) > 1:
            stop = node.value[1][0].start_mark.index
        return text[:start] + text[stop:]
    line = text.find("\n", stop)
    return text[: text.rfind("\n", 0, start) + 1] + text[len(text) if line < 0 else line + 1 :]


def _end(text: str, node: Any, name: Any = None) -> int:
    """Where the text of a value ends; a block ends where the last thing in it does."""
    if isinstance(node, ScalarNode) or node.flow_style or not node.value:
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if start == end and name is not None:  # an empty value: behind the colon
            return text.index(":", name.end_mark.index) + 1
        return len(text[:end].rstrip())
    last = node.value[-1]
    return _end(text, *((last,) if isinstance(node, SequenceNode) else (last[1], last[0])))
