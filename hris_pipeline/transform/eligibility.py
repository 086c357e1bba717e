"""Who takes part in an import: who is employed when (the spell that runs on a day, among all that the source tells of),
of whom nobody can say it because what tells could not be read, and who is left out and why (the rules of
``do_not_import``, the service account).

Being left out is neither being absent nor having left; a field that nobody could read is no reason to change
anything. What an import makes of it, days early for instance, is decided in ``change_set``. How values compare is
said in ``settings.values.COMPARISON``.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS
from hris_pipeline.settings.text import clean_value, fold_case
from hris_pipeline.settings.values import Condition, Operator, Rule
from hris_pipeline.transform.columns import (
    FLAG,
    TEXT,
    SourceColumns,
    UnreadFields,
    arrow_frame,
    casefold_key,
    from_arrow,
    is_in,
    lookup,
    null_as_false,
    rows_where,
    to_arrow,
)

__all__ = [
    "SERVICE_ACCOUNT",
    "asked_fields",
    "employment_columns",
    "exclusion_columns",
    "has_left",
    "has_unknown_managers",
    "is_employed",
    "is_manager",
    "match_condition",
    "match_rule",
    "match_rules",
    "matches_everybody",
]


def employment_columns(
    employees: pd.DataFrame, spells: pd.DataFrame, unread: pd.DataFrame, today: date
) -> pd.DataFrame:
    """What planning asks of each employee's spells, of any number of them.

    ``active``; ``termination_date``, null when it belongs to a spell before one that has begun by ``today``, as it also
    does on the very day of a re-hire; ``starts_on``, the earliest start known (null: the person counts as started);
    ``present_start``, the latest start that has come, null where nobody can say that its spell runs and another is to
    come; ``next_start``, the first start that is still to come; ``rehired_on``, the latest re-hire that has come;
    ``may_have_left``, whether a start or an end that nobody could read may have ended the employment: its
    ``termination_date`` is null then.

    Args:
        employees: the employee columns.
        spells: further spells, as ``normalise`` gives them; hire, latest re-hire and termination tell of some without.
        unread: ``hris_id`` and employee ``column`` of what nobody could read, as ``normalise`` gives them.
        today: the local date.
    """
    hired, rehired, ended = (to_arrow(employees[name]) for name in ("hire_date", "latest_rehire_date", _END))
    spells = spells.sort_values("start")
    has_come, is_ahead = null_as_false(spells["start"] <= today), null_as_false(spells["start"] > today)
    come, ahead = rows_where(spells, has_come), rows_where(spells, is_ahead)
    hire_ahead, rehire_ahead = _is_true(pc.greater(hired, today)), _is_true(pc.greater(rehired, today))
    rehire_alone = pc.and_(rehire_ahead, pc.is_null(hired))
    newest = _first_start(employees, come.iloc[::-1])
    begun = _pick_latest(_blank_dates(hired, hire_ahead), _blank_dates(rehired, rehire_ahead), newest)
    coming = _pick_earliest(
        _blank_dates(hired, pc.invert(hire_ahead)),
        _blank_dates(rehired, pc.invert(rehire_ahead)),
        _first_start(employees, ahead),
    )
    first = _pick_earliest(hired, _blank_dates(rehired, rehire_alone), _first_start(employees, spells))
    earlier = _blank_dates(begun, pc.invert(_is_true(pc.greater(begun, first))))
    untold = _is_untold(employees, spells, today, rehire_ahead)
    over = _has_ended(employees, begun, come, today)
    between = pc.or_(untold, pc.and_(over, pc.is_valid(coming)))
    unbegun = pc.and_(pc.is_null(begun), _is_true(pc.greater(first, today)))
    same_day = pc.and_(_is_true(pc.equal(ended, begun)), pc.and_(_is_true(pc.greater(begun, first)), pc.invert(over)))
    earlier_end = pc.or_(_is_true(pc.less(ended, begun)), pc.and_(unbegun, _is_true(pc.less(ended, first))))
    earlier_end = pc.or_(earlier_end, _ends_another_spell(employees, come, today))
    ended = _blank_dates(ended, pc.or_(pc.or_(earlier_end, same_day), untold))
    doubtful = _is_doubtful(employees, ended, unread, today)
    columns = {
        "active": to_arrow(employees["active"]).cast(pa.bool_()),
        "termination_date": _blank_dates(ended, doubtful),
        "starts_on": first,
        "present_start": _blank_dates(begun, between),
        "next_start": coming,
        "rehired_on": pc.if_else(rehire_ahead, earlier, rehired),
        "may_have_left": doubtful,
    }
    return arrow_frame(columns, employees.index)


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
    supervisors = employees.loc[_is_working(employees, employment, today), "supervisor_hris_id"].dropna()
    return is_in(employees["hris_id"], supervisors).astype(FLAG)


def has_unknown_managers(employees: pd.DataFrame, employment: pd.DataFrame, today: date) -> bool:
    """Whether somebody active reports to a member id of nobody active: it may be the former one of anybody."""
    working = rows_where(employees, _is_working(employees, employment, today))
    return not is_in(working["supervisor_hris_id"].dropna(), working["hris_id"]).all()


def _is_working(employees: pd.DataFrame, employment: pd.DataFrame, today: date) -> pd.Series:
    return null_as_false(employees["active"]) & ~has_left(employment, today)


_END = "termination_date"

_STARTS = ("hire_date", "latest_rehire_date")


def _is_true(mask: Any) -> Any:
    return pc.fill_null(mask, False)


def _blank_dates(days: Any, where: Any) -> Any:
    """The dates, null where the mask holds."""
    return pc.if_else(where, None, days)


def _pick_latest(*starts: Any) -> Any:
    return pc.max_element_wise(*starts).cast(pa.date32())


def _pick_earliest(*starts: Any) -> Any:
    return pc.min_element_wise(*starts).cast(pa.date32())


def _first_start(employees: pd.DataFrame, spells: pd.DataFrame) -> Any:
    """The start of the first spell of each employee, in the order of the spells."""
    return to_arrow(lookup(employees["hris_id"], spells["hris_id"], spells["start"]))


def _is_untold(employees: pd.DataFrame, spells: pd.DataFrame, today: date, rehire_ahead: Any) -> Any:
    """Whom the source calls active, past a termination date and before a re-hire, without a word about the spells in
    between: whether one of them runs, nobody can say."""
    past = _is_true(pc.less(to_arrow(employees[_END]), today))
    resting = pc.and_(past, pc.and_(rehire_ahead, pc.is_valid(to_arrow(employees["hire_date"]))))
    active = _is_true(to_arrow(employees["active"]).cast(pa.bool_()))
    has_spells = pa.array(is_in(employees["hris_id"], spells["hris_id"]))
    return pc.and_(pc.and_(active, resting), pc.invert(has_spells))


def _is_doubtful(employees: pd.DataFrame, ended: Any, unread: pd.DataFrame, today: date) -> Any:
    """Who is not known to be inactive, and is past an end that may belong to a spell before a start that nobody could
    read, or has an end that nobody could read."""

    def whose(*columns: str) -> Any:
        return pa.array(is_in(employees["hris_id"], unread["hris_id"][is_in(unread["column"], columns)]))

    past = pc.and_(whose(*_STARTS), _is_true(pc.less(ended, today)))
    inactive = pc.fill_null(pc.invert(to_arrow(employees["active"]).cast(pa.bool_())), False)
    return pc.and_(pc.or_(past, whose(_END)), pc.invert(inactive))


def _has_ended(employees: pd.DataFrame, begun: Any, spells: pd.DataFrame, today: date) -> Any:
    """Whose present spell is over by the end that is told of it; one without an end, or with another one, is not."""
    theirs = lookup(spells["hris_id"], employees["hris_id"], from_arrow(begun))
    present = spells[null_as_false(spells["start"] == theirs)]
    runs = present[~null_as_false(present["end"] < today)]
    return pa.array(is_in(employees["hris_id"], present["hris_id"]) & ~is_in(employees["hris_id"], runs["hris_id"]))


def _ends_another_spell(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> Any:
    """Whose termination date is told to be the end of one spell, while another one that began later runs; the spells
    come by their start."""
    ends = null_as_false(spells["end"] == lookup(spells["hris_id"], employees["hris_id"], employees[_END]))
    running = spells[~ends & ~null_as_false(spells["end"] < today)].iloc[::-1]
    latest = lookup(spells["hris_id"], running["hris_id"], running["start"])
    return pa.array(is_in(employees["hris_id"], spells["hris_id"][ends & null_as_false(spells["start"] < latest)]))


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
        names = pc.if_else(_match_rule(rule, columns), pa.scalar(rule.name), names)
    return from_arrow(names, index)


def match_rule(rule: Rule, columns: Columns) -> pd.Series:
    """Whether each employee matches ``rule``; never null."""
    return from_arrow(_match_rule(rule, columns), columns("hris_id").index)


def matches_everybody(rule: Rule, columns: Columns) -> bool:
    """Whether there are people, and the rule matches all of them."""
    matches = match_rule(rule, columns)
    return bool(len(matches) and matches.all())


def _match_rule(rule: Rule, columns: Columns) -> pa.Array:
    answers = [match_condition(condition, columns(condition.field)) for condition in rule.conditions]
    return _combine_answers(rule, answers)


def _combine_answers(rule: Rule, answers: Sequence[pa.Array]) -> pa.Array:
    """What the rule says when those are the answers to its conditions."""
    return functools.reduce(pc.and_ if rule.all else pc.or_, answers)


def match_condition(condition: Condition, column: pd.Series) -> pa.Array:
    """Whether each value of ``column`` answers the condition with yes; never null."""
    exact = condition.field in _IDS
    text = _normalise_text(pa.array(column, from_pandas=True), exact=exact)
    operands = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    values = _normalise_text(pa.array([_as_text(value) for value in operands], pa.string()), exact=exact)
    answer = _ANSWERS[condition.operator](text, values)
    return pc.fill_null(answer, condition.operator in ("not_equals", "not_in"))


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _normalise_text(values: pa.Array | pa.ChunkedArray, *, exact: bool) -> pa.Array:
    """Any column as trimmed text, without letter case (``text.fold_case``) unless ``exact``; blanks are null."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    text = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    text = pc.if_else(pc.equal(text, ""), None, text)
    unusual = pc.fill_null(pc.invert(pc.string_is_ascii(text)), False)
    if pc.any(unusual).as_py():
        alike = [clean_value(value, "id") if exact else fold_case(value) for value in text.filter(unusual).to_pylist()]
        text = pc.replace_with_mask(text, unusual, pa.array(alike, pa.string()))
    return text if exact else pc.ascii_lower(text)


def _build_comparison(compare: Callable[[pa.Array, pa.Scalar], pa.Array]) -> Callable[[pa.Array, pa.Array], pa.Array]:
    def answer(text: pa.Array, values: pa.Array) -> pa.Array:
        if pc.match_substring_regex(values, _DATE)[0].as_py():
            return compare(_keep_matching(text, _DATE), values[0])
        return compare(pc.cast(_keep_matching(text, _NUMBER), pa.float64()), pc.cast(values, pa.float64())[0])

    return answer


def _keep_matching(text: pa.Array, pattern: str) -> pa.Array:
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
    "before": _build_comparison(pc.less),
    "after": _build_comparison(pc.greater),
    "at_least": _build_comparison(pc.greater_equal),
    "at_most": _build_comparison(pc.less_equal),
}
"""Each operator over comparable text and the condition's values; null where a missing value leaves it open."""


SERVICE_ACCOUNT = "service_account"
"""The ``exclusion`` of the third-party Admin or Accountant that the connection adds."""

_SERVICE_ACCOUNT = r"^\s*service\s+account\s*$"

_THIRD_PARTY = r"^[\s_]*3rd[\s_-]*party[\s_-]*admin[\s_-]*[/\\\x{2044}\x{2215}]?[\s_-]*accountant[\s_]*$"

_RESIDENCE = ("residence_city", "residence_state", "residence_country")


def exclusion_columns(
    source: SourceColumns, settings: Settings, unread: UnreadFields, *, managers_known: bool
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
        lost = {
            field: _is_lost(field, source, unread, ~service, managers_known=managers_known)
            for field in asked_fields(entry)
        }
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


def asked_fields(rule: Rule) -> frozenset[str]:
    """The fields that the rule asks."""
    return frozenset(condition.field for condition in rule.conditions)


def _is_lost(
    field: str, source: SourceColumns, unread: UnreadFields, human: pd.Series, *, managers_known: bool
) -> pd.Series:
    """Where a field is unread; for everybody, where no human has it (consent or scope is missing, a label changed), or
    where it is made of all rows together and one of them is unread or in none."""
    origins = _MADE_OF_ALL_ROWS.get(field, ())
    missing = any(not (source(name).notna() & human).any() for name in (field, *origins))
    incomplete = bool(origins) and (not managers_known or bool(unread.any_of(origins).any()))
    return unread.any_of((field,)) | missing | incomplete


def _may_match(rule: Rule, source: SourceColumns, lost: Mapping[str, pd.Series]) -> pd.Series:
    """Whom the rule would match if every condition on a field that is lost held."""
    answers = [
        pc.or_(match_condition(condition, source(condition.field)), pa.array(lost[condition.field]))
        for condition in rule.conditions
    ]
    return pd.Series(_combine_answers(rule, answers), index=source("hris_id").index, dtype=FLAG).astype(bool)


def _is_service_account(source: SourceColumns, unread: UnreadFields) -> pd.Series:
    """Recognised by marker, and because nothing is known of it that is known of a person."""
    nameless = ("birth_date", *_RESIDENCE)
    unknown = ~unread.any_of(nameless)
    for column in nameless:
        unknown &= source(column).isna()
    if not unknown.any():
        return unknown
    title, kind, first, last = (
        source(column)[unknown] for column in ("job_title", "employment_type", "first_name", "last_name")
    )
    whole_name = from_arrow(pc.binary_join_element_wise(to_arrow(first), to_arrow(last), " "), first.index)
    marked = _match_pattern(title, _SERVICE_ACCOUNT) | _match_pattern(last, _SERVICE_ACCOUNT)
    for text in (kind, first, last, whole_name):
        marked |= _match_pattern(text, _THIRD_PARTY)
    return unknown & marked.reindex(unknown.index, fill_value=False)


def _match_pattern(texts: pd.Series, pattern: str) -> pd.Series:
    return null_as_false(from_arrow(pc.match_substring_regex(to_arrow(casefold_key(texts)), pattern), texts.index))
