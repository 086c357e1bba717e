"""From YAML, or a document as plain values, to ``Settings``, or to every problem in it at once, in an administrator's
words, with its line.

Read as YAML 1.2 would be: only ``true`` and ``false`` are switches by themselves, ``on`` is a word, dates and times
of day are text. Repeated keys, aliases and tags are refused: a document says everything once, where it is read.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.resolver import BaseResolver

from hris_pipeline.errors import Problem, SettingsInvalid
from hris_pipeline.settings.document import InconsistencyError, Settings
from hris_pipeline.settings.text import nearest_or_all, suggestion

__all__ = ["Path", "YamlText", "check_document", "format_path", "known_keys", "make_yaml", "settings_from", "to_yaml"]

Path = tuple[str | int, ...]
"""Where in a document: keys and positions from the top."""


def settings_from(document: Mapping[str, Any]) -> Settings:
    """The settings that ``document`` holds; ``{}`` is valid.

    Raises:
        SettingsInvalid: with every problem found.
    """
    settings, problems = check_document(document)
    if settings is None:
        raise SettingsInvalid([Problem(format_path(path, document), message) for path, message in problems])
    return settings


def check_document(document: Mapping[str, Any]) -> tuple[Settings | None, list[tuple[Path, str]]]:
    """The settings in ``document``, or None and every problem: (path, message).

    What is wrong is set aside and the rest checked again, so that settings that clash are told together with settings
    that are wrong by themselves. Not told: a clash with something set aside, and a part that is wrong only because
    something inside it is.
    """
    remaining = _index_lists(document)
    problems: list[tuple[Path, str]] = []
    while True:
        try:
            settings = Settings.model_validate(_restore_lists(remaining))
        except ValidationError as error:
            findings = list(_list_problems(error, remaining))
        else:
            return (None if problems else settings), problems
        wrong = {path[0] for path, _ in problems if path}
        inside = {path[:depth] for path, _, _ in findings for depth in range(len(path))}
        problems.extend(
            (path, message)
            for path, message, diagnostics in findings
            if diagnostics not in wrong and path not in inside
        )
        if sum(_remove(remaining, path) for path, _, _ in findings) == 0:  # a sum, because all must be set aside
            return None, problems


def format_path(path: Path, document: Mapping[str, Any] | None = None) -> str:
    """A path as people write it: ``do_not_import[0].all[1].value``; in a ``document`` whose entry has a name, by that:
    ``do_not_import.Interns.all[1].value``."""
    if document is not None and len(path) > 1 and (name := _entry_name(document.get(str(path[0])), path[1])):
        path = (path[0], name, *path[2:])
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _entry_name(entries: Any, position: str | int) -> str:
    """What an entry of a list is called; empty where it has no name."""
    listed = isinstance(entries, list | tuple) and isinstance(position, int) and position < len(entries)
    name = entries[position].get("name") if listed and isinstance(entries[position], Mapping) else None
    return name if isinstance(name, str) else ""


def known_keys(path: Path) -> tuple[str, ...]:
    """The keys that may stand in the part of the document at ``path``; none where there is no fixed list."""
    model: Any = Settings
    for step in path:
        if isinstance(step, str):
            if not _is_part(model) or step not in model.model_fields:
                return ()
            annotation = model.model_fields[step].annotation
            model = next((inner for inner in (annotation, *get_args(annotation)) if _is_part(inner)), None)
    return tuple(model.model_fields) if _is_part(model) else ()


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


class _Numbered(dict[int, Any]):
    """A list as items by position, so that setting one aside does not move the others."""


def _index_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _index_lists(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return _Numbered((position, _index_lists(inner)) for position, inner in enumerate(value))
    return value


def _restore_lists(value: Any) -> Any:
    if isinstance(value, _Numbered):
        return [_restore_lists(inner) for inner in value.values()]
    if isinstance(value, dict):
        return {key: _restore_lists(inner) for key, inner in value.items()}
    return value


def _remove(part: Any, path: Path) -> bool:
    """Takes away the item of the first list on ``path``, or else what ``path`` names; whether anything was there."""
    for depth, step in enumerate(path, start=1):
        if depth == len(path) or isinstance(part, _Numbered) or not isinstance(part.get(step), dict):
            return part.pop(step, part) is not part
        part = part[step]
    return False


def _list_problems(error: ValidationError, remaining: Any) -> Iterator[tuple[Path, str, str]]:
    """(path in the whole document, message, the setting it clashes with or "")."""
    for detail in error.errors(include_url=False):
        reason = detail.get("ctx", {}).get("error")
        if isinstance(reason, InconsistencyError):
            for clash in reason.clashes:
                yield _resolve_path(clash.path, remaining), clash.message, clash.other_setting
        else:
            path = _resolve_path(detail["loc"], remaining)
            yield path, _translate_message(detail, path), ""


def _resolve_path(location: Path, remaining: Any) -> Path:
    path: Path = ()
    for step in location:
        if isinstance(remaining, _Numbered) and isinstance(step, int):
            step = list(remaining)[step]  # noqa: PLW2901
        elif not isinstance(remaining, dict) or step == "[key]":
            break
        path = (*path, step)
        remaining = remaining.get(step)
    return path


def _translate_message(detail: ErrorDetails, path: Path) -> str:
    translate = _MESSAGES.get(detail["type"])
    return translate(detail, path) if translate else detail["msg"]


def _no_text(detail: ErrorDetails, _: Path) -> str:
    number = isinstance(detail["input"], int | float) and not isinstance(detail["input"], bool)
    hint = ": put it in quotes, because a bare number loses its leading zeros" if number else ""
    return f"must be text{hint}"


def _no_such_key(_: ErrorDetails, path: Path) -> str:
    keys = known_keys(path[:-1])
    return f"no such setting.{nearest_or_all(str(path[-1]), keys)}"


def _not_listed(detail: ErrorDetails, _: Path) -> str:
    expected = str(detail["ctx"]["expected"])
    value = detail["input"]
    options = [option for option in expected.replace("'", " ").split() if option not in (",", "or")]
    return f"must be {expected}.{suggestion(value, options) if isinstance(value, str) else ''}"


_MESSAGES: Mapping[str, Callable[[ErrorDetails, Path], str]] = {
    "bool_type": lambda *_: "must be true or false",
    "dict_type": lambda *_: "must be keys with values",
    "extra_forbidden": _no_such_key,
    "float_type": lambda *_: "must be a number",
    "greater_than_equal": lambda detail, _: f"must be at least {detail['ctx']['ge']:g}",
    "int_type": lambda *_: "must be a whole number",
    "less_than_equal": lambda detail, _: f"must be at most {detail['ctx']['le']:g}",
    "literal_error": _not_listed,
    "mapping_type": lambda *_: "must be keys with values",
    "missing": lambda *_: "is missing",
    "model_type": lambda *_: "must be keys with values",
    "string_type": _no_text,
    "too_short": lambda *_: "must not be empty",
    "value_error": lambda detail, _: str(detail["ctx"]["error"]),
}
"""In an administrator's words; pydantic's own for what is not here. No message repeats a value that may be secret."""

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
            return [self._read_entry(item, item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, MappingNode) and str(node.tag) == f"{_TAG}map":
            return self._read_mapping(node, path)
        scalar = _SCALARS.get(str(node.tag).removeprefix(_TAG)) if isinstance(node, ScalarNode) else None
        if scalar is None or not scalar[0].fullmatch(node.value):
            self._refuse(node, path, "tags are not supported")
            return None
        return scalar[2](node.value)

    def _read_entry(self, at: Node, node: Node, path: Path) -> Any:
        self._lines[path] = at.start_mark.line + 1
        return self._read(node, path)

    def _read_mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, path, "a key must be a single word")
            elif key.value in values:
                self._refuse(key, (*path, key.value), "is given twice; keep one")
            else:
                values[key.value] = self._read_entry(key, value, (*path, key.value))
        return values

    def _refuse(self, node: Node, path: Path, message: str) -> None:
        self.problems.append(Problem(format_path(path), message, node.start_mark.line + 1))


def to_yaml(value: Any) -> str:
    """Plain values (JSON's) as YAML text that ``YamlText`` reads back; keys keep their order."""
    text = io.StringIO()
    make_yaml(comments=True).dump(value, text)
    return text.getvalue()
