"""What a value of JSON is, on whatever wire; and the notes of what could not be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from .model import Failure, JsonObject
from .text import clean_id, clean_name, key, read_date, read_end

NAME_LIMITS = {"first_name": 100, "last_name": 50, "preferred_first_name": 100}


RESIDENCE = ("residence_city", "residence_state", "residence_country")


OFFICE = ("employment_city", "employment_state", "employment_country")


@dataclass
class Notes:
    """Collected while one member is read."""

    unread: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)

    def fail(self, name: str, check: str) -> None:
        self.failures.append(Failure(name, check))

    def could_not_read(self, *names: str) -> None:
        self.unread.update(names)
        self.sent.update(names)


def as_object(value: object) -> JsonObject:
    if isinstance(value, Mapping):
        return {str(name): item for name, item in value.items()}
    return {}


def as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def is_empty(value: object) -> bool:
    """Nothing sent: null, a blank text, an empty list or object; a list of nothing but nulls and empty objects too."""
    if value is None:
        return True
    if isinstance(value, str):
        return clean_name(value) == ""
    if isinstance(value, list | tuple):
        return all(item is None or item == {} for item in value)
    if isinstance(value, Mapping):
        return len(value) == 0
    return False


def holds_nothing(value: object) -> bool:
    """Empty at whatever depth."""
    if isinstance(value, Mapping):
        return all(map(holds_nothing, value.values()))
    if isinstance(value, list | tuple):
        return all(map(holds_nothing, value))
    return is_empty(value)


def scalar(value: object, *, is_id: bool = False) -> str | None:
    """The cleaned text of a text or a whole number; None for everything else and for a blank."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return (clean_id(value) if is_id else clean_name(value)) or None
    return None


def read_text(holder: JsonObject, name: str, column: str, notes: Notes, *, is_id: bool = False) -> str | None:
    value = holder.get(name)
    if is_empty(value):
        return None
    notes.sent.add(column)
    text = scalar(value, is_id=is_id)
    if text is None and not isinstance(value, str):
        notes.could_not_read(column)
    return text


def date_of(holder: JsonObject, name: str, column: str, notes: Notes) -> date | None:
    value = holder.get(name)
    if is_empty(value):
        return None
    notes.sent.add(column)
    if not isinstance(value, str):
        if isinstance(value, Mapping | list | tuple):
            notes.could_not_read(column)
        else:
            notes.fail(column, "date")
        return None
    if column == "termination_date":
        day, readable = read_end(value)
    else:
        day = read_date(value)
        readable = day is not None
    if not readable:
        notes.fail(column, "date")
    return day


def read_names(names: Mapping[str, str | None], notes: Notes) -> None:
    for column, limit in NAME_LIMITS.items():
        text = names[column]
        if text is None:
            if column != "preferred_first_name":
                notes.fail(column, "needed")
                notes.unread.discard(column)
        elif len(text) > limit:
            notes.fail(column, "length")


def first_text(holder: JsonObject, names: Iterable[str], *, is_id: bool = True) -> tuple[str | None, bool]:
    """The first spelling that holds a text, and whether any of the spellings is there at all."""
    seen = False
    for name in names:
        if name in holder:
            value = holder[name]
            if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
                seen = True
            text = scalar(value, is_id=is_id)
            if text is not None:
                return text, True
    return None, seen


def type_word(holder: JsonObject) -> str:
    for name in ("type", "kind"):
        value = holder.get(name)
        if isinstance(value, str) and clean_id(value):
            return key(clean_id(value))
    return ""
