"""The words of the console's pages: moments, values and states as an administrator says them, and what a
message tells of the command line as a button or a page of this console.

Pure: from a value to its text. Reasons and guards have their words in ``operations.review_files``, for every face.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hris_pipeline.operations.review_files import field_title
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS_BY_NAME
from hris_pipeline.settings.mapping import effective_mapping

__all__ = [
    "browser_words",
    "due_words",
    "moment_words",
    "schedule_words",
    "setting_title",
    "setting_words",
    "source_title",
    "value_words",
]

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
    return f"{day} at {local:%H:%M} ({_zone_words(zone)})"


def schedule_words(settings: Settings) -> str:
    """How often automatic imports run: the day, the time, and the zone by name."""
    days = {"weekly": f" on {settings.weekday.capitalize()}", "monthly": f" on day {settings.day_of_month}"}
    day = days.get(settings.frequency, "")
    return f"{settings.frequency}{day} at {settings.at} ({_zone_words(settings.time_zone)})"


def _zone_words(zone: str) -> str:
    return zone.replace("_", " ")


def value_words(value: Any) -> str:
    """A stored value as text; nothing is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return value.isoformat() if isinstance(value, date) else str(value)


def source_title(source: str) -> str:
    """A source field in an administrator's words; a custom field by its label."""
    field = EMPLOYEE_FIELDS_BY_NAME.get(source)
    return field.title if field else source.removeprefix(CUSTOM_PREFIX)


_NAMED_SETTINGS = ("metadata", "do_not_import")


def setting_title(key: str) -> str:
    """A setting's dotted key in words; names of metadata and rules as they are."""
    top, dot, rest = key.partition(".")
    if top == "mapping" and rest:
        return f"mapping: {field_title(rest)}"
    words = rest if top in _NAMED_SETTINGS else rest.replace("_", " ").replace(".", ": ")
    return top.replace("_", " ") + (f": {words}" if dot else "")


def setting_words(text: str, key: str = "") -> str:
    """A setting's value, told as text, as a person says it: lists with commas, metadata and rules in words; what feeds
    a field by the title of the source, also where that is the default."""
    top, _, field = key.partition(".")
    if top == "mapping" and field:
        return source_title(text or effective_mapping(Settings()).get(field, field))
    try:
        value = json.loads(text)
    except ValueError:
        return text or "–"
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return ", ".join(value) or "–"
    if isinstance(value, dict) and "source" in value:
        return f"from {source_title(str(value['source']))}, {value.get('type', 'default')}"
    if isinstance(value, dict) and {"all", "any"} & value.keys():
        return _rule_words(value)
    return text


def _rule_words(rule: Mapping[str, Any]) -> str:
    every, some = (list(map(_condition_words, rule.get(key) or ())) for key in ("all", "any"))
    conditions = [*every, *([" or ".join(some)] if some else [])]
    users = "archives existing users" if rule.get("archive_existing") else "leaves existing users alone"
    return f"{' and '.join(conditions)}; {users}"


def _condition_words(condition: Mapping[str, Any]) -> str:
    name = source_title(str(condition.get("field")))
    operator = str(condition.get("operator")).replace("_", " ")
    value = condition.get("value")
    return f"{name} {operator}" if value is None else f"{name} {operator} {value_words(value)}"


MANUAL = "a manual import"

_HERE: Mapping[str, str] = {
    "approve": "“Approve” in its review",
    "connect": "“Connect” in the settings",
    "conflicts": "the page “Conflicts”",
    "history": "the page “History”",
    "import": MANUAL,
    "integrations": "“Integrations”",
    "mapping": "the page “Mapping”",
    "preview": MANUAL,
    "quarantine": "its review",
    "resolve": "the page “Conflicts”",
    "resume": "“Start automatic imports” on the overview",
    "save": "“Save import” in its review",
    "settings": "the page “Settings”",
    "setup": "“Set up an integration”",
    "show": "the page “Review”",
}
"""Where the console has what a command of that name does."""

_COMMAND = re.compile(r"(\brun )?`(?:hris )?([a-z-]+)([^`]*)`")


def browser_words(message: str) -> str:
    """A message for somebody who has a browser alone: each command it names as the page or button that does the same;
    of what only the command line has it is said whose it is."""

    def replace(match: re.Match[str]) -> str:
        place = _HERE.get(match[2]) if match[0].removeprefix("run ").startswith("`hris ") else None
        if place is None:
            return match[0].replace("`", "")
        return f"{'run' if place == MANUAL else 'use'} {place}" if match[1] else place

    words = _COMMAND.sub(replace, message)
    for_others = any(_HERE.get(name) is None for _, name, _ in _COMMAND.findall(message))
    return f"{words} That is for whoever runs this installation." if for_others else words
