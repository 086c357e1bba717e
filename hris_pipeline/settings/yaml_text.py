"""YAML text to plain values that know their lines, and back.

Read as YAML 1.2 would be: only ``true`` and ``false`` are switches by themselves, ``on`` is a word, dates and times of
day are text. Repeated keys, aliases and tags are refused: a document says everything once, where it is read.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from hris_pipeline.errors import Problem
from hris_pipeline.settings.validating import Path, format_path

__all__ = ["YamlText", "to_yaml"]

_TAG = "tag:yaml.org,2002:"
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ /-]*[A-Za-z0-9_/-])?")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})

_SCALARS: Mapping[str, tuple[re.Pattern[str], list[str] | None, Callable[[str], Any]]] = {
    "null": (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""], lambda _: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"), lambda text: text.lower() == "true"),
    "int": (re.compile(r"[-+]?[0-9]{1,1000}"), list("-+0123456789"), int),
    "float": (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), list("-+.0123456789"), float),
    "str": (re.compile(r"[\s\S]*"), None, str),
}
"""Each kind of plain value: how it looks, its first characters, how it is read; the first that fits wins."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not supported; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


for _name, (_pattern, _first, _) in _SCALARS.items():
    if _first:
        _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), _first)


class YamlText:
    """One YAML text: its ``value`` (None where it cannot be read), its ``problems``, and the line of each path."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._lines: dict[Path, int] = {}
        self.value: Any = None
        try:
            node = yaml.compose(text, Loader=_Loader)
            self.value = None if node is None else self._read(node, ())
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            self.problems.append(Problem("", f"this is no valid YAML: {error.problem}", line))
        except yaml.YAMLError:
            self.problems.append(Problem("", "this is no valid YAML: it holds characters that are not allowed"))
        except RecursionError:
            self.problems.append(Problem("", "this is nested too deeply"))

    def line(self, path: Path) -> int | None:
        """The line (1-based) where ``path``, or the nearest part around it, stands."""
        return next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), None)

    def _read(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._entered(item, item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        scalar = _SCALARS.get(node.tag.removeprefix(_TAG)) if isinstance(node, yaml.ScalarNode) else None
        if scalar is None or not scalar[0].fullmatch(node.value):
            self._refuse(node, path, "tags are not supported")
            return None
        return scalar[2](node.value)

    def _entered(self, at: yaml.Node, node: yaml.Node, path: Path) -> Any:
        self._lines[path] = at.start_mark.line + 1
        return self._read(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "a key must be a single word")
            elif key.value in values:
                self._refuse(key, (*path, key.value), "is given twice; keep one")
            else:
                values[key.value] = self._entered(key, value, (*path, key.value))
        return values

    def _refuse(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(format_path(path), message, node.start_mark.line + 1))


class _Dumper(yaml.SafeDumper):
    """Quotes every text that any YAML reader could take for something else: ids, times, dates, switches."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return dumper.represent_scalar(f"{_TAG}str", value, style=None if plain else '"')


def _represent_number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    return dumper.represent_int(int(value)) if value.is_integer() else dumper.represent_float(value)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_number)


def to_yaml(value: Any) -> str:
    """Plain values (JSON's) as YAML text that ``YamlText`` reads back; keys keep their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
