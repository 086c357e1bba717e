"""What becomes of each mapped row, and of the managed users who are in no row, as far as single rows decide it."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from hris_pipeline.change_set.directory import SLIM_COLUMNS, Directory
from hris_pipeline.change_set.identity import Identities, Resolution, match
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.columns import is_in, lookup_columns, null_as_false, text_series

__all__ = [
    "ClassifiedRows",
    "Departures",
    "PlanContext",
    "classify_rows",
    "find_departures",
]

_STORED = tuple(name for name in SLIM_COLUMNS if name not in ("user_id", "email_key"))


@dataclass(frozen=True)
class PlanContext:
    """What planning knows beside the people: which integration, the local date, and the verdict on the extract.

    ``missing`` are hris_ids confirmed gone; ``holes`` those nothing is known of, who are in no mapped row;
    ``quarantined`` the EmployeeIds (or hris_ids) of quarantined people, ``quarantined_hris_ids`` their hris_ids;
    ``recently_archived`` counts archives of the last days by imports nobody approved.
    """

    integration_id: str
    today: date
    complete: bool
    missing: frozenset[str] = frozenset()
    holes: frozenset[str] = frozenset()
    quarantined: tuple[str, ...] = ()
    quarantined_hris_ids: frozenset[str] = frozenset()
    resolutions: tuple[Resolution, ...] = ()
    recently_archived: int = 0


@dataclass(frozen=True)
class ClassifiedRows:
    """``mapped``: the rows as they came; ``rows``: with their ``user_id``, what is stored of that user (``stored_…``),
    ``employed`` and ``started``. ``outcome`` per row: ``create``, ``compare``, ``restore``, ``archive``,
    ``unchanged``, ``protected``, ``conflict`` or ``excluded:<why>``."""

    mapped: pd.DataFrame
    rows: pd.DataFrame
    outcome: pd.Series
    identities: Identities


@dataclass(frozen=True)
class Departures:
    """Managed active users who are confirmed gone: those to ``archive``, and those ``kept`` all the same because they
    are protected or in do_not_archive."""

    archive: pd.DataFrame
    kept: pd.DataFrame


def classify_rows(
    mapped: pd.DataFrame, directory: Directory, snapshot: pd.DataFrame, facts: PlanContext, settings: Settings
) -> ClassifiedRows:
    """Matches the mapped rows with users and says what becomes of each. The last day of an employment counts as
    worked."""
    imported_until = facts.today + timedelta(days=settings.import_days_before_start)
    rows = mapped.assign(
        employed=null_as_false(mapped["active"]) & ~null_as_false(mapped["termination_date"] < facts.today),
        started=~null_as_false(mapped["starts_on"] > imported_until),
    )
    identities = match(
        rows,
        directory,
        snapshot,
        integration_id=facts.integration_id,
        candidate=rows["employed"] & rows["started"] & rows["exclusion"].isna(),
        gone=_gone_ids(rows, snapshot, facts),
        resolutions=facts.resolutions,
    )
    stored = lookup_columns(identities.user_id, snapshot["user_id"], snapshot[list(_STORED)]).add_prefix("stored_")
    rows = pd.concat([rows.assign(user_id=identities.user_id), stored], axis="columns")
    return ClassifiedRows(mapped, rows, _outcomes(rows, identities, facts, settings), identities)


def find_departures(rows: pd.DataFrame, snapshot: pd.DataFrame, facts: PlanContext, settings: Settings) -> Departures:
    """The managed active users in no row whom the source confirmed to be gone; nobody when the extract is incomplete or
    nobody is to be archived for it."""
    if not (facts.complete and settings.archive_employees):
        return Departures(snapshot.iloc[:0], snapshot.iloc[:0])
    gone = snapshot[
        null_as_false(snapshot["integration_id"] == facts.integration_id)
        & null_as_false(snapshot["status"] == "active")
        & is_in(snapshot["hris_id"], facts.missing - facts.quarantined_hris_ids - facts.holes)
        & ~is_in(snapshot["user_id"], rows["user_id"])
    ]
    safe = null_as_false(gone["protected"]) | is_in(gone["employee_id"], settings.do_not_archive)
    return Departures(gone[~safe], gone[safe])


def _gone_ids(rows: pd.DataFrame, snapshot: pd.DataFrame, facts: PlanContext) -> frozenset[str]:
    """hris_ids whose people are gone for sure: confirmed missing, listed but not employed today, or archived by an
    earlier import and still not in a list that is complete."""
    gone = {*facts.missing, *rows.loc[~rows["employed"], "hris_id"]}
    if facts.complete:
        listed = {*rows["hris_id"], *facts.quarantined_hris_ids}
        archived = snapshot.loc[null_as_false(snapshot["archived_by"] == "import"), "hris_id"].dropna()
        gone.update(archived[~is_in(archived, listed)])
    return frozenset(gone - facts.holes)


def _outcomes(rows: pd.DataFrame, identities: Identities, facts: PlanContext, settings: Settings) -> pd.Series:
    """The first line of the table that fits each row."""
    user, excluded = rows["user_id"].notna(), rows["exclusion"].notna()
    employed, started = rows["employed"], rows["started"]
    archived = null_as_false(rows["stored_status"] == "archived")
    by_import = null_as_false(rows["stored_archived_by"] == "import")
    safe = null_as_false(rows["stored_protected"]) | is_in(rows["stored_employee_id"], settings.do_not_archive)
    sent_away = excluded & null_as_false(rows["archive_existing"])
    left = ~excluded & ~employed & settings.archive_employees
    leaving = user & ~archived & (sent_away | left)
    table = (
        (leaving & safe, "protected"),
        (leaving & facts.complete, "archive"),
        (leaving, "unchanged"),
        (excluded, "excluded:" + rows["exclusion"]),
        (user & ~employed, "unchanged"),
        (~employed, "excluded:inactive"),
        (~started & (~user | archived), "excluded:not_started"),
        (~user & identities.ignored, "excluded:ignored"),
        (~user & identities.in_conflict, "conflict"),
        (~user, "create"),
        (archived & ~by_import, "protected"),
        (archived, "restore"),
    )
    outcome = text_series(["compare"] * len(rows), rows.index)
    for fits, word in reversed(table):
        outcome = outcome.mask(fits, word)
    return outcome
