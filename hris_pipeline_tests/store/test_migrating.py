"""What an upgrade makes of what an older version stored; the shape of the tables is tried wherever they are used."""

from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.store.engine import Store
from hris_pipeline.store.migrations.versions.v0002_lives_seals_decisions import renew_email_keys
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.clock import MONDAY

OLDER: list[tuple[str | None, str | None, str | None]] = [
    # the address, what an older rule compared by, and what it is compared by today
    ("ada@acme.test", "ada@acme.test", "ada@acme.test"),
    ("\uff21da@acme.test", "\uff41da@acme.test", "\uff41da@acme.test"),  # the one above has it
    ("Gr\u200bace@acme.test", "gr\u200bace@acme.test", "grace@acme.test"),
    ("\ufb01nn@acme.test", "\ufb01nn@acme.test", "finn@acme.test"),
    ("Jose\u0301@acme.test", "jose\u0301@acme.test", "jos\u00e9@acme.test"),
    (None, None, None),
]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_addresses_stored_by_an_older_rule_compare_by_todays(store: Store, again: bool) -> None:
    with store.begin() as connection:
        connection.execute(sa.insert(users), [_user(number, *line[:2]) for number, line in enumerate(OLDER)])
        renew_email_keys(connection)
        if again:
            renew_email_keys(connection)
        keys = connection.execute(sa.select(users.c.email_key).order_by(users.c.user_id)).scalars().all()
    assert list(keys) == [key for *_, key in OLDER]


def _user(number: int, email: str | None, key: str | None) -> dict[str, Any]:
    return {
        "user_id": f"u-{number}",
        "directory_id": "acme",
        "employee_id": f"{number:04}",
        "email": email,
        "email_key": key,
        "status": "active",
        "metadata": {},
        "email_edited_by_user": False,
        "protected": False,
        "version": 1,
        "created_at": MONDAY,
        "updated_at": MONDAY,
    }
