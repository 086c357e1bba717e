"""Fields that a source sent and nobody could read, of whom: they are no reason to change anything. It stands alone
because rules, mapping and the employment of a person all ask it."""

from collections.abc import Collection, Mapping

import pandas as pd
import pyarrow as pa

from hris_pipeline.settings.fields import CUSTOM_PREFIX
from hris_pipeline.transform.columns import from_arrow, is_in

__all__ = ["UnreadFields"]


class UnreadFields:
    """What is unread among the rows of a frame."""

    def __init__(self, hris_ids: pd.Series, lines: pd.DataFrame) -> None:
        """
        Args:
            hris_ids: Of each row.
            lines: ``hris_id`` and employee ``column``, as ``normalise`` gives them.
        """
        self._hris_ids = hris_ids
        self._lines = lines

    def any_of(self, sources: Collection[str]) -> pd.Series:
        """Whether any of the sources (employee columns, custom fields) is unread in each row."""
        columns = {employee_column(source) for source in sources}
        return is_in(self._hris_ids, self._lines.loc[self._lines["column"].isin(columns), "hris_id"])

    def targets(self, lineage: Mapping[str, tuple[str, ...]]) -> pd.Series:
        """Of each row the targets made from a source that is unread there, as a list; null where there is none.

        Args:
            lineage: Target → the sources it is made from.
        """
        names: list[list[str] | None] = [None] * len(self._hris_ids)
        for target, sources in lineage.items() if len(self._lines) else ():
            for row in self.any_of(sources).to_numpy().nonzero()[0]:
                names[row] = [*(names[row] or ()), target]
        return from_arrow(pa.array(names, pa.list_(pa.string())), self._hris_ids.index)


def employee_column(source: str) -> str:
    """The employee column that a source stands in."""
    return "custom_fields" if source.startswith(CUSTOM_PREFIX) else source
