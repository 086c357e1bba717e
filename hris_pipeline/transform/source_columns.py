"""The columns that a mapping, a metadata field or a rule may name: employee columns, and custom fields by label."""

from functools import cached_property

import msgspec
import pandas as pd

from hris_pipeline.settings.mapping import CompanyLike, custom_labels
from hris_pipeline.settings.values import custom_label
from hris_pipeline.transform.columns import clean_text, text_from_source, to_arrow

__all__ = ["SourceColumns"]


class SourceColumns:
    """The column behind any source, called with its name.

    A custom field is text, several values joined with ", "; two definitions with one label are one field, the first
    that has a value counts. A label nobody defined is empty for everybody.
    """

    def __init__(self, employees: pd.DataFrame, company: CompanyLike) -> None:
        self._employees = employees
        self._labels = custom_labels(company)

    def __call__(self, source: str) -> pd.Series:
        label = custom_label(source)
        if label is None:
            return self._employees[source]
        values = self._by_label.get(label, [None] * len(self._employees))
        return clean_text(text_from_source(values)).set_axis(self._employees.index)

    @cached_property
    def _by_label(self) -> dict[str, list[object]]:
        decode = msgspec.json.Decoder(dict[str, str | list[str]]).decode
        columns: dict[str, list[object]] = {label: [None] * len(self._employees) for label in self._labels.values()}
        for row, custom_fields in enumerate(to_arrow(self._employees["custom_fields"]).to_pylist()):
            for field_id, value in decode(custom_fields).items() if custom_fields else ():
                if field_id in self._labels:
                    column = columns[self._labels[field_id]]
                    column[row] = column[row] or (value if isinstance(value, str) else ", ".join(value))
        return columns
