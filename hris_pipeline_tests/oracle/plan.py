"""What an import of this reading into this world must be."""

from collections.abc import Mapping
from datetime import date

from . import guards
from .applying import apply_rows
from .draft import Draft
from .identity import (
    Identities,
    Match,
    employee_id_after,
    identify,
    relinks_become_conflicts,
    settle_employee_ids,
    unusable_members,
)
from .leavers import decide_missing, decide_unmatched, give_up_ids, relisted_elsewhere
from .mapping import Keep, Mapped, frame_failure, hire_dates, is_international, map_everybody
from .model import (
    Change,
    Expectation,
    Reading,
    Row,
    User,
    Value,
    Warned,
    World,
)
from .reading import People, read
from .references import Directory, Reference
from .settings import Settings, settings_of
from .text import same


def expect(world: World, reading: Reading) -> Expectation:
    """The whole plan: read, validate, map, identify, compare, guard."""
    settings = settings_of(world.settings)
    people = read(world, reading, custom_wanted=world.source == "justworks" and settings.wants_custom_fields())
    mapped = map_everybody(list(people.employees), settings, world.today, has_holes=people.details_failed)
    failure = frame_failure(mapped, settings)
    if failure is not None:
        return Expectation(status=None, frame_failure=failure, complete=people.complete)
    identities = identify(world, people, mapped, settings)
    identity = guards.identity_change(world, settings, identities)
    if identity.tripped:
        relinks_become_conflicts(identities)
    settle_employee_ids(world, identities, settings)
    unusable = unusable_members(people, mapped)
    identities.waited_for = {user_id for hris_id, user_id in world.waiting | world.linking if hris_id in unusable}
    identities.waited_for |= world.working_elsewhere
    draft = Draft(world, settings, people, mapped, identities)
    _matched(draft)
    decide_unmatched(draft)
    decide_missing(draft)
    give_up_ids(draft)
    warn(draft)
    with_row = {row.user_id for row in draft.rows}
    draft.protected -= with_row
    plan = guards.Plan(
        world=world,
        settings=settings,
        complete=people.complete,
        rows=tuple(draft.rows),
        matches=identities.matches,
        mapped=tuple(mapped),
        in_conflict=frozenset(conflict.hris_id for conflict in identities.conflicts),
        quarantined=tuple(draft.quarantined),
        identity=identity,
    )
    results = guards.all_guards(plan)
    counts = {
        "created": sum(row.action == "create" for row in draft.rows),
        "updated": sum(row.action == "update" for row in draft.rows),
        "archived": sum(row.action == "archive" for row in draft.rows),
        "restored": sum(row.action == "restore" for row in draft.rows),
        "unchanged": len(draft.unchanged),
        "excluded": len(draft.excluded),
        "protected": len(draft.protected),
        "conflicts": len(identities.conflicts),
        "quarantined": len(draft.quarantined),
    }
    unread: dict[str, int] = {}
    for row in mapped:
        for column in row.employee.unread:
            unread[column] = unread.get(column, 0) + 1
    return Expectation(
        status="held" if any(result.tripped for result in results.values()) else "planned",
        complete=people.complete,
        rows=tuple(draft.rows),
        unchanged=frozenset(draft.unchanged),
        excluded=tuple(draft.excluded),
        protected=frozenset(draft.protected),
        quarantined=tuple(draft.quarantined),
        conflicts=tuple(identities.conflicts),
        awaiting_decision=frozenset(draft.awaiting),
        waiting=_waiting(world, people, identities, unusable),
        unusable=unusable,
        relisted=relisted_elsewhere(draft),
        kept_references=frozenset(draft.kept_references),
        inactive_local=frozenset(draft.inactive_local),
        holes=people.holes,
        unread=unread,
        warnings=frozenset(draft.warnings),
        counts=counts,
        guards=results,
    )


# People who are matched


def _waiting(
    world: World, people: People, identities: Identities, unusable: frozenset[str]
) -> frozenset[tuple[str, str]]:
    """The conflicts of this plan, and the earlier ones of which it says nothing."""
    user_ids = {user.hris_id: user.user_id for user in world.users if user.integration_id == world.integration_id}
    fresh = {
        (conflict.hris_id, user_id)
        for conflict in identities.conflicts
        for user_id in conflict.user_ids
        if user_id != user_ids.get(conflict.hris_id)
    }
    return frozenset(fresh | {pair for pair in world.waiting if pair[0] in unusable or not people.complete})


def _matched(draft: Draft) -> None:
    identities, settings = draft.identities, draft.settings
    draft.protected |= {user.user_id for user in identities.kept_archived.values()}
    directory = Directory(
        draft.world, draft.people, settings, identities, {row.hris_id: row for row in draft.mapped if row.hris_id}
    )
    emails = _emails(draft)
    for hris_id, match in sorted(identities.matches.items()):
        targets = _target_values(draft, match, directory, emails)
        user = match.user
        if user is None:
            changes = tuple(Change(name, None, value) for name, value in sorted(targets.items()) if value is not None)
            changes = (Change("hris_id", None, hris_id), *changes)
            draft.rows.append(Row("create", hris_id, None, changes))
            continue
        changes = tuple(
            Change(name, stored(user, name), value)
            for name, value in sorted(targets.items())
            if stored(user, name) != value
        )
        if user.integration_id != draft.world.integration_id or user.hris_id != hris_id:
            changes = (Change("hris_id", user.hris_id, hris_id), *changes)
        if not user.is_active:
            changes = (Change("status", "archived", "active"), *changes)
            draft.rows.append(Row("restore", hris_id, user.user_id, changes))
        elif changes:
            draft.rows.append(Row("update", hris_id, user.user_id, changes))
        elif user.user_id not in draft.protected:
            draft.unchanged.add(hris_id)


def stored(user: User, name: str) -> Value:
    """A field of a user, or `#Name` of its metadata; empty is None."""
    value: Value = user.metadata.get(name[1:]) if name.startswith("#") else getattr(user, name)
    return None if value in ("", ()) else value


def _target_values(
    draft: Draft, match: Match, directory: Directory, emails: Mapping[str, str | None]
) -> dict[str, Value]:
    """The fields this person should have; a field left out stays."""
    row, user, settings = match.row, match.user, draft.settings
    targets: dict[str, Value] = {}
    for name, value in row.values.items():
        if name == "email":
            targets[name] = emails[row.hris_id]
        elif isinstance(value, Keep) or (value == "false" and _still_manages(draft, name, match, directory)):
            continue
        elif name == "hire_date" and user is not None:
            targets[name] = _hire_date(draft, row, user, value)
        else:
            targets[name] = value
    if user is None or employee_id_after(match, settings) != user.employee_id:
        targets["employee_id"] = employee_id_after(match, settings)
    elif user.protected and not settings.generated_ids and row.employee_id != user.employee_id:
        draft.protected.add(user.user_id)
    for name, named in row.supervisors.items():
        if isinstance(named, Keep):
            continue
        source = settings.mapping[name] if not name.startswith("#") else _metadata_source(settings, name)
        reference = directory.named(source, named, row.employee) if named is not None else Reference("nobody")
        if named is not None and reference.kind == "nobody":
            draft.warnings.add(Warned("supervisor_unknown", row.hris_id))
        if reference.kind == "stays":
            if user is not None:
                draft.kept_references.add(user.user_id)
            continue
        if reference.kind == "nobody" and user is not None and _points_to_conflict(draft, stored(user, name)):
            draft.kept_references.add(user.user_id)
            continue
        targets[name] = reference.employee_id
    return targets


def _still_manages(draft: Draft, name: str, match: Match, directory: Directory) -> bool:
    """Whether a field that tells who is a manager stays: somebody reports to this user by an id that is theirs no more,
    or, as is stored, somebody of whose supervisor the reading tells nothing certain."""
    user, source = match.user, draft.settings.mapping.get("supervisor_id")
    if user is None or not name.startswith("#") or _metadata_source(draft.settings, name) != "is_manager":
        return False
    if source in ("supervisor_hris_id", "supervisor_justworks_id"):
        employee_id = employee_id_after(match, draft.settings)
        for report in draft.identities.matches.values():
            named = report.row.supervisors.get("supervisor_id")
            if not isinstance(named, str):
                continue
            reference = directory.named(source, named, report.row.employee)
            if reference.kind == "user" and reference.employee_id == employee_id:
                return True
            stored_id = report.user.supervisor_id if report.user is not None else None
            if reference.kind == "stays" and stored_id == user.employee_id:
                return True
    return any(
        other.integration_id == draft.world.integration_id
        and other.is_active
        and other.supervisor_id == user.employee_id
        and _supervisor_is_untold(draft, other)
        for other in draft.world.users
    )


def _supervisor_is_untold(draft: Draft, user: User) -> bool:
    """A hole, or missing from an incomplete list; or a row that is quarantined, or does not tell the supervisor."""
    matches = draft.identities.matches.values()
    row = next((match.row for match in matches if match.user is not None and match.user.user_id == user.user_id), None)
    row = row or next((row for row in draft.mapped if row.hris_id == user.hris_id), None)
    if row is None:
        return user.hris_id not in draft.people.gone
    if row.employment == "left":
        return False
    return bool(row.failures) or isinstance(row.supervisors.get("supervisor_id"), Keep)


def _metadata_source(settings: Settings, name: str) -> str:
    return next(entry.source for entry in settings.metadata if entry.name == name[1:])


def _points_to_conflict(draft: Draft, employee_id: Value) -> bool:
    sides = draft.identities.conflict_users()
    return any(user.employee_id == employee_id and user.user_id in sides for user in draft.world.users)


def _hire_date(draft: Draft, row: Mapped, user: User, value: Value) -> Value:
    if draft.settings.hire_date_priority == "latest" and "latest_rehire_date" in row.employee.unread:
        return user.hire_date
    if user.hire_date is None or draft.settings.override_hire_date:
        return value
    _, rehire = hire_dates(row.employee, draft.world.today, draft.settings.import_days_before_start)
    later = isinstance(rehire, date) and value == rehire and rehire > user.hire_date
    if draft.settings.hire_date_priority == "latest" and later:
        return value
    return user.hire_date


def _target_email(draft: Draft, match: Match) -> str | None:
    """The address before anybody else's is looked at."""
    value = match.row.values.get("email")
    text = value if isinstance(value, str) else None
    user = match.user
    if user is None:
        return text
    if isinstance(value, Keep) or "email" not in match.row.values:
        return user.email
    if user.protected:
        if text != user.email:
            draft.protected.add(user.user_id)
        return user.email
    if user.email and user.email_edited_by_user and (text is None or not draft.settings.override_emails):
        return user.email
    return text


def _emails(draft: Draft) -> dict[str, str | None]:
    """Addresses by hris_id: the user who has an address keeps it, whoever else arrives with it goes without."""
    matches = draft.identities.matches
    addresses = {hris_id: _target_email(draft, match) for hris_id, match in sorted(matches.items())}
    hris_ids = {match.user.user_id: hris_id for hris_id, match in matches.items() if match.user is not None}
    while True:
        denied = next(
            (hris_id for hris_id in addresses if _is_taken(draft.world, matches, hris_ids, addresses, hris_id)), None
        )
        if denied is None:
            return addresses
        user = matches[denied].user
        draft.warnings.add(Warned("email_taken", denied))
        addresses[denied] = user.email if user is not None else None


def _is_taken(
    world: World,
    matches: Mapping[str, Match],
    hris_ids: Mapping[str, str],
    addresses: Mapping[str, str | None],
    hris_id: str,
) -> bool:
    address = addresses[hris_id]
    matched = matches[hris_id].user
    if address is None or (matched is not None and same(address, matched.email)):
        return False
    for user in world.users:
        if matched is not None and user.user_id == matched.user_id:
            continue
        other = hris_ids.get(user.user_id)
        if same(address, user.email) and (other is None or same(address, addresses[other])):
            return True  # that user has it and keeps it
    return any(other < hris_id and same(address, text) for other, text in addresses.items())


# Warnings


def _warn_of_cycles(draft: Draft) -> None:
    """A cycle, or somebody who is their own supervisor, is kept and named."""
    after = apply_rows(draft.world, draft.rows)
    supervisors = {user.employee_id: user.supervisor_id for user in after}
    for user in after:
        chain: list[str] = []
        above = user.supervisor_id
        while above is not None and above not in chain:
            chain.append(above)
            above = supervisors.get(above)
        if user.employee_id in chain and user.hris_id is not None and user.integration_id == draft.world.integration_id:
            draft.warnings.add(Warned("supervisor_cycle", user.hris_id))


def warn(draft: Draft) -> None:
    _warn_of_cycles(draft)
    employee_ids = {user.employee_id for user in draft.world.users}
    for employee_id in draft.settings.do_not_archive - employee_ids:
        draft.warnings.add(Warned("do_not_archive_unknown", employee_id))
    for row in draft.mapped:
        number = row.values.get("phone_number")
        if row.hris_id in draft.identities.matches and isinstance(number, str) and not is_international(number):
            draft.warnings.add(Warned("phone_not_international", row.hris_id))
    touched = [*guards.managed(draft.world), *guards.linked_local(draft.identities.matches)]
    live = [row for row in draft.mapped if row.is_live]
    names = {name for row in live for name in (*row.values, *row.supervisors)}
    for name in names:
        keeps = [row for row in live if isinstance({**row.values, **row.supervisors}.get(name), Keep)]
        source = _metadata_source(draft.settings, name) if name.startswith("#") else draft.settings.mapping[name]
        unread = all(source in row.employee.unread for row in draft.mapped)
        if live and len(keeps) == len(live) and not unread and any(stored(user, name) is not None for user in touched):
            draft.warnings.add(Warned("absent_for_everybody", name))
