"""The store's schema, step by step. Revisions are numbered: older and newer can be told apart without Alembic."""

__all__ = ["HEAD", "REVISION_TABLE"]

HEAD = "0002"
"""The revision that this code works with."""

REVISION_TABLE = "hris_revision"
"""Where the revision is kept; not Alembic's usual name, which Dagster's own storage may use in the same database."""
