"""How templates are read: everything escaped, nothing undefined, and the words and shapes that all pages share."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["STATIC", "TEMPLATES", "due_words", "moment_words"]

STATIC = Path(__file__).with_name("static")

_DAY = timedelta(days=1)


def moment_words(value: datetime | None, zone: str = "UTC") -> str:
    """A moment for people, in a zone that is named."""
    if value is None:
        return "never"
    local = value.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname() or zone}"


def due_words(value: datetime, now: datetime, zone: str) -> str:
    """When something is due: the day as people say it, the time, and the zone by name."""
    local, today = value.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    days = {today: "today", today + _DAY: "tomorrow"}
    day = days.get(local.date(), f"{local:%a} {local.day} {local:%b}")
    return f"{day} at {local:%H:%M} ({zone.replace('_', ' ')})"


def _value_words(value: Any) -> str:
    """A stored value as text; nothing is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return value.isoformat() if isinstance(value, date) else str(value)


def _query(values: Mapping[str, Any], **changes: Any) -> str:
    """An address's query with some of its values changed; empty ones are left out."""
    merged = {**values, **changes}
    return urlencode({key: value for key, value in merged.items() if value not in (None, "")}, doseq=True)


def _plural(number: int, noun: str, several: str = "") -> str:
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def _asset(name: str) -> str:
    """The address of a file of ours that changes when the file does, so that a browser may keep it."""
    return f"/static/{name}?{_DIGESTS[name]}"


_DIGESTS = {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in STATIC.iterdir()}

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"moment": moment_words, "value": _value_words, "path": lambda text: quote(str(text), safe="")}
TEMPLATES.globals |= {"asset": _asset, "query": _query, "plural": _plural, "due_words": due_words}
