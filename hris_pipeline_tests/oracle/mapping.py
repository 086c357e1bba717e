"""Employees -> what the users should be: employment, rules, mapping, quarantine. Identity comes later."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import phonenumbers

from .countries import country
from .model import Employee, Employment, Failure, Value
from .rules import holds, is_blank, is_unread, rule_matches, source_value
from .settings import Condition, MetadataEntry, Rule, Settings
from .text import clean_id, read_date
from .wire_values import NAME_LIMITS

DATE_FIELDS = ("birth_date", "hire_date", "latest_rehire_date")


class Keep:
    """The stored value stays, whatever it is."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP = Keep()
Wanted = Value | Keep


@dataclass(frozen=True)
class Mapped:
    """One member, looked at alone."""

    employee: Employee
    employment: Employment
    failures: tuple[Failure, ...] = ()  # not empty: quarantined
    exclusion: str | None = None
    rule: Rule | None = None  # the rule that leaves the person out
    employee_id: str | None = None  # mapped; None when blank, or when the store gives them
    values: Mapping[str, Wanted] = field(default_factory=dict)  # user field or #Name -> value, supervisors apart
    supervisors: Mapping[str, str | Keep | None] = field(default_factory=dict)  # field -> source value naming one

    @property
    def hris_id(self) -> str:
        return self.employee.hris_id

    @property
    def may_have_left(self) -> bool:
        """Nobody can tell whether the person works: nothing of the row's employment may be acted on."""
        return self.employment == "unknown" and not self.failures and self.exclusion is None

    @property
    def is_live(self) -> bool:
        """Goes through the matching and can change a user's fields."""
        return self.employment == "employed" and not self.failures and self.exclusion is None


# Employment


def employment(employee: Employee, today: date, days_before_start: int = 0) -> Employment:
    """Employed = active, started, not past the termination date. A hire takes effect some days earlier when set so."""
    if employee.active is None:
        return "unknown"
    if not employee.active:
        return "left"
    if any(failure.field in ("termination_date", "hire_date", "latest_rehire_date") for failure in employee.failures):
        return "unknown"
    if employee.waits_for_start:
        return "not_started"
    starts = _starts(employee)
    past = [start for start in starts if start <= today]
    future = [start for start in starts if start > today]
    soon = any(start <= today + timedelta(days=days_before_start) for start in future)
    if starts and not past:
        return "employed" if soon else "not_started"
    present = max(past, default=None)
    end = present_end(employee, today)
    if end is not None and end < today:
        if soon:
            return "employed"
        if not employee.spells and employee.latest_rehire_date in future:
            return "not_started"  # a spell between the two may run, and this source tells of none
        return "unknown" if {"hire_date", "latest_rehire_date"} & employee.unread else "left"
    if "termination_date" in employee.unread:
        return "employed" if soon else "unknown"
    if future:
        ends = [spell.end for spell in employee.spells if spell.start == present]
        if ends and all(day is not None and day < today for day in ends):
            return "employed" if soon else "not_started"
    return "employed"


def present_end(employee: Employee, today: date) -> date | None:
    """The termination date, unless it belongs to a spell before the latest that has begun: it lies before that start,
    or on the very day of a re-hire (as long as nothing says that the person left again that day); or it is told as the
    end of one spell while another that began later runs."""
    end, starts = employee.termination_date, _starts(employee)
    begun_spells = [spell for spell in employee.spells if spell.start <= today]
    ended = {spell.start for spell in begun_spells if end is not None and spell.end == end}
    running = {spell.start for spell in begun_spells if spell.end is None or (spell.end >= today and spell.end != end)}
    if any(start < other for start in ended for other in running):
        return None
    begun = [start for start in starts if start <= today] or starts
    if end is None or not begun or end > max(begun):
        return end
    present = max(begun)
    ends = [spell.end for spell in employee.spells if spell.start == present]
    left_again = bool(ends) and all(day is not None and day < today for day in ends)
    return end if end == present and (present == starts[0] or left_again) else None


def present_spell_runs(employee: Employee, today: date) -> bool:
    return employment(employee, today, 0) == "employed"


def returns(employee: Employee, today: date) -> bool:
    """Whether somebody who left is to come back: a start is announced, and the source calls them active."""
    return employee.active is True and any(start > today for start in _starts(employee))


def _starts(employee: Employee) -> list[date]:
    starts = {spell.start for spell in employee.spells}
    starts |= {day for day in (employee.hire_date, employee.latest_rehire_date) if day is not None}
    return sorted(starts)


def hire_dates(employee: Employee, today: date, days_before_start: int) -> tuple[date | None, Value | Keep]:
    """(hire date, latest re-hire date) as of today: a start in the future moves neither before its day."""
    days = 0 if present_spell_runs(employee, today) else days_before_start
    horizon = today + timedelta(days=days)
    past = [start for start in _starts(employee) if start <= horizon]
    hire: date | None = employee.hire_date
    if hire is not None and hire > horizon and past:
        hire = past[0]
    rehire: Value | Keep = employee.latest_rehire_date
    if employee.latest_rehire_date is not None and employee.latest_rehire_date > horizon:
        earlier = [start for start in past if hire is not None and start > hire]
        rehire = earlier[-1] if earlier else KEEP
    return hire, rehire


# Phones


def _parsed(number: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None


def is_international(number: str) -> bool:
    parsed = _parsed(number, None) if number.startswith("+") else None
    return parsed is not None and phonenumbers.is_valid_number(parsed)


def phone(number: str, settings: Settings) -> str:
    """National numbers first, then the plus."""
    if settings.default_calling_country is not None and not number.startswith("+"):
        parsed = _parsed(number, settings.default_calling_country)
        if parsed is not None and phonenumbers.is_valid_number(parsed):
            number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if settings.add_plus_to_phone_numbers and not number.startswith("+") and any(map(str.isdigit, number)):
        number = "+" + number
    return number


# One member


def absent_for_everybody(employees: list[Employee], source: str) -> bool:
    """Nobody has a value that could be read, and not everybody sent something else."""
    everybody_unread = bool(employees) and all(is_unread(employee, source) for employee in employees)
    return not everybody_unread and all(is_blank(source_value(employee, source)) for employee in employees)


def _user_value(name: str, value: Value, failures: list[Failure]) -> Value:
    """A mapped value made fit for its user field; a value of the wrong kind is noted."""
    if is_blank(value):
        return None
    if name in DATE_FIELDS:
        day = value if isinstance(value, date) else read_date(value) if isinstance(value, str) else None
        if day is None:
            failures.append(Failure(name, "kind"))
        return day
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        failures.append(Failure(name, "kind"))
        return None
    if name in ("email", "secondary_email"):
        value = clean_id(value)
        if "@" not in value:
            failures.append(Failure(name, "kind"))
    if name == "country_code":
        alpha_2 = country(value)
        if alpha_2 is None:
            failures.append(Failure(name, "kind"))
        return alpha_2
    if name in NAME_LIMITS and len(value) > NAME_LIMITS[name]:
        failures.append(Failure(name, "length"))
    return value


def _metadata_value(value: Value) -> Value:
    """As text: a truth value as `true` or `false`, several texts with a comma between them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return ", ".join(value) or None
    return None if is_blank(value) else value


def uncertain_for_everybody(employees: list[Employee], source: str) -> bool:
    """What no person has (the service account is none); who is a manager, while somebody's manager cannot be told."""
    people = [employee for employee in employees if not employee.is_service_account]
    if all(is_blank(source_value(employee, source)) for employee in people):
        return True
    if source != "is_manager":
        return False
    origins = ("active", "supervisor_hris_id")
    unread = any(is_unread(employee, origin) for employee in employees for origin in origins)
    return unread or any(uncertain_for_everybody(employees, origin) for origin in origins)


def names_a_former_member(employees: list[Employee], today: date) -> bool:
    """Somebody who works names a manager by an id of nobody who works: whose it was, the reading does not tell."""
    working = [employee for employee in employees if employee.active and employment(employee, today) != "left"]
    named = {employee.supervisor_hris_id for employee in working if employee.supervisor_hris_id}
    return not named <= {employee.hris_id for employee in working}


def _certain(rule: Rule, earlier: tuple[Rule, ...], employee: Employee, uncertain: frozenset[str]) -> Rule:
    """The rule as it counts for this member: it archives nobody because of what is not known, be it asked by the rule
    itself or by an earlier one that would have kept the person."""

    def is_lost(condition: Condition) -> bool:
        return condition.field in uncertain or is_unread(employee, condition.field)

    def may_match(exception: Rule) -> bool:
        combine, conditions = (all, exception.all) if exception.all else (any, exception.any)
        return combine(is_lost(condition) or holds(condition, employee) for condition in conditions)

    doubtful = any(is_lost(condition) for condition in (*rule.all, *rule.any))
    kept = any(not exception.archive_existing and may_match(exception) for exception in earlier)
    return replace(rule, archive_existing=False) if doubtful or kept else rule


def map_member(
    employee: Employee, settings: Settings, today: date, absent: frozenset[str], uncertain: frozenset[str]
) -> Mapped:
    """One member through validation, rules and mapping. Shared EmployeeIds are looked at afterwards."""
    mapped = Mapped(
        employee=employee,
        employment=employment(employee, today, settings.import_days_before_start),
    )
    employee_id = None if settings.generated_ids else _employee_id(employee, settings)
    mapped = replace(mapped, employee_id=employee_id)
    if employee.is_service_account:
        return replace(mapped, exclusion="service_account")
    if employee.failures:
        return replace(mapped, failures=employee.failures)
    for place, rule in enumerate(settings.do_not_import):
        if rule_matches(rule, employee):
            certain = _certain(rule, settings.do_not_import[:place], employee, uncertain)
            return replace(mapped, exclusion=f"rule:{rule.name}", rule=certain)
    failures: list[Failure] = []
    values: dict[str, Wanted] = {}
    supervisors: dict[str, str | Keep | None] = {}
    hire, rehire = hire_dates(employee, today, settings.import_days_before_start)
    for name, source in settings.mapping.items():
        if name in settings.exclude_fields or name == "employee_id":
            continue
        keeps = is_unread(employee, source) or source in absent
        if name == "supervisor_id":
            named = source_value(employee, source)
            if not is_blank(named) and not isinstance(named, str):
                failures.append(Failure(name, "kind"))
            supervisors[name] = KEEP if keeps else named if isinstance(named, str) and named else None
            continue
        value: Wanted = source_value(employee, source)
        if source == "hire_date":
            value = hire
        elif source == "latest_rehire_date":
            value = rehire
        if name == "hire_date" and settings.hire_date_priority == "latest" and isinstance(rehire, date):
            value, keeps = rehire, False
        if keeps or isinstance(value, Keep):
            values[name] = KEEP
            continue
        fit = _user_value(name, value, failures)
        if name == "phone_number" and isinstance(fit, str):
            fit = phone(fit, settings)
        if name in ("first_name", "last_name") and fit is None:
            failures.append(Failure(name, "needed"))
        values[name] = fit
    for entry in settings.metadata:
        if entry.name not in settings.exclude_fields:
            _map_metadata(entry, employee, absent, values, supervisors)
    if not settings.generated_ids:
        raw = source_value(employee, settings.mapping["employee_id"])
        if is_unread(employee, settings.mapping["employee_id"]) or not (is_blank(raw) or isinstance(raw, str)):
            failures.append(Failure("employee_id", "kind"))
        elif employee_id is None:
            failures.append(Failure("employee_id", "blank"))
    return replace(mapped, failures=tuple(failures), values=values, supervisors=supervisors)


def _map_metadata(
    entry: MetadataEntry,
    employee: Employee,
    absent: frozenset[str],
    values: dict[str, Wanted],
    supervisors: dict[str, str | Keep | None],
) -> None:
    name = f"#{entry.name}"
    keeps = is_unread(employee, entry.source) or entry.source in absent
    value = source_value(employee, entry.source)
    if entry.type == "associated":
        supervisors[name] = KEEP if keeps else value if isinstance(value, str) and value else None
    else:
        values[name] = KEEP if keeps else _metadata_value(value)


def _employee_id(employee: Employee, settings: Settings) -> str | None:
    value = source_value(employee, settings.mapping["employee_id"])
    return clean_id(value) or None if isinstance(value, str) else None


def map_everybody(
    employees: list[Employee], settings: Settings, today: date, *, has_holes: bool = False
) -> list[Mapped]:
    """Every member, and then the employed rows that share one EmployeeId."""
    sources = {*settings.mapping.values(), *(entry.source for entry in settings.metadata)}
    absent = frozenset(source for source in sources if absent_for_everybody(employees, source))
    conditions = (condition for rule in settings.do_not_import for condition in (*rule.all, *rule.any))
    asked = {condition.field for condition in conditions}
    uncertain = frozenset(
        source
        for source in asked
        if uncertain_for_everybody(employees, source)
        or (source == "is_manager" and (has_holes or names_a_former_member(employees, today)))
    )
    rows = [map_member(employee, settings, today, absent, uncertain) for employee in employees]
    holders: dict[str, int] = {}
    for row in rows:
        if _holds_id(row) and row.employee_id is not None:
            holders[row.employee_id] = holders.get(row.employee_id, 0) + 1
    return [
        replace(row, failures=(*row.failures, Failure("employee_id", "shared")), exclusion=None, rule=None)
        if _holds_id(row) and row.employee_id is not None and holders[row.employee_id] > 1
        else row
        for row in rows
    ]


def map_partial(employees: Iterable[Employee], settings: Settings, today: date) -> list[Mapped]:
    """What is known of people whose details failed: nothing of it is imported."""
    failed = (Failure("details", "failed"),)
    return [
        Mapped(
            employee,
            employment(employee, today, settings.import_days_before_start),
            failed,
            employee_id=None if settings.generated_ids else _employee_id(employee, settings),
        )
        for employee in employees
    ]


def _holds_id(row: Mapped) -> bool:
    return row.employment in ("employed", "unknown") and row.exclusion != "service_account"


def frame_failure(rows: list[Mapped], settings: Settings) -> str | None:
    """What stops the run."""
    people = [row for row in rows if not row.employee.is_service_account]
    if not rows:
        return "no_rows"
    for column in ("hris_id", "first_name", "last_name"):
        if people and all(is_blank(getattr(row.employee, column)) for row in people):
            return f"missing:{column}"
    if all(row.employee.active is None for row in rows):
        return "missing:active"
    if people and not settings.generated_ids and all(row.employee_id is None for row in people):
        return "missing:employee_id"
    employed = [row for row in people if row.employment in ("employed", "unknown")]
    failing = [row for row in employed if row.failures]
    if len(failing) >= 5 and len(failing) * 100 > 20 * len(employed):
        return "too_many_failures"
    return None
