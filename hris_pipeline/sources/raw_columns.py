"""What every wire has in common: the table that it fills in (one getter a field), how an id is cleaned, and the choices
among a person's addresses and numbers. How rows become columns is ``column_builder``'s business."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from hris_pipeline.settings.fields import RAW_COLUMNS, require_getters
from hris_pipeline.settings.text import clean_value
from hris_pipeline.sources.decoding import UNREADABLE, as_text
from hris_pipeline.sources.spellings import MOBILE, PERSONAL, WORK, holds_something, spelled, type_word

__all__ = [
    "SPELLS",
    "UNREAD",
    "Contact",
    "WireField",
    "WorkId",
    "chosen_phone",
    "clean_id",
    "pick_emails",
    "read_contacts",
    "unreadable_columns",
    "wire_getters",
    "wire_paths",
]

SPELLS = "spells"
"""After the raw columns: the spells of employment that the source tells of beside hire, latest re-hire and termination,
as ISO dates ``start/end start/end``, an end that is not told left out; None where there are no more."""

UNREAD = "unread"
"""Beside the raw columns: of each row the names of employee columns of which something came that could not be read."""

P = TypeVar("P")


@dataclass(frozen=True)
class WireField(Generic[P]):
    """How one wire gives one employee column: the fields of an archived member that it is read from, as dotted paths,
    and the getter; None for a column that is derived from all rows together."""

    paths: tuple[str, ...]
    getter: Callable[[P], object] | None


def wire_getters(source: str, fields: Mapping[str, WireField[P]]) -> tuple[Callable[[P], object], ...]:
    """The getters of a wire in the order of ``RAW_COLUMNS``.

    Raises:
        HrisError: the wire forgot a field of the catalogue, or has one that the catalogue lacks.
    """
    require_getters(source, [name for name, field in fields.items() if field.getter])
    getters = (fields[name].getter if name in fields else None for name in RAW_COLUMNS)
    return tuple(getter or _nothing for getter in getters)


def wire_paths(fields: Mapping[str, WireField[Any]]) -> dict[str, tuple[str, ...]]:
    """By employee column: the fields of an archived member that it is read from."""
    return {name: field.paths for name, field in fields.items()}


def unreadable_columns(row: Sequence[object]) -> list[str]:
    """The raw columns of a row whose text holds what could not be read as text: half a character, no number."""
    return [
        name for name, value in zip(RAW_COLUMNS, row, strict=False) if isinstance(value, str) and UNREADABLE in value
    ]


def _nothing(_: object) -> None:
    return None


class WorkId(str):
    """Names somebody by the work id, where an hris_id belongs."""

    __slots__ = ()


class Contact(NamedTuple):
    """An address or a number: the word of its type, its text where one could be read, and whether there was something
    else that could not."""

    word: str
    text: str | None
    broken: bool


def read_contacts(value: object, places: Mapping[str, tuple[str, ...]]) -> list[Contact]:
    """The contacts in a list, a single object or a single text; ``places`` is the entry of ``SPELLINGS``."""
    return [_contact(item, places) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _contact(item: object, places: Mapping[str, tuple[str, ...]]) -> Contact:
    if not isinstance(item, dict):
        text = None if isinstance(item, list) else as_text(item)
        return Contact("", text, text is None and holds_something(item))
    word = type_word(spelled(item, places["type"]))
    text = spelled(item, places["value"])
    if text is None:
        return Contact(word, None, any(holds_something(v) for k, v in item.items() if k not in places["type"]))
    return Contact(word, text, broken=False)


def pick_emails(contacts: Iterable[Contact]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Email (work, else personal, else the first), secondary email (personal, only beside a work one), and which of the
    two columns are unread: nothing could be read, or not what would have come first."""
    work = personal = first = None
    typed, broken, broken_personal = False, False, False
    for word, address, is_broken in contacts:
        if not address:
            typed = typed or bool(word) or is_broken
            broken = broken or is_broken
            broken_personal = broken_personal or (is_broken and word not in WORK)
            continue
        first = first or address
        if word in WORK:
            work = work or address
        elif word in PERSONAL:
            personal = personal or address
    if first is None:
        return None, None, ("email", "secondary_email") if typed else ()
    if work is None:
        return (None, None, ("email", "secondary_email")) if broken else (personal or first, None, ())
    if personal is None and broken_personal:
        return work, None, ("secondary_email",)
    return work, personal, ()


def chosen_phone(contacts: Iterable[Contact]) -> tuple[str | None, bool]:
    """Mobile, else work, else the first; and whether it is unread: nothing could be read, or not what would have come
    first."""
    mobile = work = first = None
    typed = broken = False
    for word, number, is_broken in contacts:
        if not number:
            typed = typed or bool(word) or is_broken
            broken = broken or is_broken
            continue
        first = first or number
        if word in MOBILE:
            mobile = mobile or number
        elif word in WORK:
            work = work or number
    if mobile is None and (broken or (first is None and typed)):
        return None, True
    return mobile or work or first, False


def clean_id(value: object) -> str:
    """An id as it is compared and stored (``text.clean_value``); '' for what is none."""
    if type(value) is str and value.isascii() and value.isalnum():
        return value
    text = clean_value(value if type(value) is str else as_text(value) or "", "id")
    return "" if UNREADABLE in text else text
