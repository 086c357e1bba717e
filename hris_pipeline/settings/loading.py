"""The settings document in and out as YAML: read, written, one setting changed at a time, what differs between two, and
a file written anew so that what people wrote beside the settings stays.

How YAML is read, and what is wrong with a document, is ``validating``'s; files are the callers'.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from hris_pipeline.errors import Problem, SettingsInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.text import nearest_or_all
from hris_pipeline.settings.validating import YamlText, check_document, format_path, known_keys, make_yaml, to_yaml

__all__ = ["Difference", "differences", "dump_settings", "load_settings", "rewrite_settings", "set_values"]


class Difference(NamedTuple):
    """One setting that differs: its dotted key and both values as text, empty where there is none.

    Of a notification address only the scheme is given: the rest is a secret.
    """

    key: str
    old: str
    new: str


def load_settings(text: str) -> Settings:
    """The settings that YAML ``text`` holds; an empty document is valid.

    Raises:
        SettingsInvalid: with every problem found, each with its line.
    """
    source = YamlText(text)
    document = {} if source.value is None else source.value
    if not isinstance(document, dict):
        raise SettingsInvalid([Problem("", "a settings document is `key: value` lines", 1)])
    settings, findings = check_document(document)
    problems = source.problems + [
        Problem(format_path(path), message, source.line(path))
        for path, message in findings
        if format_path(path) not in {problem.where for problem in source.problems}
    ]
    if problems or settings is None:
        raise SettingsInvalid(sorted(problems, key=lambda problem: problem.line or 0))
    return settings


def dump_settings(settings: Settings, *, defaults: bool = False) -> str:
    """The document as YAML that ``load_settings`` reads back to equal settings; ``defaults`` writes those out too."""
    return to_yaml(settings.model_dump(mode="json", exclude_defaults=not defaults))


def set_values(settings: Settings, assignments: Sequence[str]) -> Settings:
    """``settings`` with each ``key=value`` applied, in order; keys are dotted: ``guards.archive_limit.percent=20``.

    A text setting takes the value as written; any other reads it as YAML. An empty value puts the default back.

    Raises:
        SettingsInvalid: with every problem found.
    """
    document = settings.document()
    problems = [problem for assignment in assignments for problem in _assign(document, assignment)]
    changed, findings = check_document(document)
    problems += [Problem(format_path(path, document), message) for path, message in findings]
    if problems or changed is None:
        raise SettingsInvalid(problems)
    return changed


def differences(old: Settings, new: Settings) -> list[Difference]:
    """Every setting that differs; metadata fields and rules are told apart by name, and their order as a whole."""
    before, after = (dict(_flatten_settings(settings.document())) for settings in (old, new))
    differences = [
        Difference(key, _mask_secret(key, before.get(key, "")), _mask_secret(key, after.get(key, "")))
        for key in dict.fromkeys((*before, *after))
        if before.get(key, "") != after.get(key, "")
    ]
    for key in ("metadata", "do_not_import"):
        orders = [[entry.name for entry in getattr(settings, key)] for settings in (old, new)]
        kept = [[name for name in order if name in orders[0] and name in orders[1]] for order in orders]
        if kept[0] != kept[1]:
            differences.append(Difference(key, *(json.dumps(order, ensure_ascii=False) for order in orders)))
    return differences


def _assign(document: dict[str, Any], assignment: str) -> Iterator[Problem]:
    key, equals, text = (part.strip() for part in assignment.partition("="))
    if not equals:
        yield Problem(key, "give it as key=value")
        return
    *parts, leaf = key.split(".")
    part: Any = document
    for depth, step in enumerate([*parts, leaf]):
        keys = known_keys(tuple(parts[:depth]))
        if not isinstance(part, dict):
            yield Problem(key, f"{'.'.join(parts[:depth])} has no keys; give its whole value as YAML")
            return
        if keys and step not in keys:
            yield Problem(key, f"no such setting.{nearest_or_all(step, keys)}")
            return
        if depth < len(parts):
            part = part.get(step)
    if not text:
        part.pop(leaf, None)
    elif isinstance(part.get(leaf), str | None):
        part[leaf] = text
    else:
        value = YamlText(text)
        part[leaf] = part.get(leaf) if value.problems else value.value
        yield from (Problem(key, problem.message) for problem in value.problems)


def _flatten_settings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and text of every value that is set; what has a name is one value."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flatten_settings(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for position, item in enumerate(value):
            if "name" in item:
                yield f"{key}.{item['name']}", _as_text({name: item[name] for name in item if name != "name"})
            else:
                yield from _flatten_settings(item, f"{key}[{position}]")
    elif value not in (None, []):
        yield key, _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _mask_secret(key: str, value: str) -> str:
    secret = key.startswith("notify[") and key.endswith(".to")
    return f"{value.partition('://')[0]}://…" if secret and value else value


_ABSENT = object()


def rewrite_settings(text: str, settings: Settings, *, defaults: bool = False) -> str:
    """``text``, a settings document, so that it holds ``settings``: with its comments, its order, and what is unchanged
    as it was written. A comment whose place is gone moves to the end. A text that is no settings document is replaced.

    ``defaults`` also writes out what is at its default; what the text says at its default stays either way.
    """
    fresh = dump_settings(settings, defaults=defaults)
    try:
        old = load_settings(text)
    except SettingsInvalid:
        return fresh
    if defaults is False and old == settings:
        return text
    merged = _merge_into_text(text, old, settings, defaults=defaults)
    if not _is_equivalent(merged, settings):
        merged = fresh
    return merged + "".join(f"{comment}\n" for comment in _find_lost_comments(text, merged))


def _is_equivalent(text: str, settings: Settings) -> bool:
    try:
        return load_settings(text) == settings
    except SettingsInvalid:
        return False


def _merge_into_text(text: str, old: Settings, new: Settings, *, defaults: bool) -> str:
    yaml = make_yaml(comments=True)
    _keep_indentation(yaml, text)
    node = yaml.load(text)
    if not isinstance(node, CommentedMap):
        return dump_settings(new, defaults=defaults)
    before, after = (settings.model_dump(mode="json") for settings in (old, new))
    written = new.model_dump(mode="json", exclude_defaults=not defaults)
    _merge_map(node, before, after, written, everything=defaults)
    out = io.StringIO()
    yaml.dump(node, out)
    return out.getvalue()


def _keep_indentation(yaml: Any, text: str) -> None:
    """Lists below a key are indented as the first of the text is."""
    first = re.search(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE)
    offset = len(first[2]) - len(first[1]) if first else 0
    if offset > 0:
        yaml.indent(mapping=2, sequence=offset + 2, offset=offset)


def _merge_map(node: CommentedMap, before: Any, after: Any, written: Any, *, everything: bool = False) -> None:
    """``written`` is ``after`` without what is at its default: only that is added where the text said nothing."""
    for key in [key for key in node if key not in after]:
        del node[key]
    for key, value in after.items():
        old = before.get(key, _ABSENT)
        if key in node:
            if old != value or everything:
                node[key] = _merge(node[key], old, value, written.get(key, value))
        elif key in written and (old != value or everything):
            node[key] = written[key]


def _merge(node: Any, before: Any, after: Any, written: Any) -> Any:
    """The node to be put where ``node`` is."""
    if before == after:
        return node
    if isinstance(node, CommentedMap) and isinstance(before, dict) and isinstance(after, dict):
        _merge_map(node, before, after, written)
        return node
    if isinstance(node, CommentedSeq) and isinstance(before, list) and isinstance(after, list):
        return _merge_list(node, before, after, written)
    return written


def _merge_list(node: CommentedSeq, before: list[Any], after: list[Any], written: list[Any]) -> Any:
    """Entries are told apart by their name, or by what they are. What is moved is written anew."""
    names = [_entry_name(entry) for entry in after]
    for position in reversed(range(len(before))):
        if _entry_name(before[position]) not in names:
            del node[position], before[position]
    if [_entry_name(entry) for entry in before] != names[: len(before)]:
        return written
    for position, entry in enumerate(after):
        if position < len(before):
            node[position] = _merge(node[position], before[position], entry, written[position])
        else:
            node.append(written[position])
    return node


def _entry_name(entry: Any) -> Any:
    return entry.get("name", str(entry)) if isinstance(entry, dict) else entry


def _find_lost_comments(text: str, merged: str) -> Iterable[str]:
    """The comments of ``text`` that ``merged`` has not."""
    return (Counter(_scan_comments(text)) - Counter(_scan_comments(merged))).elements()


def _scan_comments(text: str) -> Iterator[str]:
    """What stands between two tokens is blanks and comments."""
    tokens = list(make_yaml().scan(text))
    for token, following in pairwise(tokens):
        between = text[token.end_mark.index : following.start_mark.index]
        yield from (match[0].rstrip() for match in re.finditer(r"#[^\n]*", between))
