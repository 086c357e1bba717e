"""One reading of the source: who is in it, who is certain to be gone, whom nobody may touch."""

import gzip
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

from .mapping import employment, present_end
from .model import Answer, Employee, JsonObject, Reading, Source, World
from .text import clean_id
from .wire import finch_active, finch_employee, partner_employee, with_custom_fields
from .wire_values import as_list, as_object, is_empty, scalar


@dataclass(frozen=True)
class People:
    """What a reading tells, person by person."""

    employees: tuple[Employee, ...]  # each person once; without the holes
    holes: frozenset[str]  # hris_ids that nobody may touch
    gone: frozenset[str]  # hris_ids missing from the list and confirmed; or listed as inactive, whose details failed
    listed: frozenset[str]  # hris_ids in the list, holes among them
    complete: bool
    partial: tuple[Employee, ...] = ()  # what the list alone tells of those whose details failed

    @property
    def details_failed(self) -> bool:
        return bool(self.holes or self.partial)


# Single answers


def body_of(answer: Answer) -> object:
    """The JSON of an answer; raises ValueError when it is none."""
    headers = {name.casefold(): value.casefold() for name, value in answer.headers.items()}
    body = answer.body
    encoding = headers.get("content-encoding", "")
    try:
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "deflate":
            body = zlib.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("not the encoding it says") from error
    value: object = json.loads(body)
    return value


def verdict(source: Source, hris_id: str, answer: Answer | None) -> str:
    """What a single lookup says: `active` (the person is there), `gone` (confirmed), or `hole` (nothing certain)."""
    if answer is None:
        return "hole"
    try:
        body = body_of(answer)
    except (ValueError, RecursionError):
        return "hole"
    if source == "justworks":
        if answer.status == 404:
            return "gone" if isinstance(body, Mapping) else "hole"
        if answer.status != 200:
            return "hole"
        record = as_object(body)
        if scalar(record.get("id"), is_id=True) != hris_id:
            return "hole"
        if record.get("active") is True:
            return "active"
        return "gone" if record.get("active") is False else "hole"
    if answer.status != 200:
        return "hole"
    for item in as_list(as_object(body).get("responses")):
        response = as_object(item)
        if scalar(response.get("individual_id"), is_id=True) != hris_id:
            continue
        if response.get("code") == 404:
            words = response.get("body")
            contradicts = isinstance(words, Mapping) and (
                words.get("code", 404) != 404 or "connection" in str(words.get("finch_code", ""))
            )
            return "gone" if isinstance(words, Mapping) and not contradicts else "hole"
        if response.get("code") != 200:
            return "hole"
        employment = as_object(response.get("body"))
        named = [employment[name] for name in ("individual_id", "id") if name in employment]
        if any(scalar(value, is_id=True) != hris_id for value in named):
            return "hole"
        active, waits = finch_active(employment)
        if waits or active is None:
            return "hole"
        if active:
            return "active"
        return "gone" if employment.get("is_active") is False else "hole"
    return "hole"


# The list


def _updated_at(member: JsonObject) -> datetime | None:
    """When the record was last changed; None when it does not say so readably."""
    value = member.get("updated_at")
    text = clean_id(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    try:
        if re.fullmatch(r"[0-9]{9,16}(\.[0-9]*)?", text):
            seconds = float(text)
            moment = datetime.fromtimestamp(seconds if seconds < 1e11 else seconds / 1000, UTC)
        elif re.match("[A-Za-z]{3},", text):
            moment = parsedate_to_datetime(text)
        else:
            moment = datetime.fromisoformat(re.sub(r"\s*(utc|gmt|z)$", "+00:00", text.casefold()))
    except (ValueError, OverflowError, OSError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment if datetime.fromtimestamp(0, UTC) < moment < datetime(2200, 1, 1, tzinfo=UTC) else None


def _member_id(source: Source, member: JsonObject) -> str:
    holder = as_object(member.get("directory")) if source == "finch" else member
    return scalar(holder.get("id"), is_id=True) or ""


def _standing(employee: Employee | None, today: date) -> tuple[bool, bool, bool, bool, date]:
    """How certain a record is that the person works; less certain ones compare less."""
    if employee is None:
        return (False, False, False, False, date.min)
    starts = [spell.start for spell in employee.spells]
    starts += [day for day in (employee.hire_date, employee.latest_rehire_date) if day is not None]
    end = present_end(employee, today)
    failed = {failure.field for failure in employee.failures} | employee.unread
    if failed & {"hire_date", "latest_rehire_date", "active"}:
        end = None
    stays = employee.active is not False and (end is None or end >= today)
    started = not employee.waits_for_start and (not starts or min(starts) <= today)
    return (stays and started, stays, employee.active is not False, employee.active is True, end or date.max)


def _each_once(world: World, reading: Reading) -> list[JsonObject]:
    """A member seen twice counts once: the newest; where it is not certain which is newest, the one that says most
    certainly that the person works, else the one received last."""
    records: dict[str, list[JsonObject]] = {}
    nameless: list[JsonObject] = []
    for value in reading.members:
        if value is not None:
            member = as_object(value)
            hris_id = _member_id(world.source, member)
            (records.setdefault(hris_id, []) if hris_id else nameless).append(member)
    return [_newest(world, reading, rivals) for rivals in records.values()] + nameless


def _newest(world: World, reading: Reading, records: list[JsonObject]) -> JsonObject:
    if len(records) == 1:
        return records[0]
    moments = [moment for moment in map(_updated_at, records) if moment is not None]
    rivals = [record for record in records if _updated_at(record) in (None, max(moments, default=None))]

    def certainty(place: int) -> tuple[object, ...]:
        employee = _employee(world.source, rivals[place], reading, custom_wanted=False)
        moment = _updated_at(rivals[place]) or datetime.min.replace(tzinfo=UTC)
        return (_standing(employee, world.today), moment, place)

    return rivals[max(range(len(rivals)), key=certainty)]


def _finch_details(member: JsonObject, part: str, hris_id: str) -> JsonObject | None:
    """The body of a person's response; None when it failed, with whatever code or shape."""
    response = as_object(member.get(part))
    if response.get("code") != 200 or scalar(response.get("individual_id"), is_id=True) != hris_id:
        return None
    body = as_object(response.get("body"))
    others = [body[name] for name in ("id", "individual_id") if not is_empty(body.get(name))]
    if any(scalar(value, is_id=True) != hris_id for value in others):
        return None  # somebody else's
    return body or None


def _custom_values(hris_id: str, reading: Reading) -> list[object] | None:
    """The items of a member's custom values, or None when that call failed."""
    answer = reading.custom_values.get(hris_id)
    if answer is None or answer.status != 200:
        return None
    try:
        items = as_object(body_of(answer)).get("items")
    except (ValueError, RecursionError):
        return None
    return as_list(items) if isinstance(items, list) else None


def _listed_alone(source: Source, member: JsonObject, reading: Reading) -> Employee:
    if source != "finch":
        return partner_employee(member, reading.company)
    hris_id = _member_id(source, member)
    parts = [_finch_details(member, part, hris_id) or {} for part in ("individual", "employment")]
    return finch_employee(as_object(member.get("directory")), *parts)


def _employee(source: Source, member: JsonObject, reading: Reading, *, custom_wanted: bool) -> Employee | None:
    """None: the person's details failed."""
    hris_id = _member_id(source, member)
    if source == "finch":
        individual = _finch_details(member, "individual", hris_id)
        employment = _finch_details(member, "employment", hris_id)
        if hris_id and (individual is None or employment is None):
            return None
        return finch_employee(as_object(member.get("directory")), individual or {}, employment or {})
    employee = partner_employee(member, reading.company)
    if custom_wanted and hris_id:
        items = _custom_values(hris_id, reading)
        if items is None:
            return None
        return with_custom_fields(employee, items, reading.custom_definitions)
    return employee


def _join(employees: list[Employee]) -> tuple[Employee, ...]:
    """What only the whole extract tells: managers by work id, the managers' work ids, who is a manager."""
    joined = []
    for employee in employees:
        if employee.supervisor_hris_id is None and employee.manager_work_id is not None:
            holders = [other for other in employees if other.justworks_id == employee.manager_work_id]
            working = [other for other in holders if other.active]
            certain = working if len(working) == 1 else holders
            if len(certain) == 1:
                joined.append(replace(employee, supervisor_hris_id=certain[0].hris_id))
            else:
                joined.append(replace(employee, unread=employee.unread | {"supervisor_hris_id"}))
        else:
            joined.append(employee)
    work_ids = {employee.hris_id: employee.justworks_id for employee in joined if employee.hris_id}
    return tuple(
        replace(
            employee,
            supervisor_justworks_id=work_ids.get(employee.supervisor_hris_id or ""),
            unread=employee.unread
            | ({"supervisor_justworks_id"} if "supervisor_hris_id" in employee.unread else frozenset()),
        )
        for employee in joined
    )


def _proof_holds(source: Source, reading: Reading, shown_active: frozenset[str]) -> bool:
    """A person whom the list has just shown active must answer with that very id and active true."""
    if not shown_active:
        return False
    if reading.control is None:
        return True
    if reading.control_id is not None:
        return reading.control_id in shown_active and verdict(source, reading.control_id, reading.control) == "active"
    return any(verdict(source, hris_id, reading.control) == "active" for hris_id in shown_active)


def read(world: World, reading: Reading, *, custom_wanted: bool = False) -> People:
    """The people of a reading, and the verdict on it."""
    employees: list[Employee] = []
    partial: list[Employee] = []
    holes: set[str] = set()
    left: set[str] = set()  # listed as inactive, whatever their details
    listed: set[str] = set()
    for member in _each_once(world, reading):
        hris_id = _member_id(world.source, member)
        listed.add(hris_id)
        employee = _employee(world.source, member, reading, custom_wanted=custom_wanted)
        if employee is None:
            alone = _listed_alone(world.source, member, reading)
            partial.append(alone)
            (left if world.source == "justworks" and alone.active is False else holes).add(hris_id)
        else:
            employees.append(employee)
    missing = {
        user.hris_id
        for user in world.users
        if user.integration_id == world.integration_id and user.is_active and user.hris_id is not None
    } - listed
    complete = reading.complete
    gone: set[str] = set()
    if complete and missing:
        listed_ids = frozenset(
            employee.hris_id for employee in employees if employee.active and not employee.waits_for_start
        )
        verdicts = {hris_id: verdict(world.source, hris_id, reading.lookups.get(hris_id)) for hris_id in missing}
        if not _proof_holds(world.source, reading, listed_ids) or "active" in verdicts.values():
            complete = False
        else:
            gone = {hris_id for hris_id, said in verdicts.items() if said == "gone"}
            holes |= {hris_id for hris_id, said in verdicts.items() if said == "hole"}
    return People(
        employees=tuple(sorted(_with_managers(world, employees), key=lambda employee: employee.hris_id)),
        holes=frozenset(holes),
        gone=frozenset(gone | left) - {""},
        listed=frozenset(listed - {""}),
        complete=complete,
        partial=tuple(partial),
    )


def _with_managers(world: World, employees: list[Employee]) -> tuple[Employee, ...]:
    """is_manager: an active employee reports to this one; of a hole there is no employee."""
    joined = _join(employees)
    managers = {employee.supervisor_hris_id for employee in joined if _is_active(employee, world)}
    return tuple(
        replace(employee, is_manager=bool(employee.hris_id) and employee.hris_id in managers) for employee in joined
    )


def _is_active(employee: Employee, world: World) -> bool:
    """`active`, and not certain to be past the last day."""
    return bool(employee.active) and employment(employee, world.today) != "left"
