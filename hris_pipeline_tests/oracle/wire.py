"""Member as the source sends it -> employee."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .countries import country
from .model import Employee, JsonObject, Spell
from .text import clean_id, key, read_date, read_end
from .wire_contacts import read_emails, read_phone
from .wire_places import (
    find_home,
    find_office,
    find_offices,
    is_address,
    read_department,
    read_place,
    unless_no_department,
)
from .wire_values import (
    OFFICE,
    RESIDENCE,
    Notes,
    as_list,
    as_object,
    date_of,
    first_text,
    holds_nothing,
    is_empty,
    read_names,
    read_text,
    scalar,
)

NOT_EMPLOYED_STATUSES = ("terminated", "retired", "deceased")
ACTIVE_STATUSES = ("active", "leave", "onboarding")


# Managers and employment


def _manager(value: object, notes: Notes) -> tuple[str | None, str | None]:
    """(hris_id of the manager, work id of the manager when no id was sent)."""
    if is_empty(value):
        return None, None
    notes.sent.add("supervisor_hris_id")
    if isinstance(value, str):
        return scalar(value, is_id=True), None
    holder = as_object(value)
    named, seen = first_text(holder, ("id", "member_id"))
    if named is not None:
        return named, None
    work_id, seen_work_id = first_text(holder, ("work_id",))
    if work_id is not None:
        return None, work_id
    if not (seen or seen_work_id):
        notes.could_not_read("supervisor_hris_id")
    return None, None


STARTS = ("start_date", "effective_date")
"""Keys of an entry of the history that tell a start; the first that holds something is the start of the spell."""


def _history(value: object, notes: Notes) -> tuple[Spell, ...]:
    """Entries of `employment_history`, in any of the spellings, newest last. An entry that holds nothing is one without
    a start, and so unreadable, beside others; a history that holds nothing at all is none."""
    if holds_nothing(value):
        return ()
    notes.sent.add("latest_rehire_date")
    entries: list[JsonObject] = []
    items = as_list(value) if isinstance(value, list | tuple) else [value]
    unreadable = False
    for item in items:
        if is_empty(item):
            continue
        holder = as_object(item)
        if any(name in holder for name in STARTS):
            entries.append(holder)
            continue
        inner = [as_object(part) for group in holder.values() for part in (as_list(group) or [group])]
        inner = [part for part in inner if any(name in part for name in STARTS)]
        if not inner:
            unreadable = True
        entries.extend(inner)
    spells = []
    for entry in entries:
        values = [entry[name] for name in STARTS if not is_empty(entry.get(name))]
        starts = [day for text in values if isinstance(text, str) and (day := read_date(text)) is not None]
        end_text = entry.get("end_date")
        end, readable = read_end(end_text) if isinstance(end_text, str) and not is_empty(end_text) else (None, True)
        unlike = len(starts) < len(values) or not (is_empty(end_text) or isinstance(end_text, str))
        if not starts or unlike or not readable:
            unreadable = True
        else:
            spells.append(Spell(starts[0], end))
            spells += [Spell(start, end, is_rehire=False) for start in starts[1:] if start > starts[0]]
    if unreadable:
        notes.could_not_read("latest_rehire_date")
    return tuple(sorted(spells, key=lambda spell: spell.start))


def _current_employment(value: object, notes: Notes) -> tuple[str | None, str | None]:
    """(country, subtype) of the first country that holds something."""
    if is_empty(value):
        return None, None
    countries = {name: as_object(inner) for name, inner in as_object(value).items() if not is_empty(inner)}
    if isinstance(value, Mapping) and not countries:
        return None, None
    for name, inner in countries.items():
        alpha_2 = country(clean_id(name))
        if alpha_2 is not None and inner:
            notes.sent.add("country_code")
            subtype, seen = first_text(inner, ("employment_type", "type"), is_id=False)
            if subtype is not None:
                notes.sent.add("employment_subtype")
            elif not seen and not set(inner) <= {"start_date", "end_date"}:
                notes.could_not_read("employment_subtype")
            return alpha_2, subtype
    notes.could_not_read("country_code", "employment_subtype")
    return None, None


# Custom fields


def custom_value(value: object) -> tuple[str | tuple[str, ...] | None, bool]:
    """The value of a custom field (text or texts) and whether it could be read."""
    if is_empty(value):
        return None, True
    if isinstance(value, bool):
        return ("true" if value else "false"), True
    if isinstance(value, float):
        return repr(value), True
    text = scalar(value)
    if text is not None:
        return text, True
    if isinstance(value, list | tuple):
        texts = []
        for item in value:
            if is_empty(item):
                continue
            inner = scalar(item) or scalar(as_object(item).get("label"))
            if inner is not None:
                texts.append(inner)
        return (tuple(texts) if texts else None), bool(texts) or all(map(is_empty, value))
    label = scalar(as_object(value).get("label"))
    return label, label is not None


def read_custom_fields(
    items: list[object], definitions: tuple[object, ...]
) -> tuple[dict[str, str | tuple[str, ...]], dict[str, str], set[str]]:
    """Partner API: values by field id, field ids by label, and ids that could not be read."""
    labels: dict[str, str] = {}
    several: dict[str, bool] = {}
    for item in definitions:
        holder = as_object(item)
        field_id = scalar(holder.get("id"), is_id=True)
        if field_id is None:
            continue
        labels[scalar(holder.get("label")) or field_id] = field_id
        several[field_id] = (scalar(holder.get("cardinality")) or "").casefold() in ("many", "multiple", "multi")
    values: dict[str, str | tuple[str, ...]] = {}
    unread: set[str] = set()
    for item in items:
        holder = as_object(item)
        field_id, _ = first_text(holder, ("id", "custom_field_id"))
        if field_id is None:
            continue
        value, readable = custom_value(holder.get("values", holder.get("value")))
        if not readable:
            unread.add(field_id)
        if value is None:
            continue
        if isinstance(value, tuple) and len(value) == 1 and not several.get(field_id, False):
            value = value[0]
        if isinstance(value, str) and several.get(field_id, False):
            value = (value,)
        values[field_id] = value
    return values, labels, unread


# The two sources


def is_service_account(title: str | None, last_name: str | None, words: Iterable[str | None]) -> bool:
    """The markers alone; no birth date and no residence is asked for by the caller."""
    if any(text is not None and key(text) == "service account" for text in (title, last_name)):
        return True
    for word in words:
        squeezed = "".join(key(word or "").split()).replace("/", "")
        if squeezed == "3rdpartyadminaccountant":
            return True
    return False


def partner_employee(member: JsonObject, company: JsonObject | None = None) -> Employee:
    """A member of the Partner API. Custom fields and what other members tell are joined later."""
    company = company or {}
    notes = Notes()
    hris_id = scalar(member.get("id"), is_id=True) or ""
    if not hris_id:
        notes.fail("hris_id", "needed")
    name = as_object(member.get("name"))
    names = {
        "first_name": read_text(name, "given_name", "first_name", notes),
        "last_name": read_text(name, "family_name", "last_name", notes),
        "preferred_first_name": read_text(name, "preferred_name", "preferred_first_name", notes),
    }
    read_names(names, notes)
    active = member.get("active")
    if not isinstance(active, bool):
        notes.fail("active", "kind")
    email, secondary = read_emails(member.get("emails"), ("email", "address", "value"), notes)
    phone = read_phone(member.get("phones"), ("number", "phone", "phone_number", "national_number", "value"), notes)
    supervisor, manager_work_id = _manager(member.get("manager"), notes)
    hire_date = date_of(member, "employment_start_date", "hire_date", notes)
    termination = date_of(member, "employment_termination_date", "termination_date", notes)
    spells = _history(member.get("employment_history"), notes)
    starts = [spell.start for spell in spells if spell.is_rehire]
    first = hire_date if hire_date is not None else min(starts, default=None)
    later = [start for start in starts if first is not None and start > first]
    employment_country, subtype = _current_employment(member.get("current_employment"), notes)
    home = find_home(member.get("addresses"), find_offices(member, company), notes)
    office = find_office(member, company, notes)
    residence = read_place(home, RESIDENCE, notes) if home is not None else dict.fromkeys(RESIDENCE)
    place = read_place(office, OFFICE, notes) if office is not None else dict.fromkeys(OFFICE)
    code = employment_country or residence["residence_country"] or place["employment_country"]
    if code is None and {"residence_country", "employment_country"} & notes.unread:
        notes.could_not_read("country_code")
    if code is not None:
        notes.unread.discard("country_code")
        notes.sent.add("country_code")
    title = read_text(member, "job_title", "job_title", notes)
    birth_date = date_of(member, "date_of_birth", "birth_date", notes)
    kind = read_text(member, "type", "employment_type", notes)
    full_name = " ".join(text for text in (names["first_name"], names["last_name"]) if text)
    marked = is_service_account(title, names["last_name"], (kind, full_name, names["first_name"], names["last_name"]))
    without_person = is_empty(member.get("date_of_birth")) and home is None and "residence_city" not in notes.unread
    return Employee(
        hris_id=hris_id,
        justworks_id=read_text(member, "work_id", "justworks_id", notes, is_id=True),
        supervisor_hris_id=supervisor,
        first_name=names["first_name"],
        last_name=names["last_name"],
        preferred_first_name=names["preferred_first_name"],
        email=email,
        secondary_email=secondary,
        phone_number=phone,
        birth_date=birth_date,
        hire_date=hire_date,
        latest_rehire_date=None if "latest_rehire_date" in notes.unread else max(later, default=None),
        country_code=code,
        job_title=title,
        department=unless_no_department(read_department(member.get("department"), company, notes)),
        employment_type=kind,
        employment_subtype=subtype,
        active=active if isinstance(active, bool) else None,
        termination_date=termination,
        spells=spells,
        manager_work_id=manager_work_id,
        unread=frozenset(notes.unread),
        sent=frozenset(notes.sent),
        failures=tuple(notes.failures),
        is_service_account=marked and without_person,
        residence_city=residence["residence_city"],
        residence_state=residence["residence_state"],
        residence_country=residence["residence_country"],
        employment_city=place["employment_city"],
        employment_state=place["employment_state"],
        employment_country=place["employment_country"],
    )


def _readable(employment: JsonObject, directory: JsonObject, name: str, inner: str) -> object:
    """The object of that name that tells something, be it the directory's."""
    for part in (employment, directory):
        if scalar(as_object(part.get(name)).get(inner)) is not None:
            return part.get(name)
    return employment.get(name)


def finch_employee(directory: JsonObject, individual: JsonObject, employment: JsonObject) -> Employee:
    """An individual of the aggregator with its employment."""
    notes = Notes()
    hris_id = scalar(directory.get("id"), is_id=True) or ""
    if not hris_id:
        notes.fail("hris_id", "needed")
    names = {
        "first_name": read_text(individual, "first_name", "first_name", notes),
        "last_name": read_text(individual, "last_name", "last_name", notes),
        "preferred_first_name": read_text(individual, "preferred_name", "preferred_first_name", notes),
    }
    read_names(names, notes)
    active, waits = finch_active(employment, directory.get("is_active"))
    if active is None:
        notes.fail("active", "kind")
    email, secondary = read_emails(individual.get("emails"), ("data",), notes)
    supervisor, _ = _manager(_readable(employment, directory, "manager", "id"), notes)
    residence_address = as_object(individual.get("residence"))
    location = as_object(employment.get("location"))
    for holder, columns in ((residence_address, RESIDENCE), (location, OFFICE)):
        if holder and not is_address(holder):
            notes.could_not_read(*columns)
    residence = read_place(residence_address, RESIDENCE, notes)
    place = read_place(location, OFFICE, notes)
    code = place["employment_country"] or residence["residence_country"]
    if code is None and {"residence_country", "employment_country"} & notes.unread:
        notes.could_not_read("country_code")
    if code is not None:
        notes.sent.add("country_code")
    kind_value = employment.get("employment")
    kind_holder = as_object(kind_value)
    kind = read_text(kind_holder, "type", "employment_type", notes)
    subtype = read_text(kind_holder, "subtype", "employment_subtype", notes)
    if not is_empty(kind_value) and not ({"type", "subtype"} & set(kind_holder)):
        notes.could_not_read("employment_type", "employment_subtype")
    custom: dict[str, str | tuple[str, ...]] = {}
    for item in as_list(employment.get("custom_fields")):
        name = scalar(as_object(item).get("name"))
        value, readable = custom_value(as_object(item).get("value"))
        if name is not None and not readable:
            notes.could_not_read(f"custom:{name}")
        if name is not None and value is not None:
            custom[name] = value
    title = read_text(employment, "title", "job_title", notes)
    full_name = " ".join(text for text in (names["first_name"], names["last_name"]) if text)
    marked = is_service_account(title, names["last_name"], (kind, full_name, names["first_name"], names["last_name"]))
    without_person = is_empty(individual.get("dob")) and is_empty(individual.get("residence"))
    start = date_of(employment, "start_date", "hire_date", notes)
    rehire = date_of(employment, "latest_rehire_date", "latest_rehire_date", notes)
    return Employee(
        hris_id=hris_id,
        justworks_id=read_text(employment, "source_id", "justworks_id", notes, is_id=True),
        supervisor_hris_id=supervisor,
        first_name=names["first_name"],
        last_name=names["last_name"],
        preferred_first_name=names["preferred_first_name"],
        email=email,
        secondary_email=secondary,
        phone_number=read_phone(individual.get("phone_numbers"), ("data",), notes),
        birth_date=date_of(individual, "dob", "birth_date", notes),
        hire_date=start,
        latest_rehire_date=rehire,
        country_code=code,
        job_title=title,
        department=read_department(_readable(employment, directory, "department", "name"), {}, notes),
        employment_type=kind,
        employment_subtype=subtype,
        class_code=read_text(employment, "class_code", "class_code", notes),
        custom_fields=custom,
        custom_labels={name: name for name in custom},
        active=active,
        termination_date=date_of(employment, "end_date", "termination_date", notes),
        waits_for_start=waits,
        unread=frozenset(notes.unread),
        sent=frozenset(notes.sent),
        failures=tuple(notes.failures),
        is_service_account=marked and without_person,
        residence_city=residence["residence_city"],
        residence_state=residence["residence_state"],
        residence_country=residence["residence_country"],
        employment_city=place["employment_city"],
        employment_state=place["employment_state"],
        employment_country=place["employment_country"],
    )


def finch_active(employment: JsonObject, listed: object = None) -> tuple[bool | None, bool]:
    """(active, waits for the start) of an employment: `is_active` read together with `employment_status`, and with
    `listed`, the flag of the directory. Answers that contradict each other make nobody's leaving certain."""
    flag = employment.get("is_active")
    said = employment.get("employment_status")
    status = key(clean_id(said)) if isinstance(said, str) else "" if is_empty(said) else "no word"
    if flag is not None and not isinstance(flag, bool):
        return None, False
    if flag is True:
        return True, False
    if status == "prehire":
        return True, True
    if status == "leave" or (flag is None and status in ACTIVE_STATUSES):
        return True, False
    if status not in ("", *NOT_EMPLOYED_STATUSES):
        return None, False
    if flag is None and status == "":
        return (listed if isinstance(listed, bool) else None), False
    return (False if listed is None or listed is False else None), False


def with_custom_fields(employee: Employee, items: list[object], definitions: tuple[object, ...]) -> Employee:
    values, labels, unread = read_custom_fields(items, definitions)
    spelled_otherwise = {f"custom:{field_id}" for field_id in unread}
    return replace(
        employee,
        custom_fields=values,
        custom_labels=labels,
        unread=employee.unread | spelled_otherwise,
        sent=employee.sent | spelled_otherwise | {f"custom:{field_id}" for field_id in values},
    )
