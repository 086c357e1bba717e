"""From a document as plain values to ``Settings``, or to every problem in it at once, in an administrator's words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hris_pipeline.errors import Problem, SettingsInvalid
from hris_pipeline.settings.document import InconsistencyError, Settings
from hris_pipeline.settings.suggestion import suggestion

__all__ = [
    "Path",
    "check_document",
    "format_path",
    "known_keys",
    "settings_from",
]

Path = tuple[str | int, ...]
"""Where in a document: keys and positions from the top."""


def settings_from(document: Mapping[str, Any]) -> Settings:
    """The settings that ``document`` holds; ``{}`` is valid.

    Raises:
        SettingsInvalid: with every problem found.
    """
    settings, problems = check_document(document)
    if settings is None:
        raise SettingsInvalid([Problem(format_path(path), message) for path, message in problems])
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
            found = list(_problems(error, remaining))
        else:
            return (None if problems else settings), problems
        wrong = {path[0] for path, _ in problems if path}
        inside = {path[:depth] for path, _, _ in found for depth in range(len(path))}
        problems.extend(
            (path, message) for path, message, diagnostics in found if diagnostics not in wrong and path not in inside
        )
        if sum(_remove(remaining, path) for path, _, _ in found) == 0:  # a sum, because all must be set aside
            return None, problems


def format_path(path: Path) -> str:
    """A path as people write it: ``do_not_import[0].all[1].value``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


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


def _problems(error: ValidationError, remaining: Any) -> Iterator[tuple[Path, str, str]]:
    """(path in the whole document, message, the setting it clashes with or "")."""
    for detail in error.errors(include_url=False):
        reason = detail.get("ctx", {}).get("error")
        if isinstance(reason, InconsistencyError):
            for clash in reason.clashes:
                yield _path(clash.path, remaining), clash.message, clash.other_setting
        else:
            path = _path(detail["loc"], remaining)
            yield path, _message(detail, path), ""


def _path(location: Path, remaining: Any) -> Path:
    path: Path = ()
    for step in location:
        if isinstance(remaining, _Numbered) and isinstance(step, int):
            step = list(remaining)[step]  # noqa: PLW2901
        elif not isinstance(remaining, dict) or step == "[key]":
            break
        path = (*path, step)
        remaining = remaining.get(step)
    return path


def _message(detail: ErrorDetails, path: Path) -> str:
    translate = _MESSAGES.get(detail["type"])
    return translate(detail, path) if translate else detail["msg"]


def _no_text(detail: ErrorDetails, _: Path) -> str:
    number = isinstance(detail["input"], int | float) and not isinstance(detail["input"], bool)
    hint = ": put it in quotes, because a bare number loses its leading zeros" if number else ""
    return f"must be text{hint}"


def _no_such_key(_: ErrorDetails, path: Path) -> str:
    known = known_keys(path[:-1])
    return f"no such setting.{suggestion(str(path[-1]), known) or ' Known here: ' + ', '.join(known) + '.'}"


def _not_listed(detail: ErrorDetails, _: Path) -> str:
    expected = str(detail["ctx"]["expected"])
    given = detail["input"]
    options = [option for option in expected.replace("'", " ").split() if option not in (",", "or")]
    return f"must be {expected}.{suggestion(given, options) if isinstance(given, str) else ''}"


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
