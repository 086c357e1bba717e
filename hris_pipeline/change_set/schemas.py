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
from hris_pipeline.transform.columns import INTEGER, TEXT
from hris_pipeline.transform.map_users import mapped_users_schema

__all__ = ["change_rows_schema", "require_columns", "row_types"]

_ACTIONS = ("create", "update", "archive", "restore")


def row_types() -> dict[str, pd.ArrowDtype]:
    """The type of each of ``ROW_COLUMNS``."""
    return {name: pd.ArrowDtype(pa.int64() if name == "base_version" else pa.string()) for name in ROW_COLUMNS}


def require_columns(mapped: pd.DataFrame, settings: Settings) -> None:
    """Refuses a mapped frame that lacks a column: an absent column must never read as an empty one.

    Raises:
        FrameInvalid: names the columns.
    """
    absent = [name for name in mapped_users_schema(settings).columns if name not in mapped.columns]
    if absent:
        raise FrameInvalid(
            f"The mapped users lack {', '.join(absent)}: materialize mapped_users again with the settings in force."
        )


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
