"""The columns that a mapping, a metadata field or a rule may name: employee columns, and custom fields by label."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import msgspec
import pandas as pd

from hris_pipeline.settings.text import clean_value
from hris_pipeline.settings.values import custom_label
from hris_pipeline.transform.columns import clean_text, text_from_source, to_arrow

__all__ = ["CompanyLike", "CustomFieldLike", "SourceColumns", "custom_labels"]


class CustomFieldLike(Protocol):
    """The definition of a custom field: the id its values are keyed by, the label people know it by."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...


class CompanyLike(Protocol):
    """A company, as far as mapping needs it."""

    @property
    def custom_fields(self) -> Sequence[CustomFieldLike]: ...


def custom_labels(company: CompanyLike) -> dict[str, str]:
    """The labels of the company's custom fields by their ids, cleaned as text is; a field whose label has nothing to
    see is called by its id."""
    return {field.id: clean_value(field.label, "free") or field.id for field in company.custom_fields}


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
