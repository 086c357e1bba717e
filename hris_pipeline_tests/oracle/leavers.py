"""People whom the plan matches with nobody: who is archived, who stays, and why."""

from collections.abc import Iterable

from .draft import Draft
from .identity import (
    former_links,
    linked_here,
)
from .mapping import Mapped, map_partial, returns
from .model import (
    Change,
    Quarantined,
    Row,
    User,
    World,
)
from .settings import Settings
from .text import same


def decide_unmatched(draft: Draft) -> None:
    identities, world = draft.identities, draft.world
    in_conflict = {conflict.hris_id for conflict in identities.conflicts}
    matched_users = {match.user.user_id for match in identities.matches.values() if match.user is not None}
    for row in draft.mapped:
        if row.failures:
            draft.quarantined.append(Quarantined(row.hris_id, row.failures))
        if row.hris_id in identities.ignored:
            draft.exclude(row.hris_id, "ignored")
            continue
        if row.hris_id in identities.matches or row.hris_id in identities.kept_archived or row.hris_id in in_conflict:
            continue
        user = linked_here(world, row.hris_id) if row.hris_id else None
        if user is not None and user.user_id in matched_users:
            user = None  # this user is somebody else's now
        if row.exclusion is not None:
            draft.exclude(row.hris_id, row.exclusion)
        if row.may_have_left:
            draft.exclude(row.hris_id, "may_have_left")
        elif user is None:
            _without_user(draft, row)
        elif row.rule is not None and row.rule.archive_existing:
            archive(draft, user, by_rule=True)
        elif row.employment == "left":
            was_unchanged = not archive(draft, user)
            if was_unchanged and row.exclusion is None and not row.failures:
                if not user.is_active and returns(row.employee, draft.world.today):
                    draft.exclude(row.hris_id, "not_started")
                else:
                    draft.unchanged.add(row.hris_id)
        elif row.employment == "not_started" and row.exclusion is None and not row.failures:
            draft.exclude(row.hris_id, "not_started")


def _without_user(draft: Draft, row: Mapped) -> None:
    if row.failures or row.exclusion is not None:
        return
    to_come = row.employment == "not_started" or returns(row.employee, draft.world.today)
    draft.exclude(row.hris_id, "not_started" if to_come else "inactive")
    for user in draft.world.users:
        same_id = row.employee_id is not None and user.employee_id == row.employee_id
        if user.is_local and user.is_active and (same_id or user in former_links(draft.world, row.hris_id)):
            draft.inactive_local.add(user.user_id)


def archive(draft: Draft, user: User, *, by_rule: bool = False, is_unlisted: bool = False) -> bool:
    """Archives, or notes why not. False: the user simply stays as is."""
    if not user.is_active:
        return False
    if not by_rule and not draft.settings.archive_employees:
        return False
    if is_kept_from_archiving(draft.world, draft.settings, user):
        draft.protected.add(user.user_id)
    elif user.user_id in draft.identities.conflict_users() or (not by_rule and _may_work_on(draft, user, is_unlisted)):
        draft.awaiting.add(user.user_id)
    elif draft.people.complete:
        freed = [Change("employee_id", user.employee_id, None)] if user.user_id in draft.identities.released else []
        changes = (*freed, Change("status", "active", "archived"))
        draft.rows.append(Row("archive", user.hris_id, user.user_id, changes))
    return True


def _may_work_on(draft: Draft, user: User, is_unlisted: bool) -> bool:
    partial = map_partial(draft.people.partial, draft.settings, draft.world.today)
    if seems_relisted(draft.world, [*draft.mapped, *partial], user, is_unlisted=is_unlisted):
        return True
    return is_unlisted and has_unknown_holes(draft.world, draft.people.holes, partial)


def seems_relisted(world: World, rows: Iterable[Mapped], user: User, *, is_unlisted: bool) -> bool:
    """Whether the person seems to work on under another member id, whose row is quarantined, left out by a rule or a
    person, of somebody who may have left, or of whom only the list tells.

    A person is archived, not an id. Of a quarantined row whose name or birth date is missing, what is left is compared.
    Whom a person decided to be somebody else is nobody's other row.
    Where the source does not itself say that the old id left, the EmployeeId alone would be a conflict.
    """
    ignored = {resolution.hris_id for resolution in world.resolutions if resolution.decision == "ignore"}
    two = {(decided.hris_id, decided.user_id) for decided in world.resolutions if decided.decision != "link"}
    return any(
        _alike(row, user, is_unlisted)
        for row in rows
        if (row.hris_id, user.user_id) not in two
        and (row.hris_id != user.hris_id or user.integration_id != world.integration_id)
        and row.employment in ("employed", "unknown")
        and (row.failures or row.may_have_left or row.rule is not None or row.hris_id in ignored)
        and (row.failures or row.rule is None or not row.rule.archive_existing)
        and (not row.hris_id or linked_here(world, row.hris_id) is None)
    )


def relisted_elsewhere(draft: Draft) -> frozenset[str]:
    """Users of other integrations, active or not, who seem to work on here, as a member whose row is of no use: the
    integration that they are leaving cannot see it, and must not archive them."""
    partial = map_partial(draft.people.partial, draft.settings, draft.world.today)
    rows = [*draft.mapped, *partial]
    others = (user for user in draft.world.users if user.integration_id not in (None, draft.world.integration_id))
    return frozenset(user.user_id for user in others if seems_relisted(draft.world, rows, user, is_unlisted=True))


def _alike(row: Mapped, user: User, is_unlisted: bool) -> bool:
    employee = row.employee
    same_name = same(employee.first_name, user.first_name) and same(employee.last_name, user.last_name)
    if same(employee.email, user.email) or (same_name and employee.birth_date == user.birth_date is not None):
        return True
    if not row.failures:
        return False
    nameless = employee.first_name is None or employee.last_name is None
    halves = ((employee.first_name, user.first_name), (employee.last_name, user.last_name))
    rest_agrees = all(ours is None or same(ours, theirs) for ours, theirs in halves)
    if nameless and rest_agrees and employee.birth_date == user.birth_date is not None:
        return True
    same_id = (
        employee.justworks_id == user.employee_id if row.employee_id is None else row.employee_id == user.employee_id
    )
    return (same_name and employee.birth_date is None) or ((nameless or is_unlisted) and same_id)


def is_kept_from_archiving(world: World, settings: Settings, user: User) -> bool:
    return (
        user.protected
        or user.is_local
        or user.employee_id in settings.do_not_archive
        or user.user_id in world.never_archive
    )


def decide_missing(draft: Draft) -> None:
    matched_users = {match.user.user_id for match in draft.identities.matches.values() if match.user is not None}
    for user in draft.world.users:
        is_managed = user.integration_id == draft.world.integration_id
        if is_managed and user.hris_id in draft.people.gone and user.user_id not in matched_users:
            archive(draft, user, is_unlisted=True)


def has_unknown_holes(world: World, holes: Iterable[str], partial: Iterable[Mapped]) -> bool:
    """A member of whom nothing is known, and who is no user under that id, may be anybody who is not listed."""
    decided = {hris_id for hris_id, _ in world.waiting | world.linking}
    named = {
        row.hris_id
        for row in partial
        if row.employment not in ("employed", "unknown")
        or row.employee_id is not None
        or row.employee.email is not None
        or (row.employee.first_name is not None and row.employee.last_name is not None)
    }
    return any(linked_here(world, hris_id) is None for hris_id in set(holes) - named - decided)


def give_up_ids(draft: Draft) -> None:
    """Whoever had left already gives the EmployeeId to whom a person gave it."""
    for user in draft.world.users:
        if user.user_id in draft.identities.released and not user.is_active:
            freed = Change("employee_id", user.employee_id, None)
            draft.rows.append(Row("update", user.hris_id or "", user.user_id, (freed,)))
