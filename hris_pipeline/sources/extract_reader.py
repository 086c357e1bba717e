"""From an archived extract back to people: its raw columns, by the wire it came over, and the member's own fields."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hris_pipeline.errors import SourceRefused
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.protocol import Company, Manifest

__all__ = [
    "MEMBER_FIELDS",
    "member_fields",
    "read_columns",
    "read_member",
]

_WIRES: Mapping[str, Callable[[Iterable[bytes], Company], dict[str, list[object]]]] = {
    "justworks": justworks_wire.columns,
    "finch": lambda lines, _: finch_wire.columns(lines),
}

MEMBER_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "justworks": {
        "hris_id": ("id",),
        "justworks_id": ("work_id",),
        "supervisor_hris_id": ("manager.id",),
        "supervisor_justworks_id": ("manager.id",),
        "first_name": ("name.given_name",),
        "last_name": ("name.family_name",),
        "preferred_first_name": ("name.preferred_name",),
        "email": ("emails",),
        "secondary_email": ("emails",),
        "phone_number": ("phones",),
        "birth_date": ("date_of_birth",),
        "hire_date": ("employment_start_date",),
        "latest_rehire_date": ("employment_history",),
        "country_code": ("current_employment", "addresses"),
        "job_title": ("job_title",),
        "department": ("department.name",),
        "employment_type": ("type",),
        "employment_subtype": ("current_employment",),
        "is_manager": ("manager.id", "active"),
        "residence_city": ("addresses",),
        "residence_state": ("addresses",),
        "residence_country": ("addresses",),
        "employment_city": ("office.id",),
        "employment_state": ("office.id",),
        "employment_country": ("office.id",),
        "custom_fields": (justworks_wire.CUSTOM_VALUES_KEY,),
        "active": ("active",),
        "termination_date": ("employment_termination_date",),
    },
    "finch": {
        "hris_id": ("id",),
        "justworks_id": ("employment.source_id",),
        "supervisor_hris_id": ("employment.manager.id", "directory.manager.id"),
        "supervisor_justworks_id": ("employment.manager.id", "directory.manager.id"),
        "first_name": ("individual.first_name",),
        "last_name": ("individual.last_name",),
        "preferred_first_name": ("individual.preferred_name",),
        "email": ("individual.emails",),
        "secondary_email": ("individual.emails",),
        "phone_number": ("individual.phone_numbers",),
        "birth_date": ("individual.dob",),
        "hire_date": ("employment.start_date",),
        "latest_rehire_date": ("employment.latest_rehire_date",),
        "country_code": ("employment.location.country", "individual.residence.country"),
        "job_title": ("employment.title",),
        "department": ("employment.department.name", "directory.department.name"),
        "employment_type": ("employment.employment.type",),
        "employment_subtype": ("employment.employment.subtype",),
        "is_manager": ("employment.manager.id", "employment.is_active"),
        "class_code": ("employment.class_code",),
        "residence_city": ("individual.residence.city",),
        "residence_state": ("individual.residence.state",),
        "residence_country": ("individual.residence.country",),
        "employment_city": ("employment.location.city",),
        "employment_state": ("employment.location.state",),
        "employment_country": ("employment.location.country",),
        "custom_fields": ("employment.custom_fields",),
        "active": ("employment.is_active", "directory.is_active"),
        "termination_date": ("employment.end_date",),
    },
}
"""By source: each employee column and the fields of an archived member that it is read from, as dotted paths."""


def read_columns(manifest: Manifest, archive: Archive) -> dict[str, list[object]]:
    """The members of an extract, one list a raw employee column, equally long; a member seen twice counts once.

    Raises:
        SourceRefused: the extract came from a source that this code does not know.
        UnknownName, FrameInvalid: the extract's lines are gone or damaged.
    """
    if manifest.source not in _WIRES:
        raise SourceRefused(
            f"Extract {manifest.extract_id} came from the unknown source {manifest.source}: "
            f"take a new one with `hris preview {manifest.integration_id}`."
        )
    return _WIRES[manifest.source](archive.lines(manifest), manifest.company)


def read_member(manifest: Manifest, archive: Archive, hris_id: str) -> dict[str, Any]:
    """One member of an extract as received, the last one when it came more than once; empty when it is not there."""
    quoted = json.dumps(hris_id, ensure_ascii=False).encode()
    found = (json.loads(line) for line in archive.lines(manifest) if quoted in line)
    own = [record for record in found if record.get("id") == hris_id]
    return own[-1] if own else {}


def member_fields(source: str, column: str, member: Mapping[str, Any]) -> dict[str, Any]:
    """Of the member's fields that an employee column is read from, those that are there: dotted path → value."""
    values = {path: _at(member, path) for path in MEMBER_FIELDS[source].get(column, ())}
    return {path: value for path, value in values.items() if value is not None}


def _at(member: Any, path: str) -> Any:
    for key in path.split("."):
        member = member.get(key) if isinstance(member, dict) else None
    return member
