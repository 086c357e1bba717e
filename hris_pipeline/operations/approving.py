"""Letting one held change set through: by its digest, with a name and a reason."""

import sqlalchemy as sa

from hris_pipeline.errors import ImportStale, UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.summary import ImportSummary, read_summary
from hris_pipeline.store import beside
from hris_pipeline.store.tables import approvals

__all__ = ["approve_import", "is_approved"]


def approve_import(services: Services, import_id: str, digest: str, by: str, reason: str) -> ImportSummary:
    """Records that ``by`` lets exactly this change set through; it covers nothing else and lapses after 7 days.

    Raises:
        UnknownName: no import of that id.
        UsageError: the digest is not this import's, no name or reason is given, or nothing holds it.
        ImportStale: the import is not open any more.
    """
    found = read_summary(services, import_id)
    if not by.strip() or not reason.strip():
        raise UsageError("An approval needs a name and a reason: give --by and --reason.")
    if found.digest != digest.strip():
        raise UsageError(
            f"The digest is not that of import {import_id}: `hris show {import_id}` shows what it is and its digest."
        )
    if found.status == "planned":
        raise UsageError(f"Import {import_id} is not held: `hris save {found.integration} {import_id}` applies it.")
    if found.status != "held":
        raise ImportStale(
            f"Import {import_id} is {found.status}: preview again with `hris preview {found.integration}`."
        )
    with services.store.begin() as connection:
        beside.approve(connection, import_id, found.digest, by.strip(), reason.strip(), services.now())
    return read_summary(services, import_id)


def is_approved(services: Services, summary: ImportSummary) -> bool:
    """Whether an approval of exactly this change set is in force; applying verifies it again."""
    own = sa.and_(approvals.c.import_id == summary.import_id, approvals.c.digest == summary.digest)
    with services.store.read() as connection:
        lapses_at = connection.execute(sa.select(approvals.c.lapses_at).where(own)).scalar()
    return lapses_at is not None and lapses_at > services.now()
