"""The users of an integration as a frame: as they are, or as its open import would leave them."""

import json

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.frames.columns import as_text, text
from hris_pipeline.frames.state import metadata_values
from hris_pipeline.frames.types import to_date
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELDS
from hris_pipeline.settings.mapping import effective_metadata
from hris_pipeline.store.history import open_import, rows_of
from hris_pipeline.store.registry import get_integration
from hris_pipeline.store.snapshot import read_users

__all__ = ["users_view"]

_FIELDS = tuple(field.name for field in USER_FIELDS)
_DATES = tuple(field.name for field in USER_FIELDS if field.kind == "date")


def users_view(
    connection: sa.Connection, integration_id: str, settings: Settings, *, planned: bool = False
) -> pd.DataFrame:
    """Active users of the integration, by EmployeeId: ``user_id``, ``status``, the user fields (dates as dates) and
    ``#Name`` of each metadata field in force; with ``planned``, as the open import would leave them."""
    integration = get_integration(connection, integration_id)
    stored = read_users(connection, None, integration.directory_id)
    stored = stored[(stored["integration_id"] == integration_id).fillna(False).astype(bool)]
    users = pd.DataFrame({name: as_text(stored[name]) for name in ("user_id", "status", *_FIELDS)})
    metadata = metadata_values(stored["metadata"])
    staged = open_import(connection, integration_id) if planned else None
    if staged is not None:
        rows = rows_of(connection, staged.import_id)
        states = [json.loads(line) for line in rows["after"]]
        after = pd.DataFrame({name: text(state[name] for state in states) for name in ("status", *_FIELDS)})
        after.insert(0, "user_id", rows["user_id"])
        keep = ~users["user_id"].isin(after["user_id"])
        metadata = [line for line, kept in zip(metadata, keep, strict=True) if kept]
        metadata += [state["metadata"] for state in states]
        users = pd.concat([users[keep], after], ignore_index=True)
    for entry in effective_metadata(settings):
        users[f"#{entry.name}"] = text(line.get(entry.name) for line in metadata).set_axis(users.index)
    for name in _DATES:
        users[name] = to_date(users[name])
    active = users[(users["status"] == "active").fillna(False).astype(bool)]
    return active.sort_values("employee_id", ignore_index=True)
