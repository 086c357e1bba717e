"""A directory in memory: what planning reads, and an application of change sets written down as plainly as can be."""

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

from hris_pipeline.change_set.directory import SLIM_COLUMNS
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.transform.columns import from_arrow, text_series

TYPES: dict[str, pa.DataType] = {
    "birth_date": pa.date32(),
    "hire_date": pa.date32(),
    "latest_rehire_date": pa.date32(),
    "email_edited_by_user": pa.bool_(),
    "protected": pa.bool_(),
    "version": pa.int64(),
    "synced_version": pa.int64(),
}
COLUMNS = ("user_id", *USER_STATE, "protected", "version", "synced_version", "source_hash")
COLUMNS += ("former_source", "former_hris_id")


class MemoryDirectory:
    """Users as dictionaries by user_id."""

    def __init__(self, *users: dict[str, Any], integration_id: str = "acme") -> None:
        self.integration_id = integration_id
        self.by_id: dict[str, dict[str, Any]] = {}
        self.former: set[tuple[str, str]] = set()
        for user in users:
            self.put(**user)

    def put(self, **user: Any) -> None:
        """Adds a user; whatever is not given is empty, active and local."""
        defaults: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "user_id": f"u-{len(self.by_id) + 1}",
            "metadata": {},
            "status": "active",
            "protected": False,
            "email_edited_by_user": False,
            "version": 1,
        }
        row = defaults | user
        row["email_key"] = row["email"].casefold() if row["email"] else None
        self.by_id[row["user_id"]] = row

    def snapshot(self) -> pd.DataFrame:
        return self._frame(SLIM_COLUMNS, list(self.by_id.values()))

    def names(self) -> pd.DataFrame:
        return self._frame(("user_id", "first_name", "last_name", "birth_date"), list(self.by_id.values()))

    def users(self, user_ids: pd.Series) -> pd.DataFrame:
        return self._frame(COLUMNS, [self.by_id[user_id] for user_id in user_ids])

    def former_links(self, hris_ids: pd.Series) -> pd.DataFrame:
        pairs = sorted(pair for pair in self.former if pair[0] in set(hris_ids))
        columns = zip(*pairs, strict=True) if pairs else ((), ())
        return pd.DataFrame(
            {name: text_series(values) for name, values in zip(("hris_id", "user_id"), columns, strict=True)}
        )

    def filled(self, fields: Collection[str], also: pd.Series) -> Mapping[str, int]:
        ours = [user for user in self.by_id.values() if user["integration_id"] == self.integration_id]
        managed = [user for user in ours if user["status"] == "active" or user["user_id"] in set(also)]
        managed += [self.by_id[key] for key in also if self.by_id[key]["integration_id"] != self.integration_id]
        return {
            name: sum(bool(user["metadata"].get(name[1:]) if name.startswith("#") else user[name]) for user in managed)
            for name in fields
        }

    def apply(self, rows: pd.DataFrame) -> None:
        """Writes a change set as the store would."""
        for row in rows.to_dict("records"):
            state = json.loads(row["after"])
            for name, kind in TYPES.items():
                if kind == pa.date32() and state.get(name):
                    state[name] = date.fromisoformat(state[name])
            blank: dict[str, Any] = dict.fromkeys(COLUMNS) | {"protected": False, "version": 0}
            user = self.by_id.get(row["user_id"], blank)
            if user.get("hris_id") and user["hris_id"] != state["hris_id"]:
                self.former.add((user["hris_id"], row["user_id"]))
            version = user["version"] + 1
            source_hash = None if pd.isna(row["source_hash"]) else row["source_hash"]
            self.by_id[row["user_id"]] = (
                user
                | state
                | {"user_id": row["user_id"], "version": version, "synced_version": version, "source_hash": source_hash}
            )

    def edit(self, user_id: str, **changes: Any) -> None:
        """A write from outside: bumps the version."""
        user = self.by_id[user_id]
        user.update(changes)
        user["email_key"] = user["email"].casefold() if user["email"] else None
        user["version"] += 1

    def by_employee_id(self, employee_id: str) -> dict[str, Any]:
        return next(user for user in self.by_id.values() if user["employee_id"] == employee_id)

    @staticmethod
    def _frame(columns: Collection[str], users: list[dict[str, Any]]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                name: from_arrow(
                    pa.array(
                        [json.dumps(user[name]) if name == "metadata" else user[name] for user in users],
                        TYPES.get(name, pa.string()),
                    )
                )
                for name in columns
            }
        )
