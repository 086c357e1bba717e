"""An import of the pipeline as the oracle's laws want to see it: rows, counts, guards with figures, conflicts."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.store.frames import rows_of
from hris_pipeline.store.imports import Import
from hris_pipeline.store.review_queues import quarantined
from hris_pipeline.store.tables import conflicts
from hris_pipeline_tests.kit.oracle_store import FIELDS
from hris_pipeline_tests.oracle.laws import facts
from hris_pipeline_tests.oracle.model import Reading, World
from hris_pipeline_tests.oracle.observation import Observed, ObservedRow

__all__ = ["figures", "observed_import"]

DATES = ("birth_date", "hire_date", "latest_rehire_date")

_FIGURES = re.compile(r"(\d+)(?: of (\d+))?")


def observed_import(services: Services, summary: Import, world: World, reading: Reading) -> Observed:
    """The import as it was staged against the world's users, of what the source said."""
    with services.store.read() as connection:
        lines = rows_of(connection, summary.import_id)
        open_conflicts = sa.select(conflicts.c.hris_id, conflicts.c.user_id).where(
            conflicts.c.integration_id == summary.integration_id, conflicts.c.status == "open"
        )
        pairs = [(row.hris_id, row.user_id) for row in connection.execute(open_conflicts)]
        bad = quarantined(connection, summary.integration_id, summary.extract_id or "")
    linked = {user.hris_id: user.user_id for user in world.users if user.integration_id == world.integration_id}
    in_conflict = frozenset(hris_id for hris_id, _ in pairs)
    manifest = services.archive.manifest(summary.integration_id, summary.extract_id or "")
    rows = tuple(_row(line, world) for line in _records(lines))
    return Observed(
        rows=rows,
        status="held" if summary.status == "held" else "planned",
        counts=summary.counts,
        guards={guard.name: guard.tripped for guard in summary.guards},
        figures=figures(summary),
        conflict_user_ids=frozenset(user_id for _, user_id in pairs)
        | {linked[hris_id] for hris_id in in_conflict if hris_id in linked},
        conflict_hris_ids=in_conflict,
        quarantined=frozenset(bad["hris_id"].dropna()),
        excluded=_excluded(summary, world, reading),
        holes=frozenset(manifest.holes),
        complete=summary.complete,
    )


def figures(summary: Import) -> dict[str, tuple[int, int | None]]:
    """By guard, how many are affected, and of how many where it says so."""
    counted: dict[str, tuple[int, int | None]] = {}
    for guard in summary.guards:
        numbers = _FIGURES.search(guard.observed)
        if numbers:
            counted[guard.name] = (int(numbers[1]), int(numbers[2]) if numbers[2] else None)
    return counted


def _records(lines: Any) -> list[dict[str, Any]]:
    return [dict(record) for record in lines.to_dict("records")]


def _row(line: Mapping[str, Any], world: World) -> ObservedRow:
    before = json.loads(line["before"]) if isinstance(line["before"], str) else {}
    after = json.loads(line["after"])
    changes = {}
    for name in (*FIELDS, "hris_id", "status"):
        old, new = _value(name, before.get(name)), _value(name, after.get(name))
        if old != new and not (name == "status" and not before):
            changes[name] = (old, new)
    if before and before.get("integration_id") != after.get("integration_id"):
        changes["hris_id"] = (before.get("hris_id"), after.get("hris_id"))  # a link, also to the same id elsewhere
    old_metadata, new_metadata = before.get("metadata") or {}, after.get("metadata") or {}
    for key in {*old_metadata, *new_metadata}:
        old, new = old_metadata.get(key) or None, new_metadata.get(key) or None
        if old != new:
            changes[f"#{key}"] = (old, new)
    return ObservedRow(
        line["action"], line["user_id"] if before else None, after.get("hris_id") or before.get("hris_id"), changes
    )


def _value(name: str, value: Any) -> object:
    if value in ("", None):
        return None
    return date.fromisoformat(value) if name in DATES else value


def _excluded(summary: Import, world: World, reading: Reading) -> frozenset[str]:
    """Named in the import by EmployeeId where there is one: taken back to the hris_ids of everybody who has it."""
    names = {name for reason, ids in summary.diagnostics.items() if reason.startswith("excluded:") for name in ids}
    users = {user.hris_id for user in world.users if user.hris_id and user.employee_id in names}
    members = {row.hris_id for row in facts(world, reading).rows.values() if row.employee_id in names}
    return frozenset({*names, *users, *members})
