"""What column comes from what: the member's fields, the employee columns, the user fields."""

from collections.abc import Mapping

import dagster as dg

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.settings.mapping import column_lineage

__all__ = ["MEMBER_FIELDS", "employees_lineage", "mapped_users_lineage", "member_fields"]

MEMBER_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "justworks": {
        "hris_id": ("id",),
        "justworks_id": ("work_id",),
        "supervisor_hris_id": ("manager.id",),
        "supervisor_justworks_id": ("manager.id", "work_id"),
        "first_name": ("name.given_name",),
        "last_name": ("name.family_name",),
        "preferred_first_name": ("name.preferred_name",),
        "email": ("emails[]",),
        "secondary_email": ("emails[]",),
        "phone_number": ("phones[]",),
        "birth_date": ("date_of_birth",),
        "hire_date": ("employment_start_date",),
        "latest_rehire_date": ("employment_history[]",),
        "country_code": ("current_employment", "addresses[]"),
        "job_title": ("job_title",),
        "department": ("department.name",),
        "employment_type": ("type",),
        "employment_subtype": ("current_employment",),
        "is_manager": ("manager.id", "active"),
        "residence_city": ("addresses[]",),
        "residence_state": ("addresses[]",),
        "residence_country": ("addresses[]",),
        "employment_city": ("office",),
        "employment_state": ("office",),
        "employment_country": ("office",),
        "custom_fields": ("custom-field-values[]",),
        "active": ("active",),
        "termination_date": ("employment_termination_date",),
    },
    "finch": {
        "hris_id": ("individual.id",),
        "justworks_id": ("employment.source_id",),
        "supervisor_hris_id": ("employment.manager.id",),
        "supervisor_justworks_id": ("employment.manager.id", "employment.source_id"),
        "first_name": ("individual.first_name",),
        "last_name": ("individual.last_name",),
        "preferred_first_name": ("individual.preferred_name",),
        "email": ("individual.emails[]",),
        "secondary_email": ("individual.emails[]",),
        "phone_number": ("individual.phone_numbers[]",),
        "birth_date": ("individual.dob",),
        "hire_date": ("employment.start_date",),
        "latest_rehire_date": ("employment.latest_rehire_date",),
        "country_code": ("employment.location.country", "individual.residence.country"),
        "job_title": ("employment.title",),
        "department": ("employment.department.name",),
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
        "custom_fields": ("employment.custom_fields[]",),
        "active": ("employment.is_active",),
        "termination_date": ("employment.end_date",),
    },
}
"""By source: the employee column and the member's fields that it is read from."""

_MEMBERS = dg.AssetKey("justworks_members")
_EMPLOYEES = dg.AssetKey("employees")


def member_fields(source: str) -> tuple[str, ...]:
    """Every field of a member that is read, each once, in order of name."""
    return tuple(sorted({field for fields in MEMBER_FIELDS[source].values() for field in fields}))


def employees_lineage(source: str) -> dg.TableColumnLineage:
    """Employee column → the member's fields."""
    fields = MEMBER_FIELDS[source]
    return _lineage(_MEMBERS, {column: fields[column] for column in EMPLOYEE_COLUMNS if column in fields})


def mapped_users_lineage(settings: Settings) -> dg.TableColumnLineage:
    """User field, or ``#Name`` of metadata that is not hidden → the employee columns, from the mapping in force."""
    return _lineage(_EMPLOYEES, column_lineage(settings))


def _lineage(upstream: dg.AssetKey, columns: Mapping[str, tuple[str, ...]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=upstream, column_name=source) for source in sources]
            for column, sources in columns.items()
        }
    )
