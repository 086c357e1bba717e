"""A settings file written anew: what it says changes, what people wrote beside it stays.

Here is only how a text becomes another text. Reading and checking a document is ``loading``'s, files are the callers'.
"""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from hris_pipeline.errors import SettingsInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import dump_settings, load_settings
from hris_pipeline.settings.yaml_text import make_yaml

__all__ = ["rewrite_settings"]

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
    merged = _merged(text, old, settings, defaults=defaults)
    if not _holds(merged, settings):
        merged = fresh
    return merged + "".join(f"{comment}\n" for comment in _lost(text, merged))


def _holds(text: str, settings: Settings) -> bool:
    try:
        return load_settings(text) == settings
    except SettingsInvalid:
        return False


def _merged(text: str, old: Settings, new: Settings, *, defaults: bool) -> str:
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
    names = [_name(entry) for entry in after]
    for position in reversed(range(len(before))):
        if _name(before[position]) not in names:
            del node[position], before[position]
    if [_name(entry) for entry in before] != names[: len(before)]:
        return written
    for position, entry in enumerate(after):
        if position < len(before):
            node[position] = _merge(node[position], before[position], entry, written[position])
        else:
            node.append(written[position])
    return node


def _name(entry: Any) -> Any:
    return entry.get("name", str(entry)) if isinstance(entry, dict) else entry


def _lost(text: str, merged: str) -> Iterable[str]:
    """The comments of ``text`` that ``merged`` has not."""
    return (Counter(_comments(text)) - Counter(_comments(merged))).elements()


def _comments(text: str) -> Iterator[str]:
    """What stands between two tokens is blanks and comments."""
    tokens = list(make_yaml().scan(text))
    for token, following in pairwise(tokens):
        between = text[token.end_mark.index : following.start_mark.index]
        yield from (match[0].rstrip() for match in re.finditer(r"#[^\n]*", between))
