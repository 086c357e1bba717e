"""Quarantined rows: what one stage could not use of one extract, with the raw value."""

from datetime import datetime
from typing import Literal

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.store.bulk import INSTANT, TEXT, read_frame, write_frame
from hris_pipeline.store.tables import quarantine

__all__ = ["quarantined", "replace_quarantine"]


def replace_quarantine(
    connection: sa.Connection,
    integration_id: str,
    extract_id: str,
    stage: Literal["employees", "mapped_users"],
    frame: pd.DataFrame,
    now: datetime,
) -> None:
    """Keeps what one stage quarantined of one extract (``QUARANTINE_COLUMNS``), in place of what it did before."""
    of_stage = sa.and_(
        quarantine.c.integration_id == integration_id,
        quarantine.c.extract_id == extract_id,
        quarantine.c.stage == stage,
    )
    connection.execute(sa.delete(quarantine).where(of_stage))
    lines = frame[list(QUARANTINE_COLUMNS)].astype(TEXT)
    constants = {"integration_id": integration_id, "extract_id": extract_id, "stage": stage}
    for name, value in constants.items():
        lines[name] = pd.Series(value, index=lines.index, dtype=TEXT)
    lines["created_at"] = pd.Series(now, index=lines.index, dtype=INSTANT)
    write_frame(connection, quarantine, lines)


def quarantined(connection: sa.Connection, integration_id: str, extract_id: str) -> pd.DataFrame:
    """What was quarantined of an extract: ``stage`` and ``QUARANTINE_COLUMNS``, in the order it was found."""
    columns = (quarantine.c[name] for name in ("stage", *QUARANTINE_COLUMNS))
    of_stage = sa.select(*columns).where(
        quarantine.c.integration_id == integration_id, quarantine.c.extract_id == extract_id
    )
    return read_frame(connection, of_stage.order_by(quarantine.c.quarantine_id))
