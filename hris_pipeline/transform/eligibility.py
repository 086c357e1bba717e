"""Who takes part in an import: who is left out and why (the rules of ``do_not_import``, the service account), from the
columns that a mapping or a rule may name, and of whom a field could not be read.

Being left out is neither being absent nor having left (that is ``employment``'s); a field that nobody could read is no
reason to change anything. How values compare is said in ``settings.values.COMPARISON``.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS
from hris_pipeline.settings.mapping import CompanyLike, custom_labels
from hris_pipeline.settings.text import clean_value, fold_case
from hris_pipeline.settings.values import Condition, Operator, Rule, custom_label
from hris_pipeline.transform.columns import (
    FLAG,
    TEXT,
    casefold_key,
    clean_text,
    from_arrow,
    is_in,
    null_as_false,
    text_from_source,
    to_arrow,
)

__all__ = [
    "SERVICE_ACCOUNT",
    "SourceColumns",
    "UnreadFields",
    "exclusion_columns",
    "match_condition",
    "match_rule",
    "match_rules",
    "matches_everybody",
]


_IDS = frozenset(
    field.name for field in EMPLOYEE_FIELDS if field.reference or field.name in ("hris_id", "justworks_id")
)

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_NUMBER = r"^[-+]?[0-9]+(\.[0-9]+)?$"

Columns = Callable[[str], pd.Series]
"""Gives the column of a source (an employee column or ``custom:Label``): text, date or flag, null where missing."""


def match_rules(rules: Sequence[Rule], columns: Columns) -> pd.Series:
    """The name of the first rule each employee matches, null for none; indexed like ``columns("hris_id")``."""
    index = columns("hris_id").index
    names: pa.Array = pa.nulls(len(index), pa.string())
    for rule in reversed(rules):
        names = pc.if_else(_rule(rule, columns), pa.scalar(rule.name), names)
    return pd.Series(names, index=index, dtype=pd.ArrowDtype(pa.string()))


def match_rule(rule: Rule, columns: Columns) -> pd.Series:
    """Whether each employee matches ``rule``; never null."""
    return pd.Series(_rule(rule, columns), index=columns("hris_id").index, dtype=pd.ArrowDtype(pa.bool_()))


def matches_everybody(rule: Rule, columns: Columns) -> bool:
    """Whether there are people, and the rule matches all of them."""
    matches = match_rule(rule, columns)
    return bool(len(matches) and matches.all())


def _rule(rule: Rule, columns: Columns) -> pa.Array:
    return _combined(rule, [match_condition(condition, columns(condition.field)) for condition in rule.conditions])


def _combined(rule: Rule, answers: Sequence[pa.Array]) -> pa.Array:
    """What the rule says when those are the answers to its conditions."""
    return functools.reduce(pc.and_ if rule.all else pc.or_, answers)


def match_condition(condition: Condition, column: pd.Series) -> pa.Array:
    """Whether each value of ``column`` answers the condition with yes; never null."""
    exact = condition.field in _IDS
    text = _comparable(pa.array(column, from_pandas=True), exact=exact)
    operands = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    values = _comparable(pa.array([_as_text(value) for value in operands], pa.string()), exact=exact)
    answer = _ANSWERS[condition.operator](text, values)
    return pc.fill_null(answer, condition.operator in ("not_equals", "not_in"))


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comparable(values: pa.Array | pa.ChunkedArray, *, exact: bool) -> pa.Array:
    """Any column as trimmed text, without letter case (``text.fold_case``) unless ``exact``; blanks are null."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    text = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    text = pc.if_else(pc.equal(text, ""), None, text)
    unusual = pc.fill_null(pc.invert(pc.string_is_ascii(text)), False)
    if pc.any(unusual).as_py():
        alike = [clean_value(value, "id") if exact else fold_case(value) for value in text.filter(unusual).to_pylist()]
        text = pc.replace_with_mask(text, unusual, pa.array(alike, pa.string()))
    return text if exact else pc.ascii_lower(text)


def _ordered(compare: Callable[[pa.Array, pa.Scalar], pa.Array]) -> Callable[[pa.Array, pa.Array], pa.Array]:
    def answer(text: pa.Array, values: pa.Array) -> pa.Array:
        if pc.match_substring_regex(values, _DATE)[0].as_py():
            return compare(_only(text, _DATE), values[0])
        return compare(pc.cast(_only(text, _NUMBER), pa.float64()), pc.cast(values, pa.float64())[0])

    return answer


def _only(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, None)


def _is_in(text: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_valid(text), pc.is_in(text, value_set=values), None)


_ANSWERS: Mapping[Operator, Callable[[pa.Array, pa.Array], pa.Array]] = {
    "equals": _is_in,
    "not_equals": lambda text, values: pc.invert(_is_in(text, values)),
    "in": _is_in,
    "not_in": lambda text, values: pc.invert(_is_in(text, values)),
    "contains": lambda text, values: pc.match_substring(text, values[0].as_py()),
    "starts_with": lambda text, values: pc.starts_with(text, values[0].as_py()),
    "ends_with": lambda text, values: pc.ends_with(text, values[0].as_py()),
    "is_empty": lambda text, _: pc.is_null(text),
    "is_not_empty": lambda text, _: pc.is_valid(text),
    "before": _ordered(pc.less),
    "after": _ordered(pc.greater),
    "at_least": _ordered(pc.greater_equal),
    "at_most": _ordered(pc.less_equal),
}
"""Each operator over comparable text and the condition's values; null where a missing value leaves it open."""


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
        self._columns = frozenset(lines["column"])

    def any_of(self, sources: Collection[str]) -> pd.Series:
        """Whether any of the sources (employee columns, custom fields) is unread in each row."""
        columns = self._columns & {employee_column(source) for source in sources}
        if not columns:
            return pd.Series(False, index=self._hris_ids.index)
        return is_in(self._hris_ids, self._lines.loc[self._lines["column"].isin(columns), "hris_id"])

    def targets(self, lineage: Mapping[str, tuple[str, ...]]) -> pd.Series:
        """Of each row the targets made from a source that is unread there, as a list; null where there is none.

        Args:
            lineage: Target → the sources it is made from.
        """
        names: list[list[str] | None] = [None] * len(self._hris_ids)
        for target, sources in lineage.items() if self._columns else ():
            for row in self.any_of(sources).to_numpy().nonzero()[0]:
                names[row] = [*(names[row] or ()), target]
        return from_arrow(pa.array(names, pa.list_(pa.string())), self._hris_ids.index)


def employee_column(source: str) -> str:
    """The employee column that a source stands in."""
    return "custom_fields" if source.startswith(CUSTOM_PREFIX) else source


SERVICE_ACCOUNT = "service_account"
"""The ``exclusion`` of the third-party Admin or Accountant that the connection adds."""

_SERVICE_ACCOUNT = r"^\s*service\s+account\s*$"

_THIRD_PARTY = r"^[\s_]*3rd[\s_-]*party[\s_-]*admin[\s_-]*[/\\\x{2044}\x{2215}]?[\s_-]*accountant[\s_]*$"

_RESIDENCE = ("residence_city", "residence_state", "residence_country")


def exclusion_columns(
    source: SourceColumns, settings: Settings, unread: UnreadFields, *, has_holes: bool
) -> pd.DataFrame:
    """``exclusion``: null, ``rule:<name>`` of the first rule that matches, or ``service_account``, which comes before
    any rule; and ``archive_existing``: whether that rule archives who is a user. Nobody is archived because of a field
    that the source sent and nobody could read, or that nobody has: neither by a rule that asks it, nor because an
    earlier rule that asks it, and archives nobody, does not match."""
    rule = match_rules(settings.do_not_import, source)
    service = _is_service_account(source, unread)
    archive_existing = pd.Series(False, index=service.index)
    spared = pd.Series(False, index=service.index)
    for entry in settings.do_not_import if any(entry.archive_existing for entry in settings.do_not_import) else ():
        lost = {field: _is_lost(field, source, unread, ~service, has_holes=has_holes) for field in _fields(entry)}
        if entry.archive_existing:
            doubtful = pd.concat(lost, axis="columns").any(axis="columns")
            archive_existing |= null_as_false(rule == entry.name) & ~doubtful & ~spared & ~service
        else:
            spared |= _may_match(entry, source, lost)
    return pd.DataFrame(
        {
            "exclusion": ("rule:" + rule).mask(service, SERVICE_ACCOUNT).astype(TEXT),
            "archive_existing": archive_existing.astype(FLAG),
        }
    )


_MADE_OF_ALL_ROWS: Mapping[str, tuple[str, ...]] = {"is_manager": ("active", "supervisor_hris_id")}


def _fields(rule: Rule) -> frozenset[str]:
    return frozenset(condition.field for condition in rule.conditions)


def _is_lost(
    field: str, source: SourceColumns, unread: UnreadFields, human: pd.Series, *, has_holes: bool
) -> pd.Series:
    """Where a field is unread; for everybody, where no human has it (consent or scope is missing, a label changed), or
    where it is made of all rows together and one of them is unread or in none."""
    origins = _MADE_OF_ALL_ROWS.get(field, ())
    missing = any(not (source(name).notna() & human).any() for name in (field, *origins))
    incomplete = bool(origins) and (has_holes or bool(unread.any_of(origins).any()))
    return unread.any_of((field,)) | missing | incomplete


def _may_match(rule: Rule, source: SourceColumns, lost: Mapping[str, pd.Series]) -> pd.Series:
    """Whom the rule would match if every condition on a field that is lost held."""
    answers = [
        pc.or_(match_condition(condition, source(condition.field)), pa.array(lost[condition.field]))
        for condition in rule.conditions
    ]
    return pd.Series(_combined(rule, answers), index=source("hris_id").index, dtype=FLAG).astype(bool)


def _is_service_account(source: SourceColumns, unread: UnreadFields) -> pd.Series:
    """Recognised by marker, and because nothing is known of it that is known of a person."""
    nameless = ("birth_date", *_RESIDENCE)
    unknown = ~unread.any_of(nameless)
    for column in nameless:
        unknown &= source(column).isna()
    title, kind, first, last = (
        source(column)[unknown] for column in ("job_title", "employment_type", "first_name", "last_name")
    )
    both = from_arrow(pc.binary_join_element_wise(to_arrow(first), to_arrow(last), " "), first.index)
    marked = _is(title, _SERVICE_ACCOUNT) | _is(last, _SERVICE_ACCOUNT)
    for text in (kind, first, last, both):
        marked |= _is(text, _THIRD_PARTY)
    return unknown & marked.reindex(unknown.index, fill_value=False)


def _is(texts: pd.Series, pattern: str) -> pd.Series:
    return null_as_false(from_arrow(pc.match_substring_regex(to_arrow(casefold_key(texts)), pattern), texts.index))
