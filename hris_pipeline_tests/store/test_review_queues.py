"""Quarantine, conflicts, approvals and retention."""

import json
from datetime import timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from hris_pipeline.change_set.directory import Resolution
from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.store.engine import Store
from hris_pipeline.store.imports import approve, end_import
from hris_pipeline.store.review_queues import (
    forget_people,
    purge,
    quarantined,
    record_conflicts,
    replace_quarantine,
    resolutions,
)
from hris_pipeline.store.seals import RESOLUTION, seal_rows
from hris_pipeline.store.tables import approvals, conflicts, import_rows, imports, quarantine
from hris_pipeline_tests.kit.store_builders import NOW, TEXT, applied, create, integration, stage

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    integration(store)


def _bad(*lines: tuple[str | None, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(lines), columns=list(QUARANTINE_COLUMNS), dtype=TEXT)


def _colliding(*pairs: tuple[str, str], kind: str = "email") -> pd.DataFrame:
    lines = [(hris_id, kind, user_id, "0001", json.dumps({"email": "x@example.com"})) for hris_id, user_id in pairs]
    return pd.DataFrame(lines, columns=["hris_id", "kind", "user_id", "employee_id", "incoming"])


LINE = ("m-1", "0001", "hire_date", "is_date", '31/12/2020, "?"\n', "no date")
NAMELESS = (None, None, "hris_id", "not_null", None, "missing")


def test_quarantined_rows_come_back_by_extract_and_stage(store: Store) -> None:
    with store.begin() as connection:
        replace_quarantine(connection, "acme", "e1", "employees", _bad(LINE, NAMELESS), NOW)
        replace_quarantine(connection, "acme", "e1", "mapped_users", _bad(NAMELESS), NOW)
        replace_quarantine(connection, "acme", "e2", "employees", _bad(), NOW)
        frame = quarantined(connection, "acme", "e1")
        assert quarantined(connection, "acme", "e2").empty
    assert frame["stage"].tolist() == ["employees", "employees", "mapped_users"]
    assert tuple(frame.loc[0, list(QUARANTINE_COLUMNS)]) == LINE
    assert frame.loc[1, ["hris_id", "employee_id", "value"]].isna().all()


def test_a_stage_that_runs_again_replaces_only_its_own(store: Store) -> None:
    with store.begin() as connection:
        replace_quarantine(connection, "acme", "e1", "employees", _bad(LINE, NAMELESS), NOW)
        replace_quarantine(connection, "acme", "e1", "mapped_users", _bad(LINE), NOW)
        replace_quarantine(connection, "acme", "e1", "employees", _bad(NAMELESS), NOW)
        frame = quarantined(connection, "acme", "e1")
    assert frame["stage"].tolist() == ["mapped_users", "employees"]


def _conflicts(store: Store) -> dict[tuple[str, str], sa.Row[tuple[object, ...]]]:
    with store.read() as connection:
        return {(row.hris_id, row.user_id): row for row in connection.execute(sa.select(conflicts))}


def _record(store: Store, *pairs: tuple[str, str], days: int = 0) -> None:
    with store.begin() as connection:
        record_conflicts(connection, "acme", _colliding(*pairs), NOW + days * DAY)


def _resolve(store: Store, pair: tuple[str, str], resolution: str) -> None:
    with store.begin() as connection:
        this_pair = sa.and_(conflicts.c.hris_id == pair[0], conflicts.c.user_id == pair[1])
        values = {"status": "resolved", "resolution": resolution, "resolved_by": "Ann", "resolved_at": NOW}
        connection.execute(sa.update(conflicts).where(this_pair).values(values))
        seal_rows(connection, RESOLUTION, this_pair)


def test_a_conflict_seen_again_is_the_same_conflict(store: Store) -> None:
    _record(store, ("m-1", "u-1"), ("m-2", "u-2"))
    first = _conflicts(store)
    _record(store, ("m-1", "u-1"), days=1)
    second = _conflicts(store)
    kept = second["m-1", "u-1"]
    assert (kept.conflict_id, kept.status) == (first["m-1", "u-1"].conflict_id, "open")
    assert (kept.first_seen_at, kept.last_seen_at) == (NOW, NOW + DAY)
    assert kept.incoming == {"email": "x@example.com"}
    assert second["m-2", "u-2"].status == "gone"


def test_a_conflict_that_was_gone_opens_again(store: Store) -> None:
    _record(store, ("m-1", "u-1"))
    _record(store, days=1)
    assert _conflicts(store)["m-1", "u-1"].status == "gone"
    _record(store, ("m-1", "u-1"), days=2)
    assert (_conflicts(store)["m-1", "u-1"].status, _conflicts(store)["m-1", "u-1"].first_seen_at) == ("open", NOW)


def test_resolutions_are_remembered_while_they_are_followed(store: Store) -> None:
    _record(store, ("m-1", "u-1"), ("m-2", "u-2"))
    _resolve(store, ("m-1", "u-1"), "ignore")
    _record(store, ("m-2", "u-2"), days=1)
    with store.read() as connection:
        assert resolutions(connection, "acme") == (Resolution("m-1", "u-1", "ignore"),)
        assert resolutions(connection, "globex") == ()


def test_a_resolution_that_could_not_be_followed_is_asked_for_again(store: Store) -> None:
    _record(store, ("m-1", "u-1"))
    _resolve(store, ("m-1", "u-1"), "create")
    _record(store, ("m-1", "u-1"), days=1)
    assert (_conflicts(store)["m-1", "u-1"].status, _conflicts(store)["m-1", "u-1"].resolution) == ("open", None)


def test_an_approval_lasts_seven_days_and_a_new_one_takes_its_place(store: Store) -> None:
    staged = stage(store, create(1), status="held")
    with store.begin() as connection:
        approve(connection, staged.import_id, "d", "Ann", "first", NOW)
        approve(connection, staged.import_id, "d", "Eve", "again", NOW + DAY)
        (row,) = connection.execute(sa.select(approvals)).all()
    assert (row.approved_by, row.reason, row.lapses_at) == ("Eve", "again", NOW + 8 * DAY)


def test_retention_lets_go_of_people_and_keeps_what_was_done(store: Store) -> None:
    done = applied(store, create(1))
    dropped = stage(store, create(2), digest="e")
    _record(store, ("m-1", "u-1"), ("m-2", "u-2"), ("m-3", "u-3"))
    _resolve(store, ("m-1", "u-1"), "create")
    _record(store, ("m-2", "u-2"), days=0)
    with store.begin() as connection:
        replace_quarantine(connection, "acme", "old", "employees", _bad(LINE), NOW)
        replace_quarantine(connection, "acme", "new", "employees", _bad(LINE), NOW + 5 * DAY)
        end_import(connection, dropped.import_id, "discarded", "not wanted", NOW + DAY)
        purge(connection, NOW + 3 * DAY)
        assert connection.execute(sa.select(quarantine.c.extract_id)).scalars().all() == ["new"]
        assert connection.execute(sa.select(import_rows.c.import_id)).scalars().all() == [done]
        assert connection.execute(sa.select(sa.func.count()).select_from(imports)).scalar() == 2
        assert resolutions(connection, "acme") == (Resolution("m-1", "u-1", "create"),)
    left = _conflicts(store)
    assert {key: row.status for key, row in left.items()} == {("m-1", "u-1"): "resolved", ("m-2", "u-2"): "open"}
    assert left["m-1", "u-1"].incoming == {}


def test_a_deleted_integration_takes_its_people_beside_with_it(store: Store) -> None:
    integration(store, "globex")
    _record(store, ("m-1", "u-1"))
    with store.begin() as connection:
        for name in ("acme", "globex"):
            replace_quarantine(connection, name, "e1", "employees", _bad(LINE), NOW)
        forget_people(connection, "acme")
        assert connection.execute(sa.select(quarantine.c.integration_id)).scalars().all() == ["globex"]
    assert _conflicts(store) == {}
