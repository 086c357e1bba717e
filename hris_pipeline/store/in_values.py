"""Statements that take very many values as one parameter. It stands alone because ``bulk``, whose neighbour it is by
subject, loads pandas, which whoever only looks does without."""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

__all__ = ["in_values"]


def in_values(
    connection: sa.Connection, column: sa.ColumnElement[str], values: Sequence[str]
) -> sa.ColumnElement[bool]:
    """Whether ``column`` is one of ``values``, however many: they travel as one parameter, not as one each."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.bindparam(None, list(values), postgresql.ARRAY(sa.Text)))
    listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))
