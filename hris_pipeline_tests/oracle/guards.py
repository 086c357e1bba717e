"""Each guard as one function, straight from the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from .identity import LINK_KINDS, Identities, Match, same_email, same_name_and_birth_date
from .mapping import Mapped
from .model import Employee, GuardResult, PastArchive, Quarantined, Row, User, World
from .rules import is_unread, source_value
from .settings import Settings
from .wire_values import is_empty


@dataclass(frozen=True)
class Plan:
    """What the guards look at."""

    world: World
    settings: Settings
    complete: bool
    rows: tuple[Row, ...]  # the rows that would be applied
    matches: Mapping[str, Match]
    mapped: tuple[Mapped, ...]
    in_conflict: frozenset[str]  # hris_ids
    quarantined: tuple[Quarantined, ...]
    identity: GuardResult

    @property
    def linked_local(self) -> tuple[User, ...]:
        """Local users whom this plan links."""
        return linked_local(self.matches)

    @property
    def managed(self) -> tuple[User, ...]:
        return managed(self.world)

    @property
    def managed_active(self) -> tuple[User, ...]:
        return tuple(user for user in (*self.managed, *self.linked_local) if user.is_active)

    @property
    def updatable(self) -> tuple[User, ...]:
        """Users whose fields this plan could change: active ones, and those it restores."""
        restored = {row.user_id for row in self.rows if row.action == "restore"}
        everybody = (*self.managed, *self.linked_local)
        return tuple(user for user in everybody if user.is_active or user.user_id in restored)


def managed(world: World) -> tuple[User, ...]:
    return tuple(user for user in world.users if user.integration_id == world.integration_id)


def linked_local(matches: Mapping[str, Match]) -> tuple[User, ...]:
    return tuple(match.user for match in matches.values() if match.user is not None and match.user.is_local)


def exceeds(n: int, denominator: int, limits: Mapping[str, float]) -> bool:
    """At least `min_people`, and more than `percent` of them; never of nobody."""
    return denominator > 0 and n >= limits.get("min_people", 5) and n * 100 > limits["percent"] * denominator


def incomplete_extract(plan: Plan) -> GuardResult:
    return GuardResult(0 if plan.complete else 1, 1, not plan.complete)


def archive_limit(plan: Plan) -> GuardResult:
    """n >= 5 and p > 10 %; or n > max(100, 3 %); or n >= 2 and n >= half of them."""
    limits = plan.settings.guards["archive_limit"]
    n = sum(row.action == "archive" for row in plan.rows)
    denominator = len(plan.managed_active)
    tripped = (
        exceeds(n, denominator, limits)
        or n > max(limits.get("people", 100), 0.03 * denominator)
        or (n >= 2 and 2 * n >= denominator)
    )
    return GuardResult(n, denominator, tripped)


def counted_archives(world: World) -> tuple[PastArchive, ...]:
    """Archives of the last 7 days by imports, outside approved ones, undos, and users restored since."""
    start = world.today - timedelta(days=7)
    return tuple(
        archive
        for archive in world.archives
        if start <= archive.day <= world.today and not (archive.approved or archive.undo or archive.restored_since)
    )


def slow_bleed(plan: Plan) -> GuardResult:
    limits = plan.settings.guards["slow_bleed"]
    earlier = {archive.user_id for archive in counted_archives(plan.world)}
    now = {row.user_id for row in plan.rows if row.action == "archive"}
    denominator = len({user.user_id for user in plan.managed_active} | earlier)
    n = len(earlier | now)
    return GuardResult(n, denominator, bool(now) and exceeds(n, denominator, limits))


def create_limit(plan: Plan) -> GuardResult:
    limits = plan.settings.guards["create_limit"]
    n = sum(row.action == "create" for row in plan.rows)
    denominator = len(plan.managed) + len(plan.linked_local)
    return GuardResult(n, denominator, plan.world.import_applied and exceeds(n, denominator, limits))


def employee_id_mismatch(plan: Plan) -> GuardResult:
    """People matched by link, email, or name and birth date who would carry another EmployeeId than stored."""
    limits = plan.settings.guards["employee_id_mismatch"]
    n = denominator = 0
    for row in plan.mapped:
        if not (row.is_live or row.hris_id in plan.matches) or row.employee_id is None:
            continue
        if row.hris_id in plan.in_conflict and plan.world.import_applied:
            continue
        users = _matched_users(plan, row)
        if not users:
            continue
        denominator += 1
        if all(user.employee_id != row.employee_id and not user.protected for user in users):
            n += 1
    return GuardResult(n, denominator, exceeds(n, denominator, limits))


def _matched_users(plan: Plan, row: Mapped) -> list[User]:
    match = plan.matches.get(row.hris_id)
    if match is not None and match.user is not None:
        if match.kind in LINK_KINDS or same_email(row, match.user) or same_name_and_birth_date(row, match.user):
            return [match.user]
        return []
    if match is not None or row.hris_id not in plan.in_conflict:
        return []
    linked = [user for user in plan.managed if user.hris_id == row.hris_id]
    return (
        linked
        or [user for user in plan.world.users if same_email(row, user)]
        or [user for user in plan.world.users if same_name_and_birth_date(row, user)]
    )


def email_change_limit(plan: Plan) -> GuardResult:
    limits = plan.settings.guards["email_change_limit"]
    changes = [row.change("email") for row in plan.rows if row.action == "update"]
    n = sum(change is not None and not is_empty(change.before) for change in changes)
    denominator = len(plan.updatable)
    return GuardResult(n, denominator, exceeds(n, denominator, limits))


def identity_change(world: World, settings: Settings, identities: Identities) -> GuardResult:
    """Managed active users whom rule 3 would re-link; before the first applied import its conflicts too."""
    users = [user for user in identities.relinked if user.is_active]
    if not world.import_applied:
        users += [user for user in identities.refused_by_rule_3 if user.is_active]
    affected = {user.user_id for user in users}
    base = {user.user_id for user in managed(world) if user.is_active}
    n, denominator = len(affected), len(base | affected)
    return GuardResult(n, denominator, exceeds(n, denominator, settings.guards["identity_change"]))


def quarantine_growth(plan: Plan) -> GuardResult:
    """Managed active users who are quarantined and were not at the last applied import."""
    limits = plan.settings.guards["quarantine_growth"]
    quarantined = {entry.hris_id for entry in plan.quarantined} - plan.world.quarantined_before
    n = sum(user.is_active and user.hris_id in quarantined for user in plan.managed)
    denominator = len(plan.managed_active)
    return GuardResult(n, denominator, exceeds(n, denominator, limits))


def columns_in_use(settings: Settings) -> frozenset[str]:
    """Employee columns that a mapping, a metadata entry or a rule reads."""
    used = {source for name, source in settings.mapping.items() if name not in settings.exclude_fields}
    used |= {entry.source for entry in settings.metadata if entry.name not in settings.exclude_fields}
    for rule in settings.do_not_import:
        used |= {condition.field for condition in (*rule.all, *rule.any)}
    return frozenset(used)


def _sends(employee: Employee, column: str) -> bool:
    return column in employee.sent or is_unread(employee, column) or not is_empty(source_value(employee, column))


def unread_field(plan: Plan) -> GuardResult:
    """A field unread for more than half of those who send it; the worst field is reported."""
    limits = plan.settings.guards["unread_field"]
    worst = GuardResult(0, 0, False)
    for column in sorted(columns_in_use(plan.settings)):
        n = sum(is_unread(row.employee, column) for row in plan.mapped)
        denominator = sum(_sends(row.employee, column) for row in plan.mapped)
        result = GuardResult(n, denominator, exceeds(n, denominator, limits))
        if (result.tripped, n) > (worst.tripped, worst.observed):
            worst = result
    return worst


def field_wipe(plan: Plan) -> GuardResult:
    """One field would become empty for more than 30 % of the users who have it; the worst field is reported."""
    limits = plan.settings.guards["field_wipe"]
    fields = {change.field for row in plan.rows for change in row.changes} - {"status", "hris_id", "employee_id"}
    worst = GuardResult(0, 0, False)
    for name in sorted(fields):
        n = sum(
            row.action == "update" and change.field == name and not is_empty(change.before) and is_empty(change.after)
            for row in plan.rows
            for change in row.changes
        )
        denominator = sum(not is_empty(_stored(user, name)) for user in plan.updatable)
        result = GuardResult(n, denominator, exceeds(n, denominator, limits))
        if (result.tripped, n) > (worst.tripped, worst.observed):
            worst = result
    return worst


def _stored(user: User, name: str) -> object:
    if name.startswith("#"):
        return user.metadata.get(name[1:])
    return getattr(user, name)


def all_guards(plan: Plan) -> dict[str, GuardResult]:
    return {
        "incomplete_extract": incomplete_extract(plan),
        "archive_limit": archive_limit(plan),
        "slow_bleed": slow_bleed(plan),
        "create_limit": create_limit(plan),
        "employee_id_mismatch": employee_id_mismatch(plan),
        "email_change_limit": email_change_limit(plan),
        "identity_change": plan.identity,
        "quarantine_growth": quarantine_growth(plan),
        "unread_field": unread_field(plan),
        "field_wipe": field_wipe(plan),
    }
