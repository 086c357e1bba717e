"""Whether a person let a held import through."""

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.operations.summary import ImportSummary
from hris_pipeline.store.tables import approvals

__all__ = ["is_approved"]


def is_approved(services: Services, summary: ImportSummary) -> bool:
    """Whether an approval of exactly this change set is in force; applying verifies it again."""
    lapses_at = sa.select(approvals.c.lapses_at).where(
        approvals.c.import_id == summary.import_id, approvals.c.digest == summary.digest
    )
    with services.store.read() as connection:
        found = connection.execute(lapses_at).scalar()
    return found is not None and found > services.now()
