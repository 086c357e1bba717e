"""The oracle from what Justworks sends: members as the Partner API gives them become mapped people, in plain Python.

Written only from SEMANTICS.md and JUSTWORKS.md; shapes as the sandbox sends them (first spelling of each).
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from hris_pipeline_tests.kit.oracle import FIELDS, Expected, expect
from hris_pipeline_tests.kit.oracle_identity import Dict

SOURCES = {name: name for name in FIELDS} | {"employee_id": "justworks_id", "supervisor_id": "supervisor_hris_id"}
LIMITS = {"first_name": 100, "last_name": 50, "preferred_first_name": 100}
DATES = ("birth_date", "hire_date", "latest_rehire_date", "termination_date")
IDS = ("hris_id", "justworks_id", "supervisor_hris_id", "supervisor_justworks_id")
SERVICE_MARKERS = ("service account", "3rd party admin", "third party admin", "3rd party accountant")


def expect_members(
    members: Sequence[Mapping[str, Any]],
    company: Mapping[str, Any],
    users: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    integration: str,
    today: date,
    definitions: Sequence[Mapping[str, Any]] = (),
    custom_values: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    complete: bool = True,
    missing: Collection[str] = (),
    holes: Collection[str] = (),
    resolutions: Collection[tuple[str, str, str]] = (),
) -> Expected:
    """What an import of these members must end in; each member once, ``custom_values`` by member id."""
    people, quarantined = mapped_people(members, company, settings, definitions, custom_values or {})
    return expect(
        people,
        users,
        settings,
        integration=integration,
        today=today,
        complete=complete,
        missing=missing,
        holes=holes,
        quarantined=quarantined,
        resolutions=resolutions,
    )


def mapped_people(
    members: Sequence[Mapping[str, Any]],
    company: Mapping[str, Any],
    settings: Mapping[str, Any],
    definitions: Sequence[Mapping[str, Any]],
    custom_values: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[list[Dict], dict[str, str]]:
    """The mapped people, and the quarantined by hris_id with the id people know them by."""
    employees = [_employee(one, company, definitions, custom_values.get(one["id"], ())) for one in members]
    _derive(employees)
    bad = {one["hris_id"]: one["justworks_id"] or one["hris_id"] for one in employees if not _valid(one)}
    good = [one for one in employees if one["hris_id"] not in bad]
    people = [_mapped(one, settings) for one in good]
    known_by = Counter(person.get("employee_id") for person in people)
    for person in people if settings["employee_ids"] == "justworks" else ():
        mine = person["employee_id"]
        if (mine is None and not person["exclusion"]) or (mine is not None and known_by[mine] > 1):
            bad[person["hris_id"]] = mine or person["justworks_id"] or person["hris_id"]
    return [person for person in people if person["hris_id"] not in bad], bad


def _text(value: Any) -> str | None:
    if value is None:
        return None
    clean = re.sub(r"[\t\n\v\f\r\x85]+", " ", str(value))
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "", clean).strip() or None


def _employee(
    member: Mapping[str, Any],
    company: Mapping[str, Any],
    definitions: Sequence[Mapping[str, Any]],
    values: Sequence[Mapping[str, Any]],
) -> Dict:
    name = member.get("name", {})
    emails = {one["type"]: one["email"] for one in reversed(member["emails"])}
    phones = {one["type"]: one["number"] for one in reversed(member["phones"])}
    home: Dict = next((one for one in member["addresses"] if one["type"] == "home"), {})
    offices = {one["id"]: one["address"] for one in company["offices"]}
    office: Dict = offices.get(member.get("office", {}).get("id"), {})
    employment: dict[str, Dict] = member.get("current_employment", {})
    country = next(iter(employment), home.get("country"))
    starts = sorted(one["start_date"] for one in member["employment_history"] if one.get("start_date"))
    first = member.get("employment_start_date") or (starts[0] if starts else None)
    raw = {
        "hris_id": member["id"],
        "justworks_id": member.get("work_id"),
        "supervisor_hris_id": member.get("manager", {}).get("id"),
        "first_name": name.get("given_name"),
        "last_name": name.get("family_name"),
        "preferred_first_name": name.get("preferred_name"),
        "email": emails.get("work") or emails.get("personal"),
        "secondary_email": emails.get("personal") if "work" in emails else None,
        "phone_number": phones.get("mobile") or phones.get("work") or next(iter(reversed(phones.values())), None),
        "birth_date": member.get("date_of_birth"),
        "hire_date": member.get("employment_start_date"),
        "latest_rehire_date": starts[-1] if starts and first and starts[-1] > first else None,
        "country_code": country.upper() if country else None,
        "job_title": member.get("job_title"),
        "department": member.get("department", {}).get("name"),
        "employment_type": "contractor" if "contractor" in member.get("type", "") else member.get("type"),
        "employment_subtype": next(iter(employment.values()), {}).get("employment_type"),
        "class_code": None,
        "termination_date": member.get("employment_termination_date"),
    }
    raw |= {f"residence_{part}": home.get(part) for part in ("city", "state", "country")}
    raw |= {f"employment_{part}": office.get(part) for part in ("city", "state", "country")}
    filled = {one["id"]: ", ".join(one["values"]) for one in values}
    raw |= {f"custom:{one['label']}": filled.get(one["id"]) for one in definitions}
    return {key: _text(value) for key, value in raw.items()} | {"active": member["active"]}


def _derive(employees: list[Dict]) -> None:
    work_id = {one["hris_id"]: one["justworks_id"] for one in employees}
    managers = {one["supervisor_hris_id"] for one in employees if one["active"]}
    for one in employees:
        one["supervisor_justworks_id"] = work_id.get(one["supervisor_hris_id"])
        one["is_manager"] = "true" if one["hris_id"] in managers else "false"


def _valid(employee: Dict) -> bool:
    return (
        all(employee[name] for name in ("hris_id", "first_name", "last_name"))
        and all(len(employee[name] or "") <= limit for name, limit in LIMITS.items())
        and all(_is_date(employee[name]) for name in DATES)
        and all(re.fullmatch(r"[^@\s]+@[^@\s]+", employee[name] or "a@b") for name in ("email", "secondary_email"))
        and re.fullmatch("[A-Z]{2}", employee["country_code"] or "US") is not None
    )


def _is_date(value: str | None) -> bool:
    try:
        return value is None or 1900 <= date.fromisoformat(value).year <= 2100
    except ValueError:
        return False


def _mapped(employee: Dict, settings: Mapping[str, Any]) -> Dict:
    mapping = SOURCES | settings["mapping"]
    fields = {name: employee.get(mapping[name]) for name in FIELDS if name not in settings["exclude_fields"]}
    if settings["employee_ids"] == "generated":
        del fields["employee_id"]
    if settings["add_plus_to_phone_numbers"] and re.match(r"\(?\d[\d\s().\-/]*$", fields.get("phone_number") or ""):
        fields["phone_number"] = f"+{fields['phone_number']}"
    rehired = employee["latest_rehire_date"]
    if settings["hire_date_priority"] == "latest" and "hire_date" in fields:
        fields["hire_date"] = rehired or fields["hire_date"]
    for entry in settings["metadata"]:
        if entry["name"] not in settings["exclude_fields"]:
            fields[f"#{entry['name']}"] = employee.get(entry["source"])
    rule = next((one for one in settings["do_not_import"] if _matches(one, employee)), None)
    exclusion = f"rule:{rule['name']}" if rule else None
    return fields | {
        "hris_id": employee["hris_id"],
        "justworks_id": employee["justworks_id"],
        "active": employee["active"],
        "termination_date": employee["termination_date"],
        "starts_on": max((day for day in (employee["hire_date"], rehired) if day), default=None),
        "rehired_on": rehired,
        "exclusion": "service_account" if _service_account(employee) else exclusion,
        "archive_existing": bool(rule and rule["archive_existing"] and not _service_account(employee)),
    }


def _service_account(employee: Dict) -> bool:
    named = f"{employee['first_name']} {employee['last_name']}".lower()
    marked = any(
        marker in text for marker in SERVICE_MARKERS for text in (named, (employee["job_title"] or "").lower())
    )
    known = [employee[name] for name in ("birth_date", "residence_city", "residence_state", "residence_country")]
    return marked and not any(known)


def _matches(rule: Mapping[str, Any], employee: Dict) -> bool:
    answers = [_holds(condition, employee) for condition in rule["all"] or rule["any"]]
    return all(answers) if rule["all"] else any(answers)


def _holds(condition: Mapping[str, Any], employee: Dict) -> bool:
    value, operator, field = employee.get(condition["field"]), condition["operator"], condition["field"]

    def key(given: Any) -> str:
        text = str(given).lower() if isinstance(given, bool) else str(given)
        return text.strip() if field in IDS else text.strip().lower()

    wanted = condition["value"]
    listed = [key(one) for one in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    if value is None:
        return operator in ("is_empty", "not_equals", "not_in")
    mine, first = key(value), listed[0]
    compared: tuple[Any, Any] = (mine, first)
    if operator in ("at_least", "at_most") and not re.fullmatch(r"\d{4}-\d\d-\d\d", first):
        if not re.fullmatch(r"[-+]?\d+(\.\d+)?", mine):
            return False
        compared = (float(mine), float(first))
    answers: dict[str, bool] = {
        "is_empty": False,
        "is_not_empty": True,
        "equals": mine in listed,
        "in": mine in listed,
        "not_equals": mine not in listed,
        "not_in": mine not in listed,
        "contains": first in mine,
        "starts_with": mine.startswith(first),
        "ends_with": mine.endswith(first),
        "before": compared[0] < compared[1],
        "after": compared[0] > compared[1],
        "at_least": compared[0] >= compared[1],
        "at_most": compared[0] <= compared[1],
    }
    return answers[operator]
