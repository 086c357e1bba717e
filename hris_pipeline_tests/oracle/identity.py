"""Who is who."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .mapping import Mapped
from .model import Conflict, Resolution, User, World
from .reading import People
from .rules import is_unread
from .settings import Settings
from .text import same

LINK_KINDS = ("link", "former_link", "resolved")


@dataclass(frozen=True)
class Match:
    """A live row and the user it is. `user` None: a new one."""

    row: Mapped
    user: User | None
    kind: str  # link, former_link, employee_id, relink, resolved, create


@dataclass
class Identities:
    matches: dict[str, Match] = field(default_factory=dict)  # by hris_id; live rows that may be applied
    kept_archived: dict[str, User] = field(default_factory=dict)  # by hris_id; archived by a person, so they stay
    conflicts: list[Conflict] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)  # hris_ids
    relinked: list[User] = field(default_factory=list)  # by rule 3, before identity_change looks at them
    released: set[str] = field(default_factory=set)  # user_ids of leavers whose EmployeeId a person gave away
    refused_by_rule_3: list[User] = field(default_factory=list)  # the other side of rule 3's conflicts
    waited_for: set[str] = field(default_factory=set)  # user_ids in earlier conflicts of members with unusable rows

    def user_of(self, hris_id: str) -> User | None:
        match = self.matches.get(hris_id)
        return match.user if match is not None else None

    def conflict_users(self) -> frozenset[str]:
        return frozenset(user_id for conflict in self.conflicts for user_id in conflict.user_ids) | self.waited_for


def value_text(row: Mapped, name: str) -> str | None:
    value = row.values.get(name)
    return value if isinstance(value, str) else None


def same_name_and_birth_date(row: Mapped, user: User) -> bool:
    return (
        same(value_text(row, "first_name"), user.first_name)
        and same(value_text(row, "last_name"), user.last_name)
        and user.birth_date is not None
        and row.values.get("birth_date") == user.birth_date
    )


def may_be_namesake(row: Mapped, user: User, settings: Settings) -> bool:
    """The same name, where the birth date was sent and could not be read: it may be the same too."""
    same_name = same(value_text(row, "first_name"), user.first_name) and same(
        value_text(row, "last_name"), user.last_name
    )
    return same_name and is_unread(row.employee, settings.mapping["birth_date"])


def same_email(row: Mapped, user: User) -> bool:
    return same(value_text(row, "email"), user.email)


def agrees(row: Mapped, user: User) -> bool:
    """Name with birth date, or email."""
    return same_name_and_birth_date(row, user) or same_email(row, user)


def linked_here(world: World, hris_id: str) -> User | None:
    for user in world.users:
        if user.integration_id == world.integration_id and user.hris_id == hris_id:
            return user
    return None


def former_links(world: World, hris_id: str) -> list[User]:
    return [user for user in world.users if user.is_local and user.was_managed_link == (world.source, hris_id)]


def archived_by_person(user: User) -> bool:
    return not user.is_active and user.archived_by != "import"


def unusable_members(people: People, rows: Iterable[Mapped]) -> frozenset[str]:
    """Members who may work, and whose row does not say who they are: holes, quarantined, left out or to come; a hole
    that the list itself calls inactive does not work."""
    idle = {
        row.hris_id
        for row in rows
        if row.employment != "left"
        and (row.failures or row.exclusion is not None or row.may_have_left or row.employment == "not_started")
        and not (row.rule is not None and row.rule.archive_existing and not row.failures)
    }
    inactive = {employee.hris_id for employee in people.partial if employee.active is False}
    return frozenset((people.holes - inactive) | (idle - {""}))


def is_confirmed_gone(world: World, people: People, rows: Iterable[Mapped], user: User) -> bool:
    """The person under the user's present hris_id is certainly not employed any more."""
    if user.integration_id != world.integration_id or user.hris_id is None or user.hris_id in people.holes:
        return False
    if user.hris_id in people.gone:
        return True
    if user.hris_id in people.listed:
        return any(row.hris_id == user.hris_id and row.employment == "left" for row in rows)
    return people.complete and not user.is_active and user.archived_by == "import"


def identify(world: World, people: People, rows: list[Mapped], settings: Settings) -> Identities:
    """Rules 1 to 4, each for everybody before the next, so that a link always wins."""
    identities = Identities()
    live = [row for row in rows if row.is_live]
    taken: set[str] = set()
    for row in rows:
        user = linked_here(world, row.hris_id) if row.may_have_left else None
        if user is not None and user.is_active:  # stays, and is kept up to date
            identities.matches[row.hris_id] = Match(row, user, "link")
            taken.add(user.user_id)
    left_over: list[Mapped] = []
    for row in live:  # rule 1
        user = linked_here(world, row.hris_id)
        kind = "link"
        if user is None:
            former = former_links(world, row.hris_id)
            if len(former) > 1:
                former = [other for other in former if other.employee_id == row.employee_id] or former
            if len(former) > 1:
                _conflict(world, identities, row, "former_link", former)
                continue
            user = former[0] if former else None
            kind = "former_link"
        if user is None:
            left_over.append(row)
            continue
        taken.add(user.user_id)
        if archived_by_person(user):
            identities.kept_archived[row.hris_id] = user
        else:
            identities.matches[row.hris_id] = Match(row, user, kind)
    for row in left_over:
        _match_unlinked(world, people, rows, identities, row, taken, settings)
    return identities


def _match_unlinked(
    world: World,
    people: People,
    rows: list[Mapped],
    identities: Identities,
    row: Mapped,
    taken: set[str],
    settings: Settings,
) -> None:
    if _decided(world, identities, row, taken):
        return
    holders = [user for user in world.users if row.employee_id is not None and user.employee_id == row.employee_id]
    for user in holders:
        if user.is_local and user.user_id not in taken:  # rule 2
            doubtful = user.was_managed_link is not None or not user.is_active
            if doubtful and not agrees(row, user):
                _conflict(world, identities, row, "employee_id", [user])
            elif archived_by_person(user):
                _conflict(world, identities, row, "archived_by_person", [user])
            else:
                identities.matches[row.hris_id] = Match(row, user, "employee_id")
                taken.add(user.user_id)
            return
        if user.user_id not in taken and is_confirmed_gone(world, people, rows, user) and agrees(row, user):  # rule 3
            if archived_by_person(user):
                _conflict(world, identities, row, "archived_by_person", [user])
            else:
                identities.matches[row.hris_id] = Match(row, user, "relink")
                identities.relinked.append(user)
                taken.add(user.user_id)
            return
        decided = _resolution(world, Conflict("employee_id", row.hris_id, (user.user_id,)))
        if (
            decided is not None
            and decided.decision == "create"
            and may_be_released(world, people, rows, settings, user)
        ):
            identities.released.add(user.user_id)
            continue
        identities.refused_by_rule_3.append(user)
        _conflict(world, identities, row, "employee_id", [user])
        return
    others = [user for user in world.users if user.user_id not in identities.released]
    by_email = [user for user in others if same_email(row, user)]  # rule 4
    by_name = [user for user in others if same_name_and_birth_date(row, user) or may_be_namesake(row, user, settings)]
    if by_email:
        _conflict(world, identities, row, "email", by_email)
    elif by_name:
        _conflict(world, identities, row, "name_and_birth_date", by_name)
    else:
        identities.matches[row.hris_id] = Match(row, None, "create")


def may_be_released(world: World, people: People, rows: list[Mapped], settings: Settings, user: User) -> bool:
    """A leaver whom an import has archived, or one of this integration would archive, and whom nothing keeps."""
    if user.protected or user.employee_id in settings.do_not_archive or user.user_id in world.never_archive:
        return False
    if not user.is_active:
        return user.archived_by == "import"
    if user.integration_id != world.integration_id or user.user_id in world.working_elsewhere:
        return False
    return people.complete and settings.archive_employees and is_confirmed_gone(world, people, rows, user)


def _decided(world: World, identities: Identities, row: Mapped, taken: set[str]) -> bool:
    """What a person decided of this member comes before rules 2 to 4, as far as it still can be followed."""
    for resolution in world.resolutions:
        if resolution.hris_id != row.hris_id:
            continue
        if resolution.decision == "ignore":
            identities.ignored.add(row.hris_id)
            return True
        target = next((user for user in world.users if user.user_id == resolution.user_id), None)
        if resolution.decision == "link" and target is not None and target.user_id not in taken:
            if archived_by_person(target) and not resolution.restore:
                return False
            identities.matches[row.hris_id] = Match(row, target, "resolved")
            taken.add(target.user_id)
            return True
    return False


def _resolution(world: World, conflict: Conflict) -> Resolution | None:
    for resolution in world.resolutions:
        if resolution.hris_id == conflict.hris_id and (
            resolution.user_id is None or resolution.user_id in conflict.user_ids
        ):
            return resolution
    return None


def _conflict(world: World, identities: Identities, row: Mapped, kind: str, users: list[User]) -> None:
    """A conflict, unless a person resolved it."""
    conflict = Conflict(kind, row.hris_id, tuple(sorted({user.user_id for user in users})))
    resolution = _resolution(world, conflict)
    if resolution is not None:
        if resolution.decision == "ignore":
            identities.ignored.add(row.hris_id)
            return
        if resolution.decision == "create" and all(user.employee_id != row.employee_id for user in world.users):
            identities.matches[row.hris_id] = Match(row, None, "create")
            return
        if resolution.decision == "link":
            user_id = resolution.user_id or (conflict.user_ids[0] if len(conflict.user_ids) == 1 else None)
            target = next((user for user in world.users if user.user_id == user_id), None)
            used = {match.user.user_id for match in identities.matches.values() if match.user is not None}
            if target is not None and target.user_id not in used:
                if not archived_by_person(target) or resolution.restore:
                    identities.matches[row.hris_id] = Match(row, target, "resolved")
                    return
                conflict = Conflict("archived_by_person", row.hris_id, conflict.user_ids)
    identities.conflicts.append(conflict)


def relinks_become_conflicts(identities: Identities) -> None:
    """Many ids change at once: nobody is re-linked unasked."""
    for hris_id, match in sorted(identities.matches.items()):
        if match.kind == "relink" and match.user is not None:
            del identities.matches[hris_id]
            identities.conflicts.append(Conflict("identity_change", hris_id, (match.user.user_id,)))


def employee_id_after(match: Match, settings: Settings) -> str:
    """The EmployeeId that this person has once the plan is applied."""
    if match.user is None:
        return match.row.employee_id if match.row.employee_id is not None else f"generated:{match.row.hris_id}"
    if settings.generated_ids or match.user.protected or match.row.employee_id is None:
        return match.user.employee_id
    return match.row.employee_id


def settle_employee_ids(world: World, identities: Identities, settings: Settings) -> None:
    """Whoever would get an EmployeeId that another user keeps is a conflict; swaps are none."""
    while True:
        by_user = {match.user.user_id: match for match in identities.matches.values() if match.user is not None}
        after = {
            user.user_id: employee_id_after(by_user[user.user_id], settings)
            if user.user_id in by_user
            else user.employee_id
            for user in world.users
            if user.user_id not in identities.released
        }
        clash = None
        for match in identities.matches.values():
            employee_id = employee_id_after(match, settings)
            if match.user is not None and employee_id == match.user.employee_id:
                continue
            others = [
                user
                for user in world.users
                if after.get(user.user_id) == employee_id and (match.user is None or user.user_id != match.user.user_id)
            ]
            if others:
                clash = match, others
                break
        if clash is None:
            return
        match, others = clash
        del identities.matches[match.row.hris_id]
        matched = [match.user] if match.user is not None else []
        ids = tuple(sorted({user.user_id for user in [*others, *matched]}))
        conflict = Conflict("employee_id", match.row.hris_id, ids)
        resolution = _resolution(world, conflict)
        if resolution is not None and resolution.decision == "ignore":
            identities.ignored.add(match.row.hris_id)
        else:
            identities.conflicts.append(conflict)
