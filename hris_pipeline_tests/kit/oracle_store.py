"""The oracle's world in a real store, and the store's users as the oracle's: the same people in both tongues.

What only the store knows (versions, hashes, times) has no counterpart and stays out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.tables import users
from hris_pipeline.transform.columns import casefold_key, text_series
from hris_pipeline_tests.oracle.model import User, World

__all__ = ["FIELDS", "document_of", "metadata_text", "put_users", "read_users", "set_up_world", "user_row"]

FIELDS = (
    "employee_id",
    "supervisor_id",
    "first_name",
    "preferred_first_name",
    "last_name",
    "email",
    "secondary_email",
    "phone_number",
    "birth_date",
    "hire_date",
    "latest_rehire_date",
    "country_code",
)


def document_of(world: World, directory: str, **settings: object) -> Settings:
    """The settings of a world's integration, in a directory of that name."""
    return Settings.model_validate({**world.settings, "source": world.source, "directory": directory, **settings})


def set_up_world(services: Services, world: World, directory: str) -> None:
    """Sets up the world's integration and those its users belong to, and stores its users."""
    set_up(services, world.integration_id, settings=document_of(world, directory), actor="dana", accept=True)
    others = {user.integration_id for user in world.users} - {world.integration_id, None}
    for name in sorted(filter(None, others)):
        set_up(services, name, settings=Settings.model_validate({"directory": directory}), actor="dana", accept=True)
    put_users(services, directory, world.users)


def put_users(services: Services, directory: str, people: Iterable[User]) -> None:
    """Stores users who were there before: written by nobody's import."""
    rows = [user_row(services, directory, user) for user in people]
    if rows:
        with services.store.begin() as connection:
            connection.execute(sa.insert(users), rows)


def read_users(services: Services, directory: str) -> tuple[User, ...]:
    """The users of a directory, by user_id."""
    select = sa.select(users).where(users.c.directory_id == directory).order_by(users.c.user_id)
    with services.store.read() as connection:
        return tuple(_user(row._mapping) for row in connection.execute(select))


def metadata_text(value: object) -> object:
    """A metadata value as the store writes it: all text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else value


def email_key(email: str | None) -> str | None:
    """As the store compares addresses."""
    return None if email is None else str(casefold_key(text_series([email])).iloc[0])


def user_row(services: Services, directory: str, user: User) -> dict[str, Any]:
    """A user as the store keeps them."""
    former = user.was_managed_link or (None, None)
    return {name: getattr(user, name) for name in FIELDS} | {
        "user_id": user.user_id,
        "directory_id": directory,
        "integration_id": user.integration_id,
        "hris_id": user.hris_id,
        "email_key": email_key(user.email),
        "metadata": {name: metadata_text(value) for name, value in user.metadata.items()},
        "status": user.status,
        "archived_by": "lee" if user.archived_by == "person" else user.archived_by,
        "protected": user.protected,
        "email_edited_by_user": user.email_edited_by_user,
        "former_source": former[0],
        "former_hris_id": former[1],
        "version": 1,
        "created_at": services.now(),
        "updated_at": services.now(),
    }


def _user(row: Mapping[Any, Any]) -> User:
    archived_by = row["archived_by"]
    is_former = row["former_hris_id"] and row["integration_id"] is None
    former = (row["former_source"], row["former_hris_id"]) if is_former else None
    values = {name: row[name] for name in FIELDS} | {"employee_id": row["employee_id"] or ""}
    return User(
        **values,
        user_id=row["user_id"],
        integration_id=row["integration_id"],
        hris_id=row["hris_id"],
        metadata=row["metadata"],
        status=row["status"],
        archived_by=archived_by if archived_by in (None, "import") else "person",
        protected=row["protected"],
        email_edited_by_user=row["email_edited_by_user"],
        was_managed_link=former,
    )
