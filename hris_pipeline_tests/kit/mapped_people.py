"""Mapped people as dictionaries and as the frame planning takes."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

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
_MORE_COLUMNS = ("justworks_id", *EMPLOYMENT_COLUMNS)

Person = dict[str, Any]


def person(number: int = 1, **values: Any) -> Person:
    """A mapped person whose ids and email carry the number, with the given values changed (``Team`` and ``Buddy`` are
    metadata)."""
    member = dict.fromkeys(("hris_id", *_MAPPED, *_MORE_COLUMNS)) | {
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
    keys = [key for key in ("hris_id", *_MAPPED, *_MORE_COLUMNS) if key.removeprefix("#") not in left_out]
    rows = [{key: member[key] for key in keys} for member in people]
    for row in rows:
        if settings.hire_date_priority == "latest" and "hire_date" in row:
            row["hire_date"] = row["rehired_on"] or row["hire_date"]
    return rows


def mapped_frame(people: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The mapped frame of people who all have the same keys."""
    keys = list(people[0]) if people else ["hris_id", *_MAPPED, *_MORE_COLUMNS]
    columns = {key: pa.array([member[key] for member in people], _TYPES.get(key, pa.string())) for key in keys}
    return pd.DataFrame({key: from_arrow(column) for key, column in columns.items()})
