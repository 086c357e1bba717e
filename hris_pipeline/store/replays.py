"""What tells that an import has ended, beside its own row: an older row of it, sealed as it was, can be put back by
whoever writes to the store. A file of its own, because it is about no single row: what a row must be stands in
``seals``."""

import sqlalchemy as sa

from hris_pipeline.store.tables import decisions, imports

__all__ = ["has_ended"]


def has_ended(connection: sa.Connection, integration_id: str, import_id: str) -> bool:
    """Whether another import took its place, or a person discarded it, as those rows tell."""
    replaced = sa.select(imports.c.import_id).where(imports.c.replaces == import_id)
    discarded = sa.select(decisions.c.decision_id).where(
        decisions.c.integration_id == integration_id,
        decisions.c.subject == import_id,
        decisions.c.action == "discard",
        decisions.c.outcome == "done",
    )
    return any(connection.execute(select.limit(1)).first() is not None for select in (replaced, discarded))
