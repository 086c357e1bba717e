"""Who takes part in an import: who is employed when (the spell that runs today, among all that the source tells of),
who is left out and why (the rules of ``do_not_import``, the service account), from the columns that a mapping or a
rule may name, and of whom a field could not be read.

Being left out is neither being absent nor having left; a field that nobody could read is no reason to change
anything. What an import makes of it, days early for instance, is decided in ``change_set``. How values compare is
said in ``settings.values.COMPARISON``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

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
    lookup,
    null_as_false,
    text_from_source,
    to_arrow,
)

__all__ = [
    "SERVICE_ACCOUNT",
    "SourceColumns",
    "UnreadFields",
    "employment_columns",
    "exclusion_columns",
    "has_left",
    "is_employed",
    "is_manager",
    "match_condition",
    "match_rule",
    "match_rules",
    "matches_everybody",
]


def employment_columns(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> pd.DataFrame:
    """What planning asks of each employee's spells, of any number of them.

    ``active``; ``termination_date``, null when it belongs to a spell before one that has begun by ``today``;
    ``starts_on``, the earliest start known (null: the person counts as started); ``present_start``, the latest start
    that has come, null where nobody can say that its spell runs and another is to come; ``next_start``, the first start
    that is still to come; ``rehired_on``, the latest re-hire that has come.

    Args:
        employees: the employee columns.
        spells: further spells, as ``normalise`` gives them; hire, latest re-hire and termination tell of some without.
        today: the local date.
    """
    hired, rehired, ended = (to_arrow(employees[name]) for name in ("hire_date", "latest_rehire_date", _END))
    come, ahead = spells[spells["start"] <= today], spells[spells["start"] > today]
    hire_ahead, rehire_ahead = _is_true(pc.greater(hired, today)), _is_true(pc.greater(rehired, today))
    rehire_alone = pc.and_(rehire_ahead, pc.is_null(hired))
    begun = _latest(_without(hired, hire_ahead), _without(rehired, rehire_ahead), _last_start(employees, come))
    coming = _earliest(
        _without(hired, pc.invert(hire_ahead)),
        _without(rehired, pc.invert(rehire_ahead)),
        _first_start(employees, ahead),
    )
    first = _earliest(hired, _without(rehired, rehire_alone), _first_start(employees, spells))
    earlier = _without(begun, pc.invert(_is_true(pc.greater(begun, first))))
    untold = _is_untold(employees, spells, today, rehire_ahead)
    between = pc.or_(untold, pc.and_(_has_ended(employees, begun, come, today), pc.is_valid(coming)))
    unbegun = pc.and_(pc.is_null(begun), _is_true(pc.greater(first, today)))
    earlier_end = pc.or_(_is_true(pc.less(ended, begun)), pc.and_(unbegun, _is_true(pc.less(ended, first))))
    columns = {
        "active": to_arrow(employees["active"]).cast(pa.bool_()),
        "termination_date": _without(ended, pc.or_(earlier_end, untold)),
        "starts_on": first,
        "present_start": _without(begun, between),
        "next_start": coming,
        "rehired_on": pc.if_else(rehire_ahead, earlier, rehired),
    }
    return pd.DataFrame({name: from_arrow(column, employees.index) for name, column in columns.items()})


def is_employed(employment: pd.DataFrame, today: date) -> pd.Series:
    """Who is employed on the local date, as plain booleans: active, started, and not past the termination date of the
    present spell, whose day counts as worked. Who is not known to be inactive counts as active.

    Args:
        employment: the ``employment_columns`` of that day.
        today: the local date.
    """
    to_come = employment["starts_on"].notna() & employment["present_start"].isna()
    return ~to_come & ~has_left(employment, today)


def has_left(employment: pd.DataFrame, today: date) -> pd.Series:
    """Who is known to be inactive, or is past the termination date of the present spell, as plain booleans; ``Args`` as
    of ``is_employed``."""
    inactive = ~employment["active"].fillna(True).astype(bool)
    return inactive | null_as_false(employment["termination_date"] < today)


def is_manager(employees: pd.DataFrame, employment: pd.DataFrame, today: date) -> pd.Series:
    """Whether somebody active, and not past the last day, reports to each of the employees."""
    working = null_as_false(employees["active"]) & ~has_left(employment, today)
    supervisors = employees.loc[working, "supervisor_hris_id"].dropna()
    return is_in(employees["hris_id"], supervisors).astype(FLAG)


_END = "termination_date"


def _is_true(mask: Any) -> Any:
    return pc.fill_null(mask, False)


def _without(days: Any, where: Any) -> Any:
    """The dates, null where the mask holds."""
    return pc.if_else(where, None, days)


def _latest(*starts: Any) -> Any:
    return pc.max_element_wise(*starts).cast(pa.date32())


def _earliest(*starts: Any) -> Any:
    return pc.min_element_wise(*starts).cast(pa.date32())


def _first_start(employees: pd.DataFrame, spells: pd.DataFrame) -> Any:
    ordered = spells.sort_values("start")
    return to_arrow(lookup(employees["hris_id"], ordered["hris_id"], ordered["start"]))


def _last_start(employees: pd.DataFrame, spells: pd.DataFrame) -> Any:
    ordered = spells.sort_values("start", ascending=False)
    return to_arrow(lookup(employees["hris_id"], ordered["hris_id"], ordered["start"]))


def _is_untold(employees: pd.DataFrame, spells: pd.DataFrame, today: date, rehire_ahead: Any) -> Any:
    """Whom the source calls active, past a termination date and before a re-hire, without a word about the spells in
    between: whether one of them runs, nobody can say."""
    past = _is_true(pc.less(to_arrow(employees[_END]), today))
    resting = pc.and_(past, pc.and_(rehire_ahead, pc.is_valid(to_arrow(employees["hire_date"]))))
    active = _is_true(to_arrow(employees["active"]).cast(pa.bool_()))
    has_spells = pa.array(is_in(employees["hris_id"], spells["hris_id"]))
    return pc.and_(pc.and_(active, resting), pc.invert(has_spells))


def _has_ended(employees: pd.DataFrame, begun: Any, spells: pd.DataFrame, today: date) -> Any:
    """Whose present spell is over by the end that is told of it; one without an end, or with another one, is not."""
    theirs = lookup(spells["hris_id"], employees["hris_id"], from_arrow(begun))
    present = spells[null_as_false(spells["start"] == theirs)]
    runs = present[~null_as_false(present["end"] < today)]
    return pa.array(is_in(employees["hris_id"], present["hris_id"]) & ~is_in(employees["hris_id"], runs["hris_id"]))


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
    combine = pc.and_ if rule.all else pc.or_
    matches, *others = (match_condition(condition, columns(condition.field)) for condition in rule.conditions)
    for other in others:
        matches = combine(matches, other)
    return matches


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


def exclusion_columns(source: SourceColumns, settings: Settings, unread: UnreadFields) -> pd.DataFrame:
    """``exclusion``: null, ``rule:<name>`` of the first rule that matches, or ``service_account``, which comes before
    any rule; and ``archive_existing``: whether that rule archives who is a user. A rule archives nobody because of a
    field that the source sent and nobody could read, or that nobody has."""
    rule = match_rules(settings.do_not_import, source)
    service = _is_service_account(source, unread)
    archiving = [entry for entry in settings.do_not_import if entry.archive_existing]
    archive_existing = is_in(rule, [entry.name for entry in archiving]) & ~service
    for entry in archiving:
        archive_existing &= ~(null_as_false(rule == entry.name) & _is_doubtful(entry, source, unread, ~service))
    return pd.DataFrame(
        {
            "exclusion": ("rule:" + rule).mask(service, SERVICE_ACCOUNT).astype(TEXT),
            "archive_existing": archive_existing.astype(FLAG),
        }
    )


_MADE_OF_ALL_ROWS: Mapping[str, tuple[str, ...]] = {"is_manager": ("active", "supervisor_hris_id")}


def _is_doubtful(rule: Rule, source: SourceColumns, unread: UnreadFields, human: pd.Series) -> pd.Series:
    """Where a field that the rule asks is unread; for everybody, where no human has it (consent or scope is missing, a
    label changed), or where it is made of all rows together and one of them is unread."""
    fields = {condition.field for condition in rule.conditions}
    origins = {origin for field in fields for origin in _MADE_OF_ALL_ROWS.get(field, ())}
    missing = any(not (source(field).notna() & human).any() for field in fields | origins)
    return unread.any_of(fields) | (missing or bool(unread.any_of(origins).any()))


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
