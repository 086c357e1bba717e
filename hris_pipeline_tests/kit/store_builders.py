"""Small states, plans and imports for the tests of the store; shares no code with the pipeline's own planning."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from hris_pipeline.change_set.directory import row_hashes
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store.applying import apply_import
from hris_pipeline.store.engine import Store
from hris_pipeline.store.imports import Import, next_timestamp, stage_import
from hris_pipeline.store.seals import AUTOMATIC, INTEGRATION, KEPT, seal_parts
from hris_pipeline.store.tables import integrations, users

NOW = datetime(2025, 6, 2, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

TEXT = pd.ArrowDtype(pa.string())
ROW_TYPES: dict[str, Any] = {
    **dict.fromkeys(("user_id", "action", "changed", "before", "after"), TEXT),
    "base_version": pd.ArrowDtype(pa.int64()),
    "source_hash": TEXT,
}

Change = dict[str, Any]


def state(number: int, **fields: Any) -> dict[str, Any]:
    """A whole state of the person of that number, with some fields given."""
    base = {
        **dict.fromkeys(USER_STATE),
        "integration_id": "acme",
        "hris_id": f"m-{number}",
        "employee_id": f"{number:04}",
        "first_name": f"Zoë{number}",
        "last_name": 'Ødegård, "the\nfirst"',
        "email": f"P{number}@example.com",
        "email_key": f"p{number}@example.com",
        "birth_date": "1990-02-28",
        "hire_date": "2020-02-29",
        "metadata": {"JobTitle": "Späher", 'a "quoted" name': "\\N"},
        "status": "active",
        "email_edited_by_user": False,
    }
    return base | fields


def user_id(number: int) -> str:
    return f"user-{number}"


def create(number: int, **fields: Any) -> Change:
    return _change(number, "create", None, state(number, **fields), None)


def update(number: int, before: dict[str, Any], version: int = 1, **fields: Any) -> Change:
    return _change(number, "update", before, before | fields, version)


def archive(number: int, before: dict[str, Any], version: int = 1) -> Change:
    return _change(number, "archive", before, before | {"status": "archived", "archived_by": "import"}, version)


def rows(*changes: Change) -> pd.DataFrame:
    """The frame of a plan."""
    columns = {name: pd.array([change[name] for change in changes], dtype=kind) for name, kind in ROW_TYPES.items()}
    return pd.DataFrame(columns)


def new_import(**fields: Any) -> Import:
    """A planned manual import of acme."""
    defaults: dict[str, Any] = {
        "integration_id": "acme",
        "directory_id": "acme",
        "status": "planned",
        "trigger": "manual",
        "digest": "d" * 64,
        "settings_digest": "s" * 64,
        "counts": {},
        "actor": "tester",
        "planned_at": NOW,
    }
    return Import(**(defaults | fields))


def integration(store: Store, name: str = "acme", directory: str = "acme") -> None:
    """A bare integration, so that imports and users can refer to it."""
    with store.begin() as connection:
        values = {"integration_id": name, "directory_id": directory, "display_name": name, "source": "justworks"}
        connection.execute(sa.insert(integrations), values | {"created_at": NOW})
        seal_parts(connection, name, INTEGRATION, AUTOMATIC, KEPT)


def stage(store: Store, *changes: Change, **fields: Any) -> Import:
    with store.begin() as connection:
        draft = _with_digest(new_import(**fields), rows(*changes))
        planned_at = next_timestamp(connection, draft.directory_id, draft.planned_at)
        return stage_import(connection, replace(draft, planned_at=planned_at), rows(*changes))


def _with_digest(draft: Import, plan: pd.DataFrame) -> Import:
    """The draft with the digest that the plan really has, as far as no test says otherwise."""
    return replace(draft, digest=draft.digest_of(row_hashes(plan).tolist())) if draft.digest == "d" * 64 else draft


def apply(store: Store, import_id: str, **options: Any) -> Import:
    digest = options.pop("settings_digest", "s" * 64)
    defaults: dict[str, Any] = {"actor": "tester", "run_id": None, "now": NOW + HOUR}
    return apply_import(store, import_id, settings_digest=lambda _: digest, **(defaults | options))


def applied(store: Store, *changes: Change, **fields: Any) -> str:
    """Stages and applies the changes; gives the import's id."""
    staged = stage(store, *changes, **fields)
    apply(store, staged.import_id, now=fields.get("planned_at", NOW))
    return staged.import_id


def stored(store: Store) -> dict[str, dict[str, Any]]:
    """Every user by id, states as in a plan, with ``version``, ``synced_version`` and ``source_hash``."""
    names = (*USER_STATE, "version", "synced_version", "source_hash", "directory_id")
    with store.read() as connection:
        rows = connection.execute(sa.select(users.c.user_id, *(users.c[name] for name in names))).mappings()
        return {user["user_id"]: {name: _written(user[name]) for name in names} for user in rows}


def states(store: Store, changes: Iterable[str] = USER_STATE) -> dict[str, dict[str, Any]]:
    """Every user's state by id."""
    return {key: {name: user[name] for name in changes} for key, user in stored(store).items()}


def edit(store: Store, number: int, **values: Any) -> None:
    """Somebody other than an import writes a user."""
    with store.begin() as connection:
        connection.execute(
            sa.update(users).where(users.c.user_id == user_id(number)).values(version=users.c.version + 1, **values)
        )


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _change(number: int, action: str, before: Any, after: dict[str, Any], version: int | None) -> Change:
    changed = sorted(name for name in USER_STATE if before is None or before[name] != after[name])
    return {
        "user_id": user_id(number),
        "action": action,
        "changed": json.dumps(changed),
        "before": None if before is None else json.dumps(before),
        "after": json.dumps(after),
        "base_version": version,
        "source_hash": f"hash-{number}-{len(changed)}",
    }
