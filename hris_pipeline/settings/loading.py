"""The settings document in and out as YAML, one setting at a time, and what differs between two documents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hris_pipeline.errors import Problem, SettingsInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.suggestion import suggestion
from hris_pipeline.settings.validating import check_document, format_path, known_keys
from hris_pipeline.settings.yaml_text import YamlText, to_yaml

__all__ = ["Difference", "differences", "dump_settings", "load_settings", "set_values"]


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
    settings, found = check_document(document)
    problems = source.problems + [
        Problem(format_path(path), message, source.line(path))
        for path, message in found
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
    changed, found = check_document(document)
    problems += [Problem(format_path(path), message) for path, message in found]
    if problems or changed is None:
        raise SettingsInvalid(problems)
    return changed


def differences(old: Settings, new: Settings) -> list[Difference]:
    """Every setting that differs; metadata fields and rules are told apart by name, and their order as a whole."""
    before, after = (dict(_leaves(settings.document())) for settings in (old, new))
    found = [
        Difference(key, _shown(key, before.get(key, "")), _shown(key, after.get(key, "")))
        for key in dict.fromkeys((*before, *after))
        if before.get(key, "") != after.get(key, "")
    ]
    for key in ("metadata", "do_not_import"):
        orders = [[entry.name for entry in getattr(settings, key)] for settings in (old, new)]
        kept = [[name for name in order if name in orders[0] and name in orders[1]] for order in orders]
        if kept[0] != kept[1]:
            found.append(Difference(key, *(json.dumps(order, ensure_ascii=False) for order in orders)))
    return found


def _assign(document: dict[str, Any], assignment: str) -> Iterator[Problem]:
    key, equals, text = (part.strip() for part in assignment.partition("="))
    if not equals:
        yield Problem(key, "give it as key=value")
        return
    *parts, leaf = key.split(".")
    part: Any = document
    for depth, step in enumerate([*parts, leaf]):
        known = known_keys(tuple(parts[:depth]))
        if not isinstance(part, dict):
            yield Problem(key, f"{'.'.join(parts[:depth])} has no keys; give its whole value as YAML")
            return
        if known and step not in known:
            yield Problem(key, f"no such setting.{suggestion(step, known)}")
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


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and text of every value that is set; what has a name is one value."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for position, item in enumerate(value):
            if "name" in item:
                yield f"{key}.{item['name']}", _as_text({name: item[name] for name in item if name != "name"})
            else:
                yield from _leaves(item, f"{key}[{position}]")
    elif value not in (None, []):
        yield key, _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(key: str, value: str) -> str:
    secret = key.startswith("notify[") and key.endswith(".to")
    return f"{value.partition('://')[0]}://…" if secret and value else value
