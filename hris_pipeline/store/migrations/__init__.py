"""The store's schema, step by step. Revisions are numbered: older and newer can be told apart without Alembic."""

from pathlib import Path

__all__ = ["HEAD", "REVISION_TABLE"]

HEAD = max(path.name[1:5] for path in Path(__file__).with_name("versions").glob("v[0-9]*.py"))
"""The revision that this code works with: the last step's."""

REVISION_TABLE = "hris_revision"
"""Where the revision is kept; not Alembic's usual name, which Dagster's own storage may use in the same database."""
