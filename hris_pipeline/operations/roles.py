"""Who may do what: the four roles and the least role for each action, once for the console, Dagster and the docs. On
the command line whoever can open the store is the administrator: there the operating system decides."""

from collections.abc import Collection, Iterable, Mapping

from hris_pipeline.environment import ROLES, Role

__all__ = ["ACTIONS", "may", "role_of"]

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
