"""From an archived extract to raw columns, by the wire it came over."""

from collections.abc import Callable, Iterable, Mapping

from hris_pipeline.errors import SourceRefused
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.protocol import Company, Manifest

__all__ = ["columns_of", "member_fields"]

_WIRES: Mapping[str, Callable[[Iterable[bytes], Company], dict[str, list[object]]]] = {
    "justworks": justworks_wire.columns,
    "finch": lambda lines, _: finch_wire.columns(lines),
}

_MEMBER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "hris_id": ("id",),
    "justworks_id": ("work_id",),
    "supervisor_hris_id": ("manager",),
    "supervisor_justworks_id": ("manager",),
    "first_name": ("name",),
    "last_name": ("name",),
    "preferred_first_name": ("name",),
    "email": ("emails",),
    "secondary_email": ("emails",),
    "phone_number": ("phones",),
    "birth_date": ("date_of_birth",),
    "hire_date": ("employment_start_date",),
    "latest_rehire_date": ("employment_history",),
    "country_code": ("current_employment", "addresses"),
    "job_title": ("job_title",),
    "department": ("department",),
    "employment_type": ("type",),
    "employment_subtype": ("current_employment",),
    "residence_city": ("addresses",),
    "residence_state": ("addresses",),
    "residence_country": ("addresses",),
    "employment_city": ("office",),
    "employment_state": ("office",),
    "employment_country": ("office",),
    "custom_fields": ("custom_field_values",),
    "active": ("active",),
    "termination_date": ("employment_termination_date",),
}
"""Of a Partner API member, the keys behind each employee column; ``is_manager`` is derived from everybody's."""


def member_fields(source: str, column: str) -> tuple[str, ...]:
    """The keys of an archived member that an employee column was made from."""
    return _MEMBER_FIELDS.get(column, ()) if source == "justworks" else ("directory", "individual", "employment")


def columns_of(manifest: Manifest, archive: Archive) -> dict[str, list[object]]:
    """The members of an extract, one list a raw employee column, equally long; a member seen twice counts once.

    Raises:
        SourceRefused: the extract came from a source that this code does not know.
    """
    if manifest.source not in _WIRES:
        raise SourceRefused(f"Extract {manifest.extract_id} came from the unknown source {manifest.source}.")
    return _WIRES[manifest.source](archive.lines(manifest), manifest.company)
