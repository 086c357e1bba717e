"""The store itself."""

from hris_pipeline.cli.printing import Answer, text
from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import upgrade_store

__all__ = ["upgrade"]


def upgrade() -> Answer:
    """Makes the tables, or brings older ones up to date, in one transaction; does nothing when they are. The store is
    what HRIS_STORE_URL names: `sqlite:///path/to/store.db` or `postgresql://user@host/database`.
    """
    environment = Environment.read()
    upgrade_store(environment)
    kind = "sqlite" if environment.embedded else "postgresql"
    return Answer({"store": kind, "status": "ready"}, [text(f"The store ({kind}) is ready.")])
