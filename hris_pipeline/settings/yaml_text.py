"""YAML text to plain values that know their lines, and back.

Read as YAML 1.2 would be: only ``true`` and ``false`` are switches by themselves, ``on`` is a word, dates and times of
day are text. Repeated keys, aliases and tags are refused: a document says everything once, where it is read.
"""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.resolver import BaseResolver

from hris_pipeline.errors import Problem
from hris_pipeline.settings.validating import Path, format_path

__all__ = ["YamlText", "make_yaml", "to_yaml"]

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


DEEPEST = 50
"""How deep a document may be nested; no setting needs five."""


class _Resolver(BaseResolver):
    """Knows the kinds of plain values above, and no others, whatever version of YAML the document names."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, version: Any = None, loader: Any = None, loadumper: Any = None) -> None:  # noqa: ARG002
        super().__init__(loader or loadumper)

    @property
    def processing_version(self) -> tuple[int, int]:
        return 1, 2


for _name, (_pattern, _first, _) in _SCALARS.items():
    if _first:
        _Resolver.add_implicit_resolver_base(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), _first)


class _Composer(Composer):
    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(problem="aliases are not supported; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


class _Representer(RoundTripRepresenter):
    """Quotes every text that any YAML reader could take for something else: ids, times, dates, switches."""


def _represent_text(representer: _Representer, value: str) -> Any:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return representer.represent_scalar(f"{_TAG}str", value, style=None if plain else '"')


def _represent_number(representer: _Representer, value: float) -> Any:
    return representer.represent_int(int(value)) if value.is_integer() else representer.represent_float(value)


def _represent_nothing(representer: _Representer, _: None) -> Any:
    return representer.represent_scalar(f"{_TAG}null", "null")


_Representer.add_representer(str, _represent_text)
_Representer.add_representer(float, _represent_number)
_Representer.add_representer(type(None), _represent_nothing)


def make_yaml(*, comments: bool = False) -> Any:
    """A reader and writer of the YAML that this module describes; with ``comments`` it keeps them, and quotes too."""
    yaml = YAML(typ="rt" if comments else "safe", pure=True)
    yaml.Resolver, yaml.Composer, yaml.Representer = _Resolver, _Composer, _Representer
    yaml.max_depth = DEEPEST
    yaml.preserve_quotes = True
    yaml.width = 2**31
    return yaml


class YamlText:
    """One YAML text: its ``value`` (None where it cannot be read), its ``problems``, and the line of each path."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._lines: dict[Path, int] = {}
        self.value: Any = None
        try:
            node = make_yaml().compose(text)
            self.value = None if node is None else self._read(node, ())
        except MaxDepthExceededError:
            self.problems.append(Problem("", "this is nested too deeply"))
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            self.problems.append(Problem("", f"this is no valid YAML: {error.problem}", line))
        except (YAMLError, ValueError, OverflowError):
            self.problems.append(Problem("", "this is no valid YAML: it holds characters that are not allowed"))

    def line(self, path: Path) -> int | None:
        """The line (1-based) where ``path``, or the nearest part around it, stands."""
        return next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), None)

    def _read(self, node: Node, path: Path) -> Any:
        if isinstance(node, SequenceNode) and str(node.tag) == f"{_TAG}seq":
            return [self._entered(item, item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, MappingNode) and str(node.tag) == f"{_TAG}map":
            return self._mapping(node, path)
        scalar = _SCALARS.get(str(node.tag).removeprefix(_TAG)) if isinstance(node, ScalarNode) else None
        if scalar is None or not scalar[0].fullmatch(node.value):
            self._refuse(node, path, "tags are not supported")
            return None
        return scalar[2](node.value)

    def _entered(self, at: Node, node: Node, path: Path) -> Any:
        self._lines[path] = at.start_mark.line + 1
        return self._read(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, path, "a key must be a single word")
            elif key.value in values:
                self._refuse(key, (*path, key.value), "is given twice; keep one")
            else:
                values[key.value] = self._entered(key, value, (*path, key.value))
        return values

    def _refuse(self, node: Node, path: Path, message: str) -> None:
        self.problems.append(Problem(format_path(path), message, node.start_mark.line + 1))


def to_yaml(value: Any) -> str:
    """Plain values (JSON's) as YAML text that ``YamlText`` reads back; keys keep their order."""
    text = io.StringIO()
    make_yaml(comments=True).dump(value, text)
    return text.getvalue()
