"""Mapped people as dictionaries and as the frame planning takes, and random companies made to collide."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES
from hris_pipeline.transform.columns import from_arrow
from hris_pipeline.transform.map_users import EMPLOYMENT_COLUMNS

TODAY = date(2026, 3, 2)
METADATA = [
    {"name": "Team", "source": "department"},
    {"name": "Buddy", "source": "custom:Buddy", "type": "associated"},
]

_TYPES: dict[str, pa.DataType] = {name: pa.date32() for name in ("birth_date", "hire_date", "latest_rehire_date")}
_TYPES |= {name: dtype.pyarrow_dtype for name, dtype in EMPLOYMENT_COLUMNS.items()}

_MAPPED = (*USER_FIELD_NAMES, "#Team", "#Buddy")
_BESIDE = ("justworks_id", *EMPLOYMENT_COLUMNS)

Person = dict[str, Any]


def person(number: int = 1, **values: Any) -> Person:
    """A mapped person whose ids and email carry the number, with the given values changed (``Team`` and ``Buddy`` are
    metadata)."""
    member = dict.fromkeys(("hris_id", *_MAPPED, *_BESIDE)) | {
        "hris_id": f"m-{number}",
        "employee_id": f"{number:04}",
        "first_name": f"First{number}",
        "last_name": "Last",
        "email": f"p{number}@acme.test",
        "birth_date": date(1990, 1, 1),
        "hire_date": date(2020, 1, 1),
        "active": True,
        "may_have_left": False,
        "archive_existing": False,
        "leaver_only": False,
    }
    columns = {f"#{name}" if name in ("Team", "Buddy") else name: value for name, value in values.items()}
    member |= {"justworks_id": columns.get("employee_id", member["employee_id"])} | columns
    rehired = member["latest_rehire_date"]
    member["rehired_on"] = rehired if rehired and rehired <= TODAY else None
    starts = [day for day in (member["hire_date"], rehired) if day]
    member["starts_on"] = min(starts) if member["hire_date"] else member["rehired_on"]
    member["present_start"] = max((day for day in starts if day <= TODAY), default=None)
    member["next_start"] = min((day for day in starts if day > TODAY), default=None)
    return member


def under(settings: Settings, people: Sequence[Person]) -> list[Person]:
    """The people with the fields they have under the settings."""
    left_out = set(settings.exclude_fields) | {"employee_id" for _ in range(settings.employee_ids == "generated")}
    keys = [key for key in ("hris_id", *_MAPPED, *_BESIDE) if key.removeprefix("#") not in left_out]
    rows = [{key: member[key] for key in keys} for member in people]
    for row in rows:
        if settings.hire_date_priority == "latest" and "hire_date" in row:
            row["hire_date"] = row["rehired_on"] or row["hire_date"]
    return rows


def mapped_frame(people: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The mapped frame of people who all have the same keys."""
    keys = list(people[0]) if people else ["hris_id", *_MAPPED, *_BESIDE]
    columns = {key: pa.array([member[key] for member in people], _TYPES.get(key, pa.string())) for key in keys}
    return pd.DataFrame({key: from_arrow(column) for key, column in columns.items()})


HUMANS = range(1, 13)
AGAIN = 100
HRIS_IDS = [f"m-{number + again}" for number in HUMANS for again in (0, AGAIN)]
"""Everybody has an id, and another one after being hired again."""

EMPLOYEE_IDS = [f"{number:04}" for number in HUMANS]


def _ago(days: int) -> date:
    return TODAY - timedelta(days=days)


USUAL: list[Person] = [{}] * 8

TWISTS: list[Person] = [
    {"again": True},
    {"again": True},
    {"absent": True},
    {"active": False},
    {"termination_date": _ago(1)},
    {"termination_date": _ago(0)},
    {"hire_date": _ago(-3)},
    {"latest_rehire_date": _ago(-5)},
    {"latest_rehire_date": _ago(100)},
    {"hire_date": None},
    {"email": None},
    {"email": "ada@acme.test"},
    {"email": "Ada@acme.test"},
    {"email": "P2@acme.test"},
    {"email": "straße@acme.test"},
    {"email": "STRASSE@acme.test"},
    {"first_name": "FIRST1", "birth_date": date(1990, 1, 1)},
    {"first_name": "李"},
    {"birth_date": None},
    {"supervisor_id": None},
    {"supervisor_id": "m-3"},
    {"supervisor_id": "elsewhere"},
    {"Team": None},
    {"Team": "Blue"},
    {"Buddy": "0004"},
    {"employee_id": "A"},
    {"exclusion": "rule:Leaving", "archive_existing": True},
    {"exclusion": "rule:Leaving", "archive_existing": False},
]
"""What can be unusual about a person in one extract."""

STORED_TWISTS: list[Person] = [
    {"integration_id": None, "hris_id": None},
    {"integration_id": None, "hris_id": None, "protected": True},
    {"integration_id": "other"},
    {"again": True},
    {"absent": True},
    {"absent": True},
    {"status": "archived", "archived_by": "import"},
    {"status": "archived", "archived_by": "import"},
    {"status": "archived", "archived_by": "Pat"},
    {"protected": True},
    {"protected": True, "email": "mine@acme.test"},
    {"email": None},
    {"email": "ada@acme.test", "email_edited_by_user": True},
    {"email": "other@acme.test"},
    {"email_edited_by_user": True, "email": None},
    {"first_name": "Else"},
    {"employee_id": "B"},
    {"hire_date": None},
    {"hire_date": _ago(50)},
]
"""What can be unusual about a user in the store."""


def _human(number: int) -> Person:
    """What is usually known of one of twelve people; the last two are namesakes born on one day."""
    return {
        "hris_id": f"m-{number}",
        "employee_id": f"{number:04}",
        "first_name": f"First{min(number, 11)}",
        "last_name": "Last",
        "email": f"p{number}@acme.test",
        "birth_date": date(1990, 1, min(number, 11)),
        "hire_date": _ago(900),
    }


def _twisted(draw: st.DrawFn, number: int, usual: Person, twists: list[Person]) -> Person:
    twist = draw(st.sampled_from(USUAL + twists)) | draw(st.sampled_from(USUAL * 3 + twists))
    member = usual | twist
    return member | {"hris_id": f"m-{number + AGAIN}"} if "again" in twist else member


def _once(people: list[Person], *fields: str) -> list[Person]:
    """Without whoever comes with a value somebody before already has."""
    for name in fields:
        seen: dict[Any, Person] = {}
        for person_drawn in people:
            seen.setdefault(person_drawn[name] and person_drawn[name].casefold(), person_drawn)
        people = [member for member in people if member[name] is None or seen[member[name].casefold()] is member]
    return people


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    """Twelve people who come and go, are hired again under another id, and now and then carry each other's values;
    sometimes the EmployeeIds of the first few go round."""
    moved = draw(st.sampled_from([0, 0, 0, 2, 4]))
    listed = []
    for number in HUMANS:
        usual = _human(number) | {"supervisor_id": "m-1", "Team": "Red"}
        if number <= moved:
            usual["employee_id"] = f"{number % moved + 1:04}"
        listed.append(_twisted(draw, number, usual, TWISTS))
    present = [member for member in listed if "absent" not in member]
    return [
        person(**{key: member[key] for key in member if key != "again"}) for member in _once(present, "employee_id")
    ]


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    """Any settings that matter to a plan."""
    return Settings.model_validate(
        {
            "metadata": METADATA,
            "archive_employees": draw(st.sampled_from([True, True, True, False])),
            "override_emails": draw(st.booleans()),
            "hire_date_priority": draw(st.sampled_from(["original", "latest"])),
            "override_hire_date": draw(st.booleans()),
            "employee_ids": draw(st.sampled_from(["justworks"] * 5 + ["generated"])),
            "do_not_archive": draw(st.sampled_from([[], [], ["0002", "0005"]])),
            "exclude_fields": draw(st.sampled_from([[], [], [], ["birth_date"], ["email", "Team"], ["hire_date"]])),
            "import_days_before_start": draw(st.sampled_from([0, 3, 5])),
        }
    )


@st.composite
def stored_users(draw: st.DrawFn) -> list[Person]:
    """Users of a directory before the first import: local, or linked to this or another integration."""
    usual: Person = {"integration_id": "acme", "status": "active", "metadata": {"Team": "Old", "Badge": "7"}}
    users = [_twisted(draw, number, _human(number) | usual, STORED_TWISTS) for number in HUMANS]
    present = [user for user in users if "absent" not in user]
    return [{key: member[key] for key in member if key != "again"} for member in _once(present, "email", "employee_id")]
