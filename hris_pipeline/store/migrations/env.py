"""Run by Alembic: migrates over the connection it is given, inside that connection's transaction."""

from alembic import context

from hris_pipeline.store.migrations import REVISION_TABLE
from hris_pipeline.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=REVISION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
