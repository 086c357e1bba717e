"""Whom a field names: supervisors and associated people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from .identity import Identities, agrees, employee_id_after, linked_here
from .mapping import Mapped
from .model import Employee, User, World
from .reading import People
from .settings import Settings
from .text import key


@dataclass(frozen=True)
class Reference:
    """`user`: the EmployeeId of the user named; `stays`: nobody is certain; `nobody`: no user at all."""

    kind: Literal["user", "stays", "nobody"]
    employee_id: str | None = None


STAYS = Reference("stays")
NOBODY = Reference("nobody")


@dataclass(frozen=True)
class Directory:
    """The directory as it is once the plan is applied."""

    world: World
    people: People
    settings: Settings
    identities: Identities
    rows: Mapping[str, Mapped]

    def employee_id_of(self, user: User) -> str:
        for match in self.identities.matches.values():
            if match.user is not None and match.user.user_id == user.user_id:
                return employee_id_after(match, self.settings)
        taken = any(
            match.user is None and employee_id_after(match, self.settings) == user.employee_id
            for match in self.identities.matches.values()
        )
        return "" if taken else user.employee_id  # a person decided that a hire gets the work id of this leaver

    def holder(self, employee_id: str) -> User | None:
        for user in self.world.users:
            if self.employee_id_of(user) == employee_id:
                return user
        return None

    def hris_id_of(self, user: User) -> str | None:
        """The member of this integration that the user is, once the plan is applied."""
        for hris_id, match in self.identities.matches.items():
            if match.user is not None and match.user.user_id == user.user_id:
                return hris_id
        return user.hris_id if user.integration_id == self.world.integration_id else None

    def by_link(self, hris_id: str) -> str | None:
        """Through the links of the store, of any integration of the directory."""
        match = self.identities.matches.get(hris_id)
        if match is not None:
            return employee_id_after(match, self.settings)
        user = self.identities.kept_archived.get(hris_id) or linked_here(self.world, hris_id)
        if user is None:
            others = [other for other in self.world.users if other.hris_id == hris_id and not other.is_local]
            user = others[0] if others else None
        return self.employee_id_of(user) if user is not None else None

    def member(self, hris_id: str) -> Reference:
        """The person with this hris_id."""
        employee_id = self.by_link(hris_id)
        if employee_id is not None:
            return Reference("user", employee_id or None)
        if hris_id in {conflict.hris_id for conflict in self.identities.conflicts} or hris_id in self.people.holes:
            return STAYS
        row = self.rows.get(hris_id)
        named = self._by_employee_id(hris_id, row) if row is not None else NOBODY
        return named if named.kind == "user" else self._formerly(hris_id)

    def _by_employee_id(self, hris_id: str, row: Mapped) -> Reference:
        """The user who has the EmployeeId of the member's row, or gets it by this very plan."""
        user = self.holder(row.employee_id) if row.employee_id is not None else None
        if user is None:
            return self._newcomer(row)
        other = self.hris_id_of(user)
        held_by_another = other is not None and other != hris_id and other in self.people.listed
        if held_by_another and row.values and not agrees(row, user):
            return NOBODY  # a work id that somebody else has now, and no former id of that user
        return Reference("user", self.employee_id_of(user))

    def _formerly(self, hris_id: str) -> Reference:
        """Who was linked to that id once is that person, under whatever id by now."""
        user_ids = {user_id for former_id, user_id in self.world.former if former_id == hris_id}
        users = [user for user in self.world.users if user.user_id in user_ids]
        return Reference("user", self.employee_id_of(users[0]) or None) if len(users) == 1 else NOBODY

    def _newcomer(self, row: Mapped) -> Reference:
        """Somebody who becomes a user by this very plan, and was this member before."""
        for match in self.identities.matches.values():
            if match.user is None and row.employee_id is not None and match.row.employee_id == row.employee_id:
                alike = not row.values or _same_person(row, match.row)
                return Reference("user", employee_id_after(match, self.settings)) if alike else NOBODY
        return NOBODY

    def named(self, source: str, value: str, employee: Employee) -> Reference:
        """The person whom the value of a source field names."""
        if source == "supervisor_justworks_id":
            return self.member(employee.supervisor_hris_id or "")
        if source == "supervisor_hris_id" or self.by_link(value) is not None or value in self.rows:
            return self.member(value)
        for hris_id, row in sorted(self.rows.items()):
            if row.employee_id == value:
                reference = self.member(hris_id)
                if reference.kind != "nobody":
                    return reference
        user = self.holder(value)
        return Reference("user", self.employee_id_of(user)) if user is not None else NOBODY


def _same_person(left: Mapped, right: Mapped) -> bool:
    """Two members with the same name and birth date, or email."""

    def texts(row: Mapped, *names: str) -> list[str]:
        return [key(value) for name in names if isinstance(value := row.values.get(name), str) and value]

    names, birth_date = texts(left, "first_name", "last_name"), left.values.get("birth_date")
    by_name = len(names) == 2 and names == texts(right, "first_name", "last_name")
    by_email = texts(left, "email") and texts(left, "email") == texts(right, "email")
    return bool(by_email) or (by_name and isinstance(birth_date, date) and birth_date == right.values.get("birth_date"))
