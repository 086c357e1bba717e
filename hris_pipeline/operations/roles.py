"""Who may do what, and who did: the four roles and the least role for each action, once for the console, Dagster and
the docs; and the log of decisions, with who decided, authenticated how and from where.

On the command line whoever can open the store is the administrator: there the operating system decides. A decision
is written down before it is carried out and its outcome afterwards, so that none is missing, also of those that were
refused or cut off; and how people are told of it. What is decided is not known here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from hris_pipeline.environment import ROLES, Role
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.services import Services
from hris_pipeline.store.keyring import keyring_of
from hris_pipeline.store.seals import DECISION, adding_to_log, seal_of
from hris_pipeline.store.tables import decisions

__all__ = [
    "ACTIONS",
    "DecidedBy",
    "Decision",
    "Method",
    "count_decisions",
    "deciding",
    "decision_words",
    "decisions_of",
    "may",
    "method_words",
    "outcome_words",
    "role_of",
]

ACTIONS: Mapping[str, Role] = {
    "see": "viewer",
    "see_people": "reviewer",
    "preview": "reviewer",
    "save": "reviewer",
    "discard": "reviewer",
    "approve": "approver",
    "resolve": "approver",
    "undo": "approver",
    "pause": "approver",
    "resume": "approver",
    "set_up": "administrator",
    "connect": "administrator",
    "change_settings": "administrator",
    "change_mapping": "administrator",
    "protect": "administrator",
    "load_users": "administrator",
    "delete": "administrator",
    "erase": "administrator",
    "administer": "administrator",
}
"""The least role that may take each action. ``see`` is counts, ids and states; ``see_people`` is people's values;
``administer`` is whatever of Dagster no other action covers."""


def may(role: Role | None, action: str) -> bool:
    """Whether somebody of that role may; nobody without one may anything."""
    return role is not None and ROLES.index(role) >= ROLES.index(ACTIONS[action])


def role_of(table: Iterable[tuple[str, Role]], names: Collection[str], groups: Collection[str]) -> Role | None:
    """The highest role that the table of ``HRIS_ROLES`` gives somebody, by one of their names, by a group, or by ``*``.

    Names compare without letter case, as addresses do; groups compare exactly.
    """
    known_as = {name.casefold() for name in names} | {"*"}
    grouped = {f"group:{group}" for group in groups}
    roles = [
        role for who, role in table if who in grouped or (not who.startswith("group:") and who.casefold() in known_as)
    ]
    return max(roles, key=ROLES.index, default=None)


Method = Literal["os", "link", "oidc", "proxy", "dagster"]

DONE = "done"


@dataclass(frozen=True)
class DecidedBy:
    """Somebody who decides: the name they give, the identity that was authenticated, how (``os`` is the account of the
    operating system), and from which address (None: at this machine)."""

    name: str
    identity: str
    method: Method
    address: str | None = None


@dataclass(frozen=True)
class Decision:
    """One line of the log; ``outcome`` is ``done``, the kind of error that refused it, or None when it was cut off."""

    decision_id: int
    integration_id: str
    decided_at: datetime
    action: str
    subject: str | None
    name: str
    identity: str
    method: str
    address: str | None
    outcome: str | None
    reason: str | None


@contextmanager
def deciding(
    services: Services,
    integration_id: str,
    action: str,
    by: DecidedBy,
    subject: str | None = None,
    reason: str | None = None,
) -> Iterator[None]:
    """Writes a decision down, lets the block carry it out, and writes down what came of it.

    Args:
        services: The store and the clock.
        integration_id: Which integration it is about; "" for none.
        action: What is decided: approve, save, discard, undo, resolve, pause …
        by: Who.
        subject: The import, conflict or user it is about.
        reason: Why, where that is asked.
    """
    values: dict[str, Any] = {"integration_id": integration_id, "action": action, "subject": subject}
    values |= {"decided_at": services.now(), "reason": reason or None, "outcome": None, **vars(by)}
    with services.store.begin() as connection, adding_to_log(connection, integration_id) as number:
        values |= {"number": number}
        seal = seal_of(keyring_of(connection), DECISION, values)
        inserted = connection.execute(sa.insert(decisions).values(**values, seal=seal))
        decision_id = inserted.inserted_primary_key[0] if inserted.inserted_primary_key else None
    outcome = "unexpected"
    try:
        yield
        outcome = DONE
    except HrisError as error:
        outcome = type(error).__name__
        raise
    finally:
        with services.store.begin() as connection, adding_to_log(connection, integration_id):
            this_decision = decisions.c.decision_id == decision_id
            seal = seal_of(keyring_of(connection), DECISION, values | {"outcome": outcome})
            connection.execute(sa.update(decisions).where(this_decision).values(outcome=outcome, seal=seal))


def decisions_of(
    services: Services, integration_id: str, limit: int | None = 100, offset: int = 0, *, subject: str | None = None
) -> tuple[Decision, ...]:
    """The decisions about an integration, or of those the ones about one import, conflict or user; also about an
    integration that was deleted since; the newest first."""
    columns = (decisions.c[field.name] for field in fields(Decision))
    select = sa.select(*columns).where(decisions.c.integration_id == integration_id)
    if subject is not None:
        select = select.where(decisions.c.subject == subject)
    newest_first = select.order_by(decisions.c.decision_id.desc()).limit(limit).offset(offset)
    with services.store.read() as connection:
        return tuple(Decision(**row._mapping) for row in connection.execute(newest_first))


def count_decisions(services: Services, integration_id: str) -> int:
    """How many decisions ``decisions_of`` has without a limit."""
    counted = sa.select(sa.func.count()).select_from(decisions).where(decisions.c.integration_id == integration_id)
    with services.store.read() as connection:
        return connection.scalar(counted) or 0


_METHODS = {
    "os": "account on this machine",
    "link": "one-time link",
    "oidc": "company log-in",
    "proxy": "company proxy",
    "dagster": "Dagster",
}

_OUTCOMES = {
    None: "cut off",
    "done": "done",
    "unexpected": "failed",
    "ImportHeld": "held",
    "ImportStale": "refused: out of date",
    "ImportRunning": "refused: another import was running",
    "Tampered": "refused: changed behind the pipeline's back",
    "UnknownName": "refused: not found",
}

_DECISIONS = {
    "accept_terms": "agreed to the terms",
    "approve": "approved an import",
    "change_mapping": "changed the mapping",
    "change_settings": "changed settings",
    "connect": "connected",
    "delete": "deleted the integration",
    "disconnect": "disconnected",
    "discard": "discarded an import",
    "erase": "erased a person",
    "import": "imported without a review in between",
    "load_users": "loaded users",
    "pause": "paused automatic imports",
    "preview": "ran a manual import",
    "protect": "protected a user",
    "relink": "linked everybody by EmployeeId",
    "resolve": "decided a conflict",
    "resume": "started automatic imports",
    "save": "saved an import",
    "set_up": "set it up",
    "undo": "planned to take an import back",
    "unprotect": "took a user's protection away",
}


def method_words(method: str) -> str:
    """How somebody was authenticated."""
    return _METHODS.get(method, method)


def outcome_words(outcome: str | None) -> str:
    """What came of a decision."""
    return _OUTCOMES.get(outcome, "refused")


def decision_words(action: str) -> str:
    """What somebody decided."""
    return _DECISIONS.get(action, action.replace("_", " "))
