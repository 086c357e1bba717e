"""Mapped people as dictionaries and as the frame planning takes, and random companies made to collide."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from hris_pipeline.frames.types import series
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES

TODAY = date(2026, 3, 2)
METADATA = [
    {"name": "Team", "source": "department"},
    {"name": "Buddy", "source": "custom:Buddy", "type": "associated"},
]

_TYPES: dict[str, pa.DataType] = {
    name: pa.date32()
    for name in ("birth_date", "hire_date", "latest_rehire_date", "termination_date", "starts_on", "rehired_on")
} | {"active": pa.bool_(), "archive_existing": pa.bool_()}

_MAPPED = (*USER_FIELD_NAMES, "#Team", "#Buddy")
_BESIDE = ("justworks_id", "active", "termination_date", "starts_on", "rehired_on", "exclusion", "archive_existing")

Person = dict[str, Any]


def person(number: int = 1, **values: Any) -> Person:
    """A mapped person whose ids and email carry the number, with the given values changed (``Team`` and ``Buddy`` are
    metadata)."""
    one = dict.fromkeys(("hris_id", *_MAPPED, *_BESIDE)) | {
        "hris_id": f"m-{number}",
        "employee_id": f"{number:04}",
        "first_name": f"First{number}",
        "last_name": "Last",
        "email": f"p{number}@acme.test",
        "birth_date": date(1990, 1, 1),
        "hire_date": date(2020, 1, 1),
        "active": True,
        "archive_existing": False,
    }
    given = {f"#{name}" if name in ("Team", "Buddy") else name: value for name, value in values.items()}
    one |= {"justworks_id": given.get("employee_id", one["employee_id"])} | given
    one["rehired_on"] = one["latest_rehire_date"]
    one["starts_on"] = max((day for day in (one["hire_date"], one["rehired_on"]) if day), default=None)
    return one


def under(settings: Settings, people: Sequence[Person]) -> list[Person]:
    """The people with the fields they have under the settings."""
    left_out = set(settings.exclude_fields) | {"employee_id" for _ in range(settings.employee_ids == "generated")}
    keys = [key for key in ("hris_id", *_MAPPED, *_BESIDE) if key.removeprefix("#") not in left_out]
    rows = [{key: one[key] for key in keys} for one in people]
    for row in rows:
        if settings.hire_date_priority == "latest" and "hire_date" in row:
            row["hire_date"] = row["rehired_on"] or row["hire_date"]
    return rows


def mapped_frame(people: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The mapped frame of people who all have the same keys."""
    keys = list(people[0]) if people else ["hris_id", *_MAPPED, *_BESIDE]
    columns = {key: pa.array([one[key] for one in people], _TYPES.get(key, pa.string())) for key in keys}
    return pd.DataFrame({key: series(column) for key, column in columns.items()})


def _days(*offsets: int | None) -> st.SearchStrategy[date | None]:
    return st.sampled_from([None if offset is None else TODAY + timedelta(days=offset) for offset in offsets])


EMAILS = st.sampled_from(
    [None, "ada@acme.test", "Ada@acme.test", "bo@acme.test", "STRASSE@acme.test", "straße@acme.test"]
)
EMPLOYEE_IDS = ["1", "0001", "0002", "0003", "0004", "0005", "a", "A"]
HRIS_IDS = [f"m-{number}" for number in range(1, 9)]
REFERENCES = st.sampled_from([None, *HRIS_IDS[:5], "elsewhere"])
BIRTH_DATES = st.sampled_from([None, date(1990, 1, 1), date(1985, 2, 28)])
NAMES = st.sampled_from(["Ada", "ADA", "Bo", "李"])


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    """Up to eight people from small pools, so that names, emails and ids meet again and again."""
    hris_ids = draw(st.lists(st.sampled_from(HRIS_IDS), unique=True, max_size=8))
    employee_ids = draw(st.permutations(EMPLOYEE_IDS))
    return [
        person(
            hris_id=hris_id,
            employee_id=employee_id,
            first_name=draw(NAMES),
            email=draw(EMAILS),
            secondary_email=draw(EMAILS),
            birth_date=draw(BIRTH_DATES),
            hire_date=draw(_days(None, -900, -400, 3)),
            latest_rehire_date=draw(_days(None, None, -100, 5)),
            supervisor_id=draw(REFERENCES),
            Team=draw(st.sampled_from([None, "Red", "Blue"])),
            Buddy=draw(st.sampled_from([None, *EMPLOYEE_IDS])),
            active=draw(st.sampled_from([True, True, True, True, False])),
            termination_date=draw(_days(None, None, None, None, -1, 0, 1)),
            exclusion=draw(st.sampled_from([None] * 5 + ["rule:Leaving"])),
            archive_existing=draw(st.booleans()),
        )
        for hris_id, employee_id in zip(hris_ids, employee_ids, strict=False)
    ]


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    """Any settings that matter to a plan; guards never hold."""
    return Settings.model_validate(
        {
            "metadata": METADATA,
            "archive_employees": draw(st.booleans()),
            "override_emails": draw(st.booleans()),
            "hire_date_priority": draw(st.sampled_from(["original", "latest"])),
            "override_hire_date": draw(st.booleans()),
            "employee_ids": draw(st.sampled_from(["justworks", "justworks", "justworks", "generated"])),
            "do_not_archive": draw(st.lists(st.sampled_from(EMPLOYEE_IDS), unique=True, max_size=2)),
            "exclude_fields": draw(
                st.lists(st.sampled_from(["birth_date", "email", "hire_date", "Team"]), unique=True, max_size=2)
            ),
            "import_days_before_start": draw(st.sampled_from([0, 3, 5])),
        }
    )


@st.composite
def stored_users(draw: st.DrawFn) -> list[Person]:
    """Users of a directory before the first import: local, or linked to this or another integration."""
    employee_ids = draw(st.lists(st.sampled_from(EMPLOYEE_IDS), unique=True, max_size=5))
    emails = draw(st.permutations(["ada@acme.test", "bo@acme.test", "strasse@acme.test", None, None, None]))
    hris_ids = draw(st.permutations(HRIS_IDS))
    users = []
    for employee_id, email, hris_id in zip(employee_ids, emails, hris_ids, strict=False):
        owner = draw(st.sampled_from([None, "acme", "acme", "other"]))
        archived_by = draw(st.sampled_from([None, None, "import", "Pat"]))
        users.append(
            {
                "employee_id": employee_id,
                "email": email,
                "integration_id": owner,
                "hris_id": owner and hris_id,
                "first_name": draw(NAMES),
                "last_name": "Last",
                "birth_date": draw(BIRTH_DATES),
                "hire_date": draw(_days(None, -500)),
                "metadata": {"Team": "Old", "Badge": "7"},
                "status": "archived" if archived_by else "active",
                "archived_by": archived_by,
                "protected": draw(st.booleans()),
                "email_edited_by_user": draw(st.booleans()),
            }
        )
    return users
