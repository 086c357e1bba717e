"""The world after an import."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .model import (
    Expectation,
    MetadataValue,
    PastArchive,
    Row,
    User,
    World,
)


def apply(world: World, expectation: Expectation, approved: bool = False) -> World:
    """The world after this import: unchanged when it stopped, or is held and not approved."""
    if expectation.status is None or (expectation.status == "held" and not approved):
        return world
    archives = list(world.archives)
    managed = {user.user_id: user for user in world.users if user.integration_id == world.integration_id}
    moved = (managed[row.user_id] for row in expectation.rows if row.user_id in managed and row.change("hris_id"))
    ended = {(user.hris_id, user.user_id) for user in moved if user.hris_id}
    for row in expectation.rows:
        if row.action == "archive" and row.user_id is not None:
            archives.append(PastArchive(row.user_id, world.today, approved=expectation.status == "held"))
        if row.action == "restore":
            archives = [
                replace(archive, restored_since=True) if archive.user_id == row.user_id else archive
                for archive in archives
            ]
    return replace(
        world,
        users=apply_rows(world, expectation.rows),
        archives=tuple(archives),
        quarantined_before=frozenset(entry.hris_id for entry in expectation.quarantined),
        import_applied=True,
        former=world.former | ended,
    )


def apply_rows(world: World, rows: Iterable[Row]) -> tuple[User, ...]:
    users = {user.user_id: user for user in world.users}
    for row in rows:
        if row.action == "create":
            before = User(user_id=f"new:{row.hris_id}", employee_id="")
        else:
            before = users[row.user_id or ""]
        users[before.user_id] = _changed(world, before, row)
    return tuple(users.values())


def _changed(world: World, user: User, row: Row) -> User:
    fields: dict[str, Any] = {}
    metadata: dict[str, MetadataValue] = dict(user.metadata)
    for change in row.changes:
        if change.field.startswith("#"):
            name = change.field[1:]
            if isinstance(change.after, str | bool | tuple):
                metadata[name] = change.after
            else:
                metadata.pop(name, None)
        else:
            fields[change.field] = "" if change.field == "employee_id" and change.after is None else change.after
        if change.field == "hris_id":
            fields["integration_id"] = world.integration_id
            fields["was_managed_link"] = None
        if change.field == "email":
            fields["email_edited_by_user"] = False
        if change.field == "status":
            fields["archived_by"] = "import" if change.after == "archived" else None
    return replace(user, metadata=metadata, **fields)
