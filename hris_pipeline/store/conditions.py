"""Conditions of statements that SQL alone has not, on both databases: finding people by parts of their ids, names and
addresses, whatever the case, very many values as one parameter, which settings are in force, and which decided links
wait for an import.

Light, because whoever only looks does without frames; which rows are asked for is the callers'.
"""

import functools
import json
import re
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from hris_pipeline.store.tables import conflicts, imports, integration_settings

__all__ = ["SEARCHED", "are_in_force", "contains", "in_values", "pending_link", "state_contains"]


class _SearchedState(msgspec.Struct):
    employee_id: str | None = None
    hris_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


SEARCHED = tuple(_SearchedState.__struct_fields__)

_decode_person = msgspec.json.Decoder(_SearchedState).decode


def state_contains(
    connection: sa.Connection, states: Sequence[sa.ColumnElement[Any]], text: str
) -> sa.ColumnElement[bool]:
    """``contains`` of two states, each parsed once, not once for every field: SQLite hands it to Python, PostgreSQL
    makes a record of it. Where a word is spelled in JSON as anywhere else, most rows are not even parsed."""
    words = tuple(text.casefold().split())
    spelled_alike = all(word.isascii() and not set(word) & set('"\\/') for word in words)
    if connection.dialect.name != "sqlite":
        people = [_unpack_state(state, f"state_{place}") for place, state in enumerate(states)]
        named = contains(connection, [person.c[name] for person in people for name in SEARCHED], text)
        fields = sa.exists(sa.select(1).select_from(*people).where(named))
        return sa.case((_match_written(states, words), fields), else_=sa.false()) if spelled_alike else fields

    def matches(*states: str | None) -> bool:
        if spelled_alike and not _has_words("".join(filter(None, states)).casefold(), words):
            return False  # most rows: neither state has the words anywhere
        people = [_decode_person(state) for state in states if state is not None]
        named = [value for person in people for value in msgspec.structs.astuple(person) if value]
        return _has_words(" ".join(named).casefold(), words)

    driver: Any = connection.connection.driver_connection
    driver.create_function("hris_state_matches", len(states), matches, deterministic=True)
    return sa.func.hris_state_matches(*(sa.cast(state, sa.Text) for state in states)).is_(sa.true())


def _unpack_state(state: sa.ColumnElement[Any], name: str) -> sa.TableValuedAlias:
    """The fields of a state that are searched, as a row of its own; without a state, a row of nulls."""
    written = sa.func.coalesce(state, sa.literal_column("'{}'::json"))
    columns = (sa.column(field, sa.Text) for field in SEARCHED)
    read = sa.func.json_to_record(written).table_valued(*columns, joins_implicitly=True)
    return read.render_derived(name=name, with_types=True)


def _match_written(states: Sequence[sa.ColumnElement[Any]], words: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether each ASCII word stands anywhere in the states as they are written; in the collation that folds ASCII
    alone, because it costs a tenth of the others."""
    first, *others = (sa.func.coalesce(sa.cast(state, sa.Text), "") for state in states)
    written: sa.ColumnElement[str] = first
    for other in others:
        written = written.concat(other)
    lowered = sa.func.lower(written.collate("C"))
    return sa.and_(*(lowered.contains(word, autoescape=True) for word in words))


def _has_words(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def contains(connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]], text: str) -> sa.ColumnElement[bool]:
    """Whether the columns together contain each word of the text. What a database takes for upper and lower case
    depends on it: SQLite asks Python, PostgreSQL is asked for several spellings, at once: each time costs a parse."""
    joined = columns[0]
    joined = sa.func.coalesce(joined, "")
    for column in columns[1:]:
        joined = joined.concat(" ").concat(sa.func.coalesce(column, ""))
    words = text.split()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.create_function("hris_casefold", 1, str.casefold, deterministic=True)
        folded = sa.func.hris_casefold(joined)
        return sa.and_(*(folded.contains(word.casefold(), autoescape=True) for word in words))
    spellings = [sorted({word, word.lower(), word.upper(), word.title()}) for word in words]
    return sa.and_(*(joined.regexp_match("|".join(map(re.escape, spelled)), flags="i") for spelled in spellings))


def in_values(
    connection: sa.Connection, column: sa.ColumnElement[Any], values: Collection[str]
) -> sa.ColumnElement[bool]:
    """Whether ``column`` is one of ``values``, however many: they travel as one parameter, not as one each."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.bindparam(None, list(values), postgresql.ARRAY(sa.Text)))
    listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def are_in_force() -> sa.ColumnElement[bool]:
    """Whether a row of ``integration_settings`` is the newest version of its integration's."""
    newer = integration_settings.alias()
    return ~sa.exists().where(
        newer.c.integration_id == integration_settings.c.integration_id,
        newer.c.version > integration_settings.c.version,
    )


@functools.cache
def pending_link(of: sa.FromClause = conflicts) -> sa.ColumnElement[bool]:
    """Which conflicts a person decided by a link that no import could follow yet which knew of that member, or none
    since the integration's last undo: what that took back, the next import follows again."""
    undo = imports.alias()
    undone = sa.exists().where(
        undo.c.integration_id == of.c.integration_id,
        undo.c.status == "applied",
        undo.c.trigger == "undo",
        undo.c.finished_at >= imports.c.planned_at,
    )
    followed = sa.select(imports.c.import_id).where(
        imports.c.integration_id == of.c.integration_id,
        imports.c.status == "applied",
        imports.c.trigger != "undo",
        imports.c.planned_at > of.c.resolved_at,
        imports.c.planned_at > of.c.last_seen_at,
        ~undone,
    )
    return sa.and_(of.c.status == "resolved", of.c.resolution == "link", ~followed.exists())
