"""What column comes from what: the member's fields, the employee columns, the user fields."""

from collections.abc import Mapping

import dagster as dg

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.settings.mapping import column_lineage
from hris_pipeline.sources.extract_reader import MEMBER_FIELDS

__all__ = ["employees_lineage", "fields_read", "mapped_users_lineage"]

_MEMBERS = dg.AssetKey("justworks_members")
_EMPLOYEES = dg.AssetKey("employees")


def fields_read(source: str) -> tuple[str, ...]:
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
