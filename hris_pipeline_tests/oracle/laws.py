"""Laws that hold for every import, whoever computed it: checked on outcomes given as plain data.

Each law returns the breaches it found, as texts of ids; no breach is an empty list. Who is employed is decided here,
person by person, from the wire.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .identity import archived_by_person, former_links, is_confirmed_gone, linked_here, unusable_members
from .leavers import has_unknown_holes, is_kept_from_archiving, seems_relisted
from .mapping import Mapped, map_everybody, map_partial
from .model import COUNTS, Expectation, Reading, User, World
from .observation import Observed, ObservedRow, observed_of
from .plan import expect
from .reading import People, read
from .settings import settings_of
from .text import key

# What the wire says of each person


@dataclass(frozen=True)
class Facts:
    people: People
    rows: Mapping[str, Mapped]  # by hris_id

    def is_certain_to_have_left(self, hris_id: str | None) -> bool:
        """Listed and not employed, or missing and confirmed."""
        if hris_id is None or hris_id in self.people.holes:
            return False
        row = self.rows.get(hris_id)
        return row.employment == "left" if row is not None else hris_id in self.people.gone


def facts(world: World, reading: Reading) -> Facts:
    settings = settings_of(world.settings)
    wants_custom = world.source == "justworks" and settings.wants_custom_fields()
    people = read(world, reading, custom_wanted=wants_custom)
    rows = map_everybody(list(people.employees), settings, world.today, has_holes=people.details_failed)
    return Facts(people, {row.hris_id: row for row in rows if row.hris_id})


def _user(world: World, user_id: str | None) -> User | None:
    return next((user for user in world.users if user.user_id == user_id), None)


def _archived(world: World, observed: Iterable[ObservedRow]) -> list[User]:
    users = [_user(world, row.user_id) for row in observed if row.action == "archive"]
    return [user for user in users if user is not None]


def _is_archived_by_a_rule(evidence: Facts, hris_id: str | None) -> bool:
    row = evidence.rows.get(hris_id or "")
    return row is not None and row.rule is not None and row.rule.archive_existing


# The laws


def nobody_employed_archived(world: World, evidence: Facts, observed: Iterable[ObservedRow]) -> list[str]:
    """Only who has certainly left, or whom a rule archives by name, is archived."""
    return [
        f"archived although not certain to have left: {user.user_id}"
        for user in _archived(world, observed)
        if not evidence.is_certain_to_have_left(user.hris_id) and not _is_archived_by_a_rule(evidence, user.hris_id)
    ]


def no_archives_when_incomplete(world: World, evidence: Facts, observed: Iterable[ObservedRow]) -> list[str]:
    if evidence.people.complete:
        return []
    return [f"archived from an incomplete extract: {user.user_id}" for user in _archived(world, observed)]


def nobody_certain_to_have_left_stays(world: World, evidence: Facts, observed: Observed) -> list[str]:
    """Who has certainly left is archived, unless a setting, a protection, a conflict or the extract keeps them."""
    settings = settings_of(world.settings)
    if not evidence.people.complete or not settings.archive_employees:
        return []
    touched = {row.user_id for row in observed.rows if row.action == "archive" or "hris_id" in row.changes}
    unusable = unusable_members(evidence.people, evidence.rows.values())
    partial = map_partial(evidence.people.partial, settings, world.today)
    return [
        f"left and not archived: {user.user_id}"
        for user in world.users
        if user.integration_id == world.integration_id
        and user.is_active
        and evidence.is_certain_to_have_left(user.hris_id)
        and not is_kept_from_archiving(world, settings, user)
        and user.user_id not in observed.conflict_user_ids
        and user.user_id not in touched
        and not _may_be_listed(world, evidence, partial, user)
        and user.user_id not in {user_id for hris_id, user_id in world.linking if hris_id in unusable}
    ]


def _may_be_listed(world: World, evidence: Facts, partial: list[Mapped], user: User) -> bool:
    is_unlisted = user.hris_id in evidence.people.gone
    if is_unlisted and has_unknown_holes(world, evidence.people.holes, partial):
        return True
    return seems_relisted(world, [*evidence.rows.values(), *partial], user, is_unlisted=is_unlisted)


def protected_users_keep_what_is_theirs(world: World, observed: Iterable[ObservedRow]) -> list[str]:
    """Local, protected and do-not-archive users are never archived; protected ones keep email and EmployeeId."""
    settings = settings_of(world.settings)
    breaches = [
        f"archived although kept: {user.user_id}"
        for user in _archived(world, observed)
        if is_kept_from_archiving(world, settings, user)
    ]
    for row in observed:
        user = _user(world, row.user_id)
        if user is not None and user.protected:
            breaches += [
                f"{name} of a protected user: {user.user_id}"
                for name in ("email", "employee_id")
                if name in row.changes
            ]
    return breaches


def holes_are_untouched(world: World, evidence: Facts, observed: Iterable[ObservedRow]) -> list[str]:
    holes = evidence.people.holes
    breaches = []
    for row in observed:
        user = _user(world, row.user_id)
        link = row.changes.get("hris_id")
        relinked = link is not None and link[0] != link[1]
        if row.hris_id in holes or (user is not None and user.hris_id in holes and not relinked):
            breaches.append(f"a hole was touched: {row.hris_id or row.user_id}")
    return breaches


def conflicts_protect_both_sides(world: World, observed: Observed) -> list[str]:
    """Nobody on either side is archived, no row of a conflict is applied, no reference to them is cleared."""
    breaches = [
        f"archived in a conflict: {row.user_id}"
        for row in observed.rows
        if row.action == "archive" and row.user_id in observed.conflict_user_ids
    ]
    breaches += [
        f"a row in conflict is applied: {row.hris_id}"
        for row in observed.rows
        if row.hris_id in observed.conflict_hris_ids and row.action != "archive"
    ]
    sides = {user.employee_id for user in world.users if user.user_id in observed.conflict_user_ids}
    for row in observed.rows:
        before, after = row.changes.get("supervisor_id", (None, None))
        if before in sides and after in (None, ""):
            breaches.append(f"a supervisor in a conflict is cleared: {row.user_id}")
    return breaches


def only_employed_are_created_or_restored(world: World, evidence: Facts, observed: Iterable[ObservedRow]) -> list[str]:
    breaches = []
    for row in observed:
        if row.action not in ("create", "restore") or row.hris_id is None:
            continue
        mapped = evidence.rows.get(row.hris_id)
        if mapped is None or not mapped.is_live:
            breaches.append(f"{row.action} of somebody who is not to be imported: {row.hris_id}")
        user = _user(world, row.user_id)
        resolved = any(entry.hris_id == row.hris_id and entry.restore for entry in world.resolutions)
        if row.action == "restore" and user is not None and user.archived_by != "import" and not resolved:
            breaches.append(f"restore of somebody whom a person archived: {user.user_id}")
    return breaches


def nobody_is_relinked_without_proof(world: World, evidence: Facts, observed: Iterable[ObservedRow]) -> list[str]:
    """A user linked to another id of this integration goes to a new one only when the other is certainly gone."""
    breaches = []
    for row in observed:
        user = _user(world, row.user_id)
        link = row.changes.get("hris_id")
        if user is None or link is None or user.is_local:
            continue
        resolved = any(entry.hris_id == row.hris_id and entry.decision == "link" for entry in world.resolutions)
        if not resolved and not is_confirmed_gone(world, evidence.people, evidence.rows.values(), user):
            breaches.append(f"re-linked although the other id may be alive: {user.user_id}")
    return breaches


def a_person_has_one_row(observed: Iterable[ObservedRow]) -> list[str]:
    breaches, seen = [], set()
    for row in observed:
        for name in (f"user {row.user_id}" if row.user_id else "", f"member {row.hris_id}" if row.hris_id else ""):
            if name and name in seen:
                breaches.append(f"more than one row: {name}")
            seen.add(name)
    return breaches


def employee_ids_stay_unique(users: Iterable[User]) -> list[str]:
    """Of the directory after the import."""
    breaches, ids, links = [], set(), set()
    for user in users:
        link = (user.integration_id, user.hris_id)
        if user.employee_id in ids:
            breaches.append(f"EmployeeId twice: {user.user_id}")
        if user.hris_id is not None and link in links:
            breaches.append(f"linked twice: {user.user_id}")
        ids.add(user.employee_id)
        links.add(link)
    return breaches


def no_address_is_given_twice(before: World, after: Iterable[User]) -> list[str]:
    """An import gives nobody an address that another user has."""
    had = {user.user_id: key(user.email) for user in before.users if user.email}
    now: dict[str, list[str]] = {}
    for user in after:
        if user.email:
            now.setdefault(key(user.email), []).append(user.user_id)
    return [
        f"one address for {sorted(users)}"
        for address, users in now.items()
        if len(users) > 1 and any(had.get(user_id) != address for user_id in users)
    ]


def nobody_else_is_touched(world: World, observed: Iterable[ObservedRow]) -> list[str]:
    """Users of other integrations, and local ones that are not linked, do not change."""
    breaches = []
    for row in observed:
        user = _user(world, row.user_id)
        if row.action != "create" and user is None:
            breaches.append(f"no such user: {row.user_id}")
        if user is not None and user.integration_id != world.integration_id and "hris_id" not in row.changes:
            breaches.append(f"not of this integration: {user.user_id}")
    return breaches


def excluded_fields_are_never_written(world: World, observed: Iterable[ObservedRow]) -> list[str]:
    excluded = settings_of(world.settings).exclude_fields
    names = excluded | {f"#{name}" for name in excluded}
    return [
        f"an excluded field is written: {row.user_id or row.hris_id} {name}"
        for row in observed
        for name in row.changes
        if name in names
    ]


def held_exactly_when_a_guard_trips(observed: Observed) -> list[str]:
    if observed.status not in ("planned", "held"):
        return []
    held = observed.status == "held"
    return [] if held == any(observed.guards.values()) else ["held and guards disagree"]


def counts_agree_with_rows(observed: Observed) -> list[str]:
    breaches = [f"no count: {name}" for name in COUNTS if name not in observed.counts]
    for name, action in (
        ("created", "create"),
        ("updated", "update"),
        ("archived", "archive"),
        ("restored", "restore"),
    ):
        number = sum(row.action == action for row in observed.rows)
        if name in observed.counts and observed.counts[name] != number:
            breaches.append(f"{name}: {observed.counts.get(name)} counted, {number} rows")
    return breaches


def again_is_nothing(first: Observed, again: Observed) -> list[str]:
    """The same reading right after the import was applied changes nothing.

    Unless the first plan had conflicts: what it applied may have settled one of them.
    """
    if first.conflict_hris_ids:
        return []
    return [f"again: {row.action} {row.user_id or row.hris_id}" for row in again.rows]


def everybody_listed_is_accounted_for(world: World, evidence: Facts, observed: Observed) -> list[str]:
    """Every employed member has a row, or is unchanged, or is named with a reason; so the sum says when one is lost."""
    with_row = {row.hris_id for row in observed.rows}
    named = observed.conflict_hris_ids | observed.quarantined | observed.excluded | observed.holes
    silent = [
        hris_id
        for hris_id, row in evidence.rows.items()
        if row.is_live
        and hris_id not in with_row
        and hris_id not in named
        and linked_here(world, hris_id) is None
        and not any(archived_by_person(user) for user in former_links(world, hris_id))
    ]
    return [f"lost: {hris_id}" for hris_id in silent]


def all_breaches(world: World, reading: Reading, observed: Observed) -> list[str]:
    """Every law that looks at one plan."""
    if observed.status not in ("planned", "held"):
        return []
    rows = observed.rows
    evidence = facts(world, reading)
    return [
        *nobody_employed_archived(world, evidence, rows),
        *no_archives_when_incomplete(world, evidence, rows),
        *nobody_certain_to_have_left_stays(world, evidence, observed),
        *protected_users_keep_what_is_theirs(world, rows),
        *holes_are_untouched(world, evidence, rows),
        *conflicts_protect_both_sides(world, observed),
        *only_employed_are_created_or_restored(world, evidence, rows),
        *nobody_is_relinked_without_proof(world, evidence, rows),
        *a_person_has_one_row(rows),
        *nobody_else_is_touched(world, rows),
        *excluded_fields_are_never_written(world, rows),
        *held_exactly_when_a_guard_trips(observed),
        *counts_agree_with_rows(observed),
        *everybody_listed_is_accounted_for(world, evidence, observed),
    ]


def differences(expectation: Expectation, observed: Observed) -> list[str]:
    """Where an observed plan differs from what the oracle expects; ids and field names, never values."""
    expected = observed_of(expectation)
    if expected.status != observed.status:
        tripped = [sorted(name for name, trips in each.guards.items() if trips) for each in (observed, expected)]
        return [f"status: {observed.status} by {tripped[0]}, expected {expected.status} by {tripped[1]}"]
    expected_rows = {(row.hris_id or row.user_id, row.action): row for row in expected.rows}
    observed_rows = {(row.hris_id or row.user_id, row.action): row for row in observed.rows}
    findings = [f"not expected: {ids}" for ids in observed_rows if ids not in expected_rows]
    findings += [f"expected: {ids}" for ids in expected_rows if ids not in observed_rows]
    for ids, row in expected_rows.items():
        if ids in observed_rows and dict(row.changes) != dict(observed_rows[ids].changes):
            names = {
                name
                for name in {*row.changes, *observed_rows[ids].changes}
                if row.changes.get(name) != observed_rows[ids].changes.get(name)
            }
            findings.append(f"fields of {ids}: {sorted(names)}")
    findings += [
        f"guard {name}: {observed.guards[name]}, expected {tripped}"
        for name, tripped in expected.guards.items()
        if name in observed.guards and observed.guards[name] != tripped
    ]
    findings += [
        f"figures of {name}: {observed.figures[name]}, expected {figure}"
        for name, figure in expected.figures.items()
        if name in observed.figures
        and (expected.guards[name] or name not in OF_ONE_FIELD)
        and not _same_figures(observed.figures[name], figure)
    ]
    findings += [
        f"count of {name}: {observed.counts[name]}, expected {number}"
        for name, number in expected.counts.items()
        if name in observed.counts and observed.counts[name] != number
    ]
    if not expected.conflict_user_ids <= observed.conflict_user_ids:
        findings.append("conflict_user_ids: not all")
    for name in ("conflict_hris_ids", "quarantined", "holes", "complete"):
        if getattr(expected, name) != getattr(observed, name):
            findings.append(f"{name} differ")
    return findings


OF_ONE_FIELD = ("field_wipe", "unread_field")
"""Guards of several fields of which one is shown: which, is only certain when one trips."""


def _same_figures(left: tuple[int, int | None], right: tuple[int, int | None]) -> bool:
    """How many, and of how many; of nobody, or where it is not said, the latter does not count."""
    return left[0] == right[0] and (None in (left[1], right[1]) or left[1] == right[1] or right[0] == 0)


def check(world: World, reading: Reading, observed: Observed) -> list[str]:
    """Laws and expectation together."""
    return [*all_breaches(world, reading, observed), *differences(expect(world, reading), observed)]
