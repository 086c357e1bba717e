"""Asset checks: validation and guards as Dagster shows them. Counts and EmployeeIds, never values.

A check has one status an asset, that of the integration it last ran for; the store tells for each.
"""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from hris_pipeline.change_set.guards import GUARDS
from hris_pipeline.defs.metadata import failed_rows_table, ids
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.store.imports import Import
from hris_pipeline.transform.checks import check_summary
from hris_pipeline.transform.validate import TooManyBadRows

__all__ = [
    "EMPLOYEES_CHECKS",
    "GUARD_CHECKS",
    "MAPPED_USERS_CHECKS",
    "extract_unusable",
    "extract_usable",
    "guard_results",
    "rows_valid",
]

_USABLE, _VALID = "extract_usable", "rows_valid"

_VALID_SPEC = (
    "Every row passes its checks. Those that do not are quarantined, which blocks nobody else: "
    "the table names field, check and EmployeeIds."
)

EMPLOYEES_CHECKS = (
    dg.AssetCheckSpec(
        _USABLE,
        asset="employees",
        description="The extract as a whole can be used: there are rows, needed columns, and not too many bad rows.",
    ),
    dg.AssetCheckSpec(_VALID, asset="employees", description=_VALID_SPEC),
)

MAPPED_USERS_CHECKS = (dg.AssetCheckSpec(_VALID, asset="mapped_users", description=_VALID_SPEC),)

GUARD_CHECKS = tuple(
    dg.AssetCheckSpec(
        name,
        asset="change_set",
        description="A guard: when it trips, nothing of the change set is applied until a person approves it.",
    )
    for name in GUARDS
)


def extract_usable() -> dg.AssetCheckResult:
    """The frame passed as a whole."""
    return dg.AssetCheckResult(asset_key="employees", check_name=_USABLE, passed=True)


def extract_unusable(error: FrameInvalid) -> dg.AssetCheckResult:
    """The frame failed as a whole; when that is for too many bad rows, a table tells by field and check whose."""
    counts = check_summary(error.quarantined) if isinstance(error, TooManyBadRows) else []
    return dg.AssetCheckResult(
        asset_key="employees",
        check_name=_USABLE,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(error),
        metadata={"failed_rows": failed_rows_table(counts)} if counts else {},
    )


def rows_valid(asset: str, quarantined: pd.DataFrame) -> dg.AssetCheckResult:
    """Passes when no row is quarantined; otherwise tells by field and check whose rows are."""
    counts = check_summary(quarantined)
    people = quarantined["hris_id"].nunique()
    described = f"{people} people quarantined" if counts else "nobody quarantined"
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=_VALID,
        passed=not counts,
        severity=dg.AssetCheckSeverity.WARN,
        description=described,
        metadata={"quarantined": people, "failed_rows": failed_rows_table(counts)} if counts else {},
    )


def guard_results(summary: Import) -> Iterator[dg.AssetCheckResult]:
    """One result a guard: its limit, what was observed, and the EmployeeIds affected when it tripped."""
    for guard in summary.guards:
        yield dg.AssetCheckResult(
            asset_key="change_set",
            check_name=guard.name,
            passed=not guard.tripped,
            severity=dg.AssetCheckSeverity.ERROR,
            description=guard.sentence,
            metadata={
                "limit": guard.limit,
                "observed": guard.observed,
                "import_id": summary.import_id,
                **({"EmployeeIds": ids(guard.employee_ids)} if guard.employee_ids else {}),
            },
        )
