"""Members as a source gives them, and what becomes of them, for tests of single rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.transform.columns import text_from_source
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import Validated, validate

TODAY = date(2025, 6, 2)


@dataclass(frozen=True)
class Definition:
    """A custom field."""

    id: str
    label: str


@dataclass(frozen=True)
class Company:
    """A company, as far as mapping needs it."""

    custom_fields: tuple[Definition, ...] = ()


def member(number: int = 1, /, **values: object) -> dict[str, object]:
    """A good member whose ids carry the number, with the given values changed."""
    good: dict[str, object] = {
        "hris_id": f"m-{number}",
        "justworks_id": f"{number:04}",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "birth_date": "1985-12-10",
        "hire_date": "2020-01-15",
        "residence_city": "Ockham",
        "active": True,
    }
    return dict.fromkeys(RAW_COLUMNS) | good | values


def columns(*members: dict[str, object]) -> dict[str, list[object]]:
    """Members as equally long lists."""
    return {name: [member[name] for member in members] for name in RAW_COLUMNS}


def validated(*members: dict[str, object], today: date = TODAY) -> Validated:
    """Members normalised and validated."""
    return validate(normalise(columns(*members)), today)


def text_frame(**values: Sequence[str | None]) -> pd.DataFrame:
    """A frame of text columns; ``_Name`` stands for ``#Name``."""
    return pd.DataFrame(
        {name.replace("_", "#", 1) if name[0] == "_" else name: text_from_source(v) for name, v in values.items()}
    )


def values(column: "pd.Series[Any]") -> list[Any]:
    """A column as a list, null as None."""
    return [None if value is pd.NA else value for value in column]
