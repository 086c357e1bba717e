"""The frames that cross this room's borders, as pandera schemas: mapped users coming in, change rows going out.

Held in tests and wherever a frame is made anew; a plan itself only asks whether the columns are there.
"""

import functools

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELDS
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.transform.columns import DATE, FLAG, INTEGER, TEXT, TEXTS

__all__ = ["EMPLOYMENT_COLUMNS", "change_rows_schema", "mapped_users_schema", "require_columns", "row_types"]

EMPLOYMENT_COLUMNS: dict[str, pd.ArrowDtype] = {
    "hris_id": TEXT,
    "justworks_id": TEXT,
    "active": FLAG,
    "termination_date": DATE,
    "starts_on": DATE,
    "rehired_on": DATE,
    "exclusion": TEXT,
    "archive_existing": FLAG,
    "leaver_only": FLAG,
    "unread": TEXTS,
}
"""What every mapped row tells beside the user's fields. ``starts_on``: the earliest known start; ``rehired_on``: the
latest re-hire; ``exclusion``: null, ``rule:<name>`` or ``service_account``; ``leaver_only``: the row failed validation
or mapping, so that only its hris_id and employment are to be believed and it may do nothing but archive; ``unread``:
the columns that the source sent and nobody could read, which change nothing stored."""

_ACTIONS = ("create", "update", "archive", "restore")


def row_types() -> dict[str, pd.ArrowDtype]:
    """The type of each of ``ROW_COLUMNS``."""
    return {name: pd.ArrowDtype(pa.int64() if name == "base_version" else pa.string()) for name in ROW_COLUMNS}


def require_columns(mapped: pd.DataFrame, settings: Settings) -> None:
    """Refuses a mapped frame that lacks a column: an absent column must never read as an empty one.

    Raises:
        FrameInvalid: names the columns.
    """
    absent = [name for name in _expected(settings) if name not in mapped.columns]
    if absent:
        raise FrameInvalid(
            f"The mapped users lack {', '.join(absent)}: materialize mapped_users again with the settings in force."
        )


def mapped_users_schema(settings: Settings) -> pandera.DataFrameSchema:
    """Mapped users under the settings: exactly one column a mapped user field and metadata name (``#Name``), and
    ``EMPLOYMENT_COLUMNS``; one row a member with an hris_id."""
    needed = ("hris_id", "leaver_only")
    columns = {
        name: pandera.Column(kind, nullable=name not in needed, unique=name == "hris_id")
        for name, kind in _expected(settings).items()
    }
    optional = {"present_start": pandera.Column(DATE, nullable=True, required=False)}
    return pandera.DataFrameSchema({**columns, **optional}, name="mapped_users", strict=True)


@functools.cache
def change_rows_schema() -> pandera.DataFrameSchema:
    """The rows of a change set (``ROW_COLUMNS``): one a user; a create has no state before and no base version."""

    def as_created(rows: pd.DataFrame) -> pd.Series:
        create = (rows["action"] == "create").astype(bool)
        return (create == rows["before"].isna()) & (create == rows["base_version"].isna())

    nullable = ("before", "base_version", "source_hash")
    columns = {name: pandera.Column(kind, nullable=name in nullable) for name, kind in row_types().items()}
    columns["user_id"] = pandera.Column(TEXT, unique=True)
    columns["action"] = pandera.Column(TEXT, pandera.Check.isin(_ACTIONS))
    columns["base_version"] = pandera.Column(INTEGER, pandera.Check.ge(1), nullable=True)
    return pandera.DataFrameSchema(
        columns,
        checks=pandera.Check(as_created, name="only creates have nothing before"),
        name="change_rows",
        strict=True,
        ordered=True,
    )


def _expected(settings: Settings) -> dict[str, pd.ArrowDtype]:
    kinds = {field.name: DATE if field.kind == "date" else TEXT for field in USER_FIELDS}
    fields = {name: kinds[name] for name in effective_mapping(settings)}
    return EMPLOYMENT_COLUMNS | fields | {entry.name.column: TEXT for entry in effective_metadata(settings)}
