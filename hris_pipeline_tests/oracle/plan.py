"""What an import of this reading into this world must be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from . import guards
from .identity import (
    Identities,
    Match,
    employee_id_after,
    former_links,
    identify,
    linked_here,
    relinks_become_conflicts,
    settle_employee_ids,
)
from .mapping import Keep, Mapped, frame_failure, hire_dates, is_international, map_everybody, returns
from .model import (
    Change,
    Exclusion,
    Expectation,
    MetadataValue,
    PastArchive,
    Quarantined,
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


@dataclass
class _Draft:
    """The plan while it is made."""

    world: World
    settings: Settings
    people: People
    mapped: list[Mapped]
    identities: Identities
    rows: list[Row] = field(default_factory=list)
    unchanged: set[str] = field(default_factory=set)
    excluded: list[Exclusion] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    quarantined: list[Quarantined] = field(default_factory=list)
    awaiting: set[str] = field(default_factory=set)
    kept_references: set[str] = field(default_factory=set)
    inactive_local: set[str] = field(default_factory=set)
    warnings: set[Warned] = field(default_factory=set)

    def exclude(self, hris_id: str, reason: str) -> None:
        self.excluded.append(Exclusion(hris_id, reason))


def expect(world: World, reading: Reading) -> Expectation:
    """The whole plan: read, validate, map, identify, compare, guard."""
    settings = settings_of(world.settings)
    people = read(world, reading, custom_wanted=world.source == "justworks" and settings.wants_custom_fields())
    mapped = map_everybody(list(people.employees), settings, world.today, has_holes=bool(people.holes))
    failure = frame_failure(mapped, settings)
    if failure is not None:
        return Expectation(status=None, frame_failure=failure, complete=people.complete)
    identities = identify(world, people, mapped, settings)
    identity = guards.identity_change(world, settings, identities)
    if identity.tripped:
        relinks_become_conflicts(identities)
    settle_employee_ids(world, identities, settings)
    draft = _Draft(world, settings, people, mapped, identities)
    _matched(draft)
    _not_matched(draft)
    _missing(draft)
    _give_up_ids(draft)
    _warn(draft)
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
        kept_references=frozenset(draft.kept_references),
        inactive_local=frozenset(draft.inactive_local),
        holes=people.holes,
        unread=unread,
        warnings=frozenset(draft.warnings),
        counts=counts,
        guards=results,
    )


# People who are matched


def _matched(draft: _Draft) -> None:
    identities, settings = draft.identities, draft.settings
    draft.protected |= {user.user_id for user in identities.kept_archived.values()}
    directory = Directory(
        draft.world, draft.people, settings, identities, {row.hris_id: row for row in draft.mapped if row.hris_id}
    )
    emails = _emails(draft)
    for hris_id, match in sorted(identities.matches.items()):
        wanted = _wanted(draft, match, directory, emails)
        user = match.user
        if user is None:
            changes = tuple(Change(name, None, value) for name, value in sorted(wanted.items()) if value is not None)
            changes = (Change("hris_id", None, hris_id), *changes)
            draft.rows.append(Row("create", hris_id, None, changes))
            continue
        changes = tuple(
            Change(name, stored(user, name), value)
            for name, value in sorted(wanted.items())
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


def _wanted(draft: _Draft, match: Match, directory: Directory, emails: Mapping[str, str | None]) -> dict[str, Value]:
    """The fields this person should have; a field left out stays."""
    row, user, settings = match.row, match.user, draft.settings
    wanted: dict[str, Value] = {}
    for name, value in row.values.items():
        if name == "email":
            wanted[name] = emails[row.hris_id]
        elif isinstance(value, Keep) or (value == "false" and user is not None and _still_manages(draft, name, user)):
            continue
        elif name == "hire_date" and user is not None:
            wanted[name] = _hire_date(draft, row, user, value)
        else:
            wanted[name] = value
    if user is None or employee_id_after(match, settings) != user.employee_id:
        wanted["employee_id"] = employee_id_after(match, settings)
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
        wanted[name] = reference.employee_id
    return wanted


def _still_manages(draft: _Draft, name: str, user: User) -> bool:
    """Whether a field that tells who is a manager stays: as is stored, somebody reports to this user of whose
    supervisor the reading tells nothing."""
    if not name.startswith("#") or _metadata_source(draft.settings, name) != "is_manager":
        return False
    return any(
        other.integration_id == draft.world.integration_id
        and other.is_active
        and other.supervisor_id == user.employee_id
        and _supervisor_is_untold(draft, other)
        for other in draft.world.users
    )


def _supervisor_is_untold(draft: _Draft, user: User) -> bool:
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


def _points_to_conflict(draft: _Draft, employee_id: Value) -> bool:
    sides = draft.identities.conflict_users()
    return any(user.employee_id == employee_id and user.user_id in sides for user in draft.world.users)


def _hire_date(draft: _Draft, row: Mapped, user: User, value: Value) -> Value:
    if draft.settings.hire_date_priority == "latest" and "latest_rehire_date" in row.employee.unread:
        return user.hire_date
    if user.hire_date is None or draft.settings.override_hire_date:
        return value
    _, rehire = hire_dates(row.employee, draft.world.today, draft.settings.import_days_before_start)
    later = isinstance(rehire, date) and value == rehire and rehire > user.hire_date
    if draft.settings.hire_date_priority == "latest" and later:
        return value
    return user.hire_date


def _wanted_email(draft: _Draft, match: Match) -> str | None:
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


def _emails(draft: _Draft) -> dict[str, str | None]:
    """Addresses by hris_id: the user who has an address keeps it, whoever else arrives with it goes without."""
    matches = draft.identities.matches
    wanted = {hris_id: _wanted_email(draft, match) for hris_id, match in sorted(matches.items())}
    hris_ids = {match.user.user_id: hris_id for hris_id, match in matches.items() if match.user is not None}
    while True:
        denied = next(
            (hris_id for hris_id in wanted if _is_taken(draft.world, matches, hris_ids, wanted, hris_id)), None
        )
        if denied is None:
            return wanted
        user = matches[denied].user
        draft.warnings.add(Warned("email_taken", denied))
        wanted[denied] = user.email if user is not None else None


def _is_taken(
    world: World,
    matches: Mapping[str, Match],
    hris_ids: Mapping[str, str],
    wanted: Mapping[str, str | None],
    hris_id: str,
) -> bool:
    address = wanted[hris_id]
    matched = matches[hris_id].user
    if address is None or (matched is not None and same(address, matched.email)):
        return False
    for user in world.users:
        if matched is not None and user.user_id == matched.user_id:
            continue
        other = hris_ids.get(user.user_id)
        if same(address, user.email) and (other is None or same(address, wanted[other])):
            return True  # that user has it and keeps it
    return any(other < hris_id and same(address, text) for other, text in wanted.items())


# People who are not


def _not_matched(draft: _Draft) -> None:
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
            _archive(draft, user, by_rule=True)
        elif row.employment == "left":
            was_unchanged = not _archive(draft, user)
            if was_unchanged and row.exclusion is None and not row.failures:
                if not user.is_active and returns(row.employee, draft.world.today):
                    draft.exclude(row.hris_id, "not_started")
                else:
                    draft.unchanged.add(row.hris_id)
        elif row.employment == "not_started" and row.exclusion is None and not row.failures:
            draft.exclude(row.hris_id, "not_started")


def _without_user(draft: _Draft, row: Mapped) -> None:
    if row.failures or row.exclusion is not None:
        return
    to_come = row.employment == "not_started" or returns(row.employee, draft.world.today)
    draft.exclude(row.hris_id, "not_started" if to_come else "inactive")
    for user in draft.world.users:
        same_id = row.employee_id is not None and user.employee_id == row.employee_id
        if user.is_local and user.is_active and (same_id or user in former_links(draft.world, row.hris_id)):
            draft.inactive_local.add(user.user_id)


def _archive(draft: _Draft, user: User, *, by_rule: bool = False) -> bool:
    """Archives, or notes why not. False: the user simply stays as is."""
    if not user.is_active:
        return False
    if not by_rule and not draft.settings.archive_employees:
        return False
    if is_kept_from_archiving(draft.world, draft.settings, user):
        draft.protected.add(user.user_id)
    elif user.user_id in draft.identities.conflict_users() or (
        not by_rule and seems_relisted(draft.world, draft.mapped, user)
    ):
        draft.awaiting.add(user.user_id)
    elif draft.people.complete:
        freed = [Change("employee_id", user.employee_id, None)] if user.user_id in draft.identities.released else []
        changes = (*freed, Change("status", "active", "archived"))
        draft.rows.append(Row("archive", user.hris_id, user.user_id, changes))
    return True


def seems_relisted(world: World, rows: Iterable[Mapped], user: User) -> bool:
    """Whether the person seems to work on under another member id, whose row is quarantined, left out by a rule, or of
    somebody who may have left.

    A person is archived, not an id. Of a quarantined row whose name or birth date is missing, what is left is compared.
    """
    return any(
        _alike(row, user)
        for row in rows
        if row.hris_id != user.hris_id
        and row.employment in ("employed", "unknown")
        and (row.failures or row.may_have_left or (row.rule is not None and not row.rule.archive_existing))
        and (not row.hris_id or linked_here(world, row.hris_id) is None)
    )


def _alike(row: Mapped, user: User) -> bool:
    employee = row.employee
    same_name = same(employee.first_name, user.first_name) and same(employee.last_name, user.last_name)
    if same(employee.email, user.email) or (same_name and employee.birth_date == user.birth_date is not None):
        return True
    if not row.failures:
        return False
    nameless = employee.first_name is None or employee.last_name is None
    same_id = (
        employee.justworks_id == user.employee_id if row.employee_id is None else row.employee_id == user.employee_id
    )
    return (same_name and employee.birth_date is None) or (nameless and same_id)


def is_kept_from_archiving(world: World, settings: Settings, user: User) -> bool:
    return (
        user.protected
        or user.is_local
        or user.employee_id in settings.do_not_archive
        or user.user_id in world.never_archive
    )


def _missing(draft: _Draft) -> None:
    matched_users = {match.user.user_id for match in draft.identities.matches.values() if match.user is not None}
    for user in draft.world.users:
        mine = user.integration_id == draft.world.integration_id
        if mine and user.hris_id in draft.people.gone and user.user_id not in matched_users:
            _archive(draft, user)


def _give_up_ids(draft: _Draft) -> None:
    """Whoever had left already gives the EmployeeId to whom a person gave it."""
    for user in draft.world.users:
        if user.user_id in draft.identities.released and not user.is_active:
            freed = Change("employee_id", user.employee_id, None)
            draft.rows.append(Row("update", user.hris_id or "", user.user_id, (freed,)))


# Warnings


def _warn_of_cycles(draft: _Draft) -> None:
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


def _warn(draft: _Draft) -> None:
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
        unread = any(source in row.employee.unread for row in draft.mapped)
        if live and len(keeps) == len(live) and not unread and any(stored(user, name) is not None for user in touched):
            draft.warnings.add(Warned("absent_for_everybody", name))


# Applying


def apply(world: World, expectation: Expectation, approved: bool = False) -> World:
    """The world after this import: unchanged when it stopped, or is held and not approved."""
    if expectation.status is None or (expectation.status == "held" and not approved):
        return world
    archives = list(world.archives)
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
