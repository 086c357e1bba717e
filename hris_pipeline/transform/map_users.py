"""Map: settings and mapping turn employees into users, as far as one extract tells; the store is not asked here.

Who is left out stays in the frame with the reason in ``exclusion``, because being left out is not being absent; whose
row cannot be used stays in it too, as ``leaver_only``, because they may have left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import pandera.pandas as pandera
import pyarrow.compute as pc

from hris_pipeline.errors import Problem, SettingsInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS_BY_NAME, USER_FIELDS_BY_NAME, Kind
from hris_pipeline.settings.mapping import CompanyLike, effective_mapping, effective_metadata
from hris_pipeline.settings.values import matching_everybody
from hris_pipeline.transform.columns import (
    DATE,
    FLAG,
    TEXT,
    TEXTS,
    SourceColumns,
    UnreadFields,
    arrow_frame,
    as_text,
    clean_text,
    column_or_nulls,
    concat_rows,
    is_in,
    null_as_false,
    rows_where,
    to_arrow,
)
from hris_pipeline.transform.eligibility import (
    asked_fields,
    employment_columns,
    exclusion_columns,
    has_left,
    has_unknown_managers,
    is_employed,
    matches_everybody,
)
from hris_pipeline.transform.normalise import complete_numbers, is_international, to_alpha2, with_plus
from hris_pipeline.transform.validate import (
    MISSING,
    Check,
    Employees,
    TooManyBadRows,
    breaks,
    check_words,
    checks_for,
    concat_quarantine,
    limit_bad_rows,
    quarantine_rows,
    read_typed,
)

__all__ = [
    "EMPLOYMENT_COLUMNS",
    "IDENTITY_COLUMNS",
    "Mapped",
    "map_identities",
    "map_users",
    "mapped_columns",
    "mapped_users_schema",
    "unread_rows",
]

EMPLOYEE_ID_MISSING = Check("employee_id_missing", "is blank, so nobody can be known by it", pd.Series.notna)
EMPLOYEE_ID_SHARED = Check(
    "employee_id_shared", "is the EmployeeId of several people", lambda values: ~values.duplicated(keep=False)
)

EMPLOYMENT_COLUMNS: Mapping[str, pd.ArrowDtype] = {
    "active": FLAG,
    "termination_date": DATE,
    "starts_on": DATE,
    "present_start": DATE,
    "next_start": DATE,
    "rehired_on": DATE,
    "may_have_left": FLAG,
    "exclusion": TEXT,
    "archive_existing": FLAG,
    "leaver_only": FLAG,
    "unread": TEXTS,
}
"""The columns of a mapped row beside its ids and the user's fields.

The first seven are ``eligibility.employment_columns``; ``exclusion`` and ``archive_existing`` are
``eligibility.exclusion_columns``. ``leaver_only`` marks a row that failed a check: the person is quarantined, nothing
of the row is written, and only ``hris_id`` and the employment are used, so that a leaver is still archived. ``unread``
lists the columns (user fields, ``#Name``) that the source sent but nobody could read: they are null and change nothing
that is stored.
"""

IDENTITY_COLUMNS: Mapping[str, pd.ArrowDtype] = {
    "hris_id": TEXT,
    "employee_id": TEXT,
    "email": TEXT,
    "first_name": TEXT,
    "last_name": TEXT,
    "birth_date": DATE,
}
"""By what one person is recognised in two records."""

_FEW = 5
"""In an extract of fewer people a rule may match everybody; from here on that is taken for a mistake."""


@dataclass(frozen=True)
class Mapped:
    """``users``, one row a person with a ``hris_id``: ``hris_id``, ``justworks_id``, each mapped user field,
    ``#Name`` of each metadata field (text), and ``EMPLOYMENT_COLUMNS``. ``supervisor_id`` and associated metadata still
    hold the source's reference, a manager by hris_id. The EmployeeId and justworks_id of somebody who has left are null
    where somebody who is employed has them now.

    ``quarantined``: one line a failed check, as in ``validate``. ``warnings``: hris_ids by code.
    """

    users: pd.DataFrame
    quarantined: pd.DataFrame
    warnings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _EmploymentState:
    """How each row stands on the local date: its ``employment_columns``; ``employed``; ``coming``, who is not yet but
    is imported early; ``left``; and ``failed`` in validation."""

    columns: pd.DataFrame
    employed: pd.Series
    coming: pd.Series
    left: pd.Series
    failed: pd.Series


def mapped_columns(settings: Settings) -> dict[str, pd.ArrowDtype]:
    """The columns of the mapped frame under the settings, and their types."""
    fields = {name: _column_type(USER_FIELDS_BY_NAME[name].kind) for name in effective_mapping(settings)}
    metadata = {entry.name.column: TEXT for entry in effective_metadata(settings)}
    return {"hris_id": TEXT, "justworks_id": TEXT, **fields, **metadata, **EMPLOYMENT_COLUMNS}


def mapped_users_schema(settings: Settings) -> pandera.DataFrameSchema:
    """The schema of the mapped frame under the settings: its columns with their types, and that one row stands for each
    ``hris_id``."""
    needed = ("hris_id", "leaver_only")
    return pandera.DataFrameSchema(
        {
            name: pandera.Column(kind, nullable=name not in needed, unique=name == "hris_id")
            for name, kind in mapped_columns(settings).items()
        },
        name="mapped_users",
        strict=True,
    )


def map_users(
    people: Employees, settings: Settings, company: CompanyLike, today: date, *, has_holes: bool = False
) -> Mapped:
    """Users as the settings in force make them from the employees of an extract.

    A re-mapped field is held to the checks of the field it replaces. A blank EmployeeId quarantines its row, a shared
    one every employed row that has it. People left out are not quarantined, except for a shared EmployeeId.

    Args:
        people: The employees of the extract.
        settings: The settings in force.
        company: Its custom fields.
        today: The local date.
        has_holes: Whether the extract lacks somebody of whom nothing is known: who is a manager is uncertain then.

    Raises:
        SettingsInvalid: a do-not-import rule matches everybody, as it could not be known when it was set.
        TooManyBadRows: no employed member has an EmployeeId; or validation and mapping together find more than a fifth
            of the employed people's rows, and at least 5, to be bad.
    """
    rows, state = _all_rows(people, settings, today)
    _refuse_rules_for_everybody(SourceColumns(people.rows, company), settings)
    source = SourceColumns(rows, company)
    unread = UnreadFields(rows["hris_id"], people.unread)
    texts, fields = _core_fields(source, settings)
    managers_known = not has_holes and not has_unknown_managers(rows, state.columns, today)
    exclusion = exclusion_columns(source, settings, unread, managers_known=managers_known)
    quarantined = _quarantine_mapped_rows(rows, texts, fields, settings, exclusion["exclusion"], state)
    bad = state.failed | rows.index.isin(quarantined.index)
    quarantined = quarantined.reset_index(drop=True)
    _require_employee_ids(fields, state, quarantined, settings)
    bad_employed, employed = int((bad & state.employed).sum()), int(state.employed.sum())
    limit_bad_rows(bad_employed, employed, quarantined, int(state.failed.sum()))
    employment = state.columns
    exclusion = exclusion.assign(
        exclusion=exclusion["exclusion"].mask(bad),
        archive_existing=(exclusion["archive_existing"].astype(bool) & ~bad).astype(FLAG),
        leaver_only=bad.astype(FLAG),
        unread=unread.targets(_trace_lineage(settings)),
    )
    metadata = {
        entry.name.column: to_arrow(
            as_text(source.references(entry.source) if entry.type == "associated" else source(entry.source))
        )
        for entry in effective_metadata(settings)
    }
    dated = _settle_hire_dates(fields, employment, settings, today)
    parts = [rows[["hris_id", "justworks_id"]], dated, arrow_frame(metadata, rows.index), employment, exclusion]
    users = _without_given_up_ids(pd.concat(parts, axis="columns"), state)
    users = rows_where(users, users["hris_id"].notna()).reset_index(drop=True)
    return Mapped(users, quarantined, _collect_warnings(users))


def map_identities(holes: Employees, settings: Settings, company: CompanyLike, today: date) -> pd.DataFrame:
    """``IDENTITY_COLUMNS`` of holes, from their records in the list under the settings, null where the list does not
    have them; ``works``: whether they are employed, or start early enough to be imported, as far as the list says; and
    ``left``: whether the list calls them inactive, whatever else it says."""
    rows, state = _all_rows(holes, settings, today)
    source = SourceColumns(rows, company)
    fields = _core_fields(source, settings)[1].assign(hris_id=source("hris_id"))
    identities = {name: column_or_nulls(fields, name) for name in IDENTITY_COLUMNS}
    works, left = state.employed | state.coming, ~state.columns["active"].fillna(True).astype(bool)
    return pd.DataFrame(identities).astype(dict(IDENTITY_COLUMNS)).assign(works=works, left=left)


def unread_rows(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """By field, for which mapped rows the source sent something that nobody could read."""
    lists = to_arrow(rows["unread"])
    names, positions = pc.list_flatten(lists).to_pylist(), pc.list_parent_indices(lists).to_pylist()
    hit: dict[str, list[int]] = {}
    for name, position in zip(names, positions, strict=True):
        hit.setdefault(name, []).append(position)
    return {name: pd.Series(rows.index.isin(rows.index[at]), index=rows.index) for name, at in hit.items()}


def _refuse_rules_for_everybody(source: SourceColumns, settings: Settings) -> None:
    """Where a field of the rule has no value at all (consent or scope is missing), the rule is not to blame."""
    if len(source("hris_id")) < _FEW:
        return
    problems = [
        Problem(f"do_not_import.{rule.name}", matching_everybody(rule))
        for rule in settings.do_not_import
        if matches_everybody(rule, source) and not any(source(field).isna().all() for field in asked_fields(rule))
    ]
    if problems:
        raise SettingsInvalid(problems)


def _column_type(kind: Kind) -> pd.ArrowDtype:
    return DATE if kind == "date" else TEXT


def _all_rows(people: Employees, settings: Settings, today: date) -> tuple[pd.DataFrame, _EmploymentState]:
    rows = concat_rows(people.rows, people.failed)
    early = today + timedelta(days=settings.import_days_before_start)
    columns = employment_columns(rows, people.spells, people.unread, today)
    columns_early = columns if early == today else employment_columns(rows, people.spells, people.unread, early)
    employed = is_employed(columns, today)
    coming = is_employed(columns_early, early) & ~employed
    left = has_left(columns, today) & ~coming
    failed = pd.Series(rows.index >= len(people.rows), index=rows.index)
    return rows, _EmploymentState(columns, employed, coming, left, failed)


def _core_fields(source: SourceColumns, settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The mapped user fields as text, and typed (null: could not be read)."""
    texts, typed = {}, {}
    for name, column in effective_mapping(settings).items():
        field = USER_FIELDS_BY_NAME[name]
        values = source.references(column) if field.reference else source(column)
        if field.kind == "text":
            values = as_text(values)
            values = values if column == field.source else clean_text(values, field.text)
        if field.text == "country":
            values = to_alpha2(values)
        if field.text == "phone":
            values = _phone_numbers(values, settings)
        texts[name] = to_arrow(values)
        typed[name] = to_arrow(read_typed(values, field.kind)[0])
    index = source("hris_id").index
    return arrow_frame(texts, index), arrow_frame(typed, index)


def _phone_numbers(numbers: pd.Series, settings: Settings) -> pd.Series:
    if settings.default_calling_country is not None:
        numbers = complete_numbers(numbers, settings.default_calling_country)
    return with_plus(numbers) if settings.add_plus_to_phone_numbers else numbers


def _settle_hire_dates(fields: pd.DataFrame, employment: pd.DataFrame, settings: Settings, today: date) -> pd.DataFrame:
    """The hire dates as of the day: a start that is still to come gives way to one that has come, where there is one;
    with the priority ``latest`` the hire date is that of the latest re-hire."""
    starts, rehired = employment["starts_on"], employment["rehired_on"]
    come = {"hire_date": starts.mask(null_as_false(starts > today)), "latest_rehire_date": rehired}
    dated = {}
    for name, column in effective_mapping(settings).items():
        if column in come and fields[name].dtype == DATE:
            replaced = null_as_false(fields[name] > today) & come[column].notna()
            dated[name] = fields[name].mask(replaced, come[column])
    fields = fields.assign(**dated)
    if "hire_date" not in fields or settings.hire_date_priority != "latest":
        return fields
    return fields.assign(hire_date=rehired.fillna(fields["hire_date"]))


def _trace_lineage(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Column of the mapped frame → the sources it is made from."""
    sources: dict[str, tuple[str, ...]] = {name: (source,) for name, source in effective_mapping(settings).items()}
    if "hire_date" in sources and settings.hire_date_priority == "latest":
        sources["hire_date"] += ("latest_rehire_date",)
    return sources | {entry.name.column: (entry.source,) for entry in effective_metadata(settings)}


def _quarantine_mapped_rows(
    rows: pd.DataFrame,
    texts: pd.DataFrame,
    fields: pd.DataFrame,
    settings: Settings,
    exclusion: pd.Series,
    state: _EmploymentState,
) -> pd.DataFrame:
    """Quarantine lines of everything wrong in the mapped fields of rows that passed validation; the index is the row's
    own."""
    texts = texts.assign(hris_id=rows["hris_id"])
    known_by = rows["justworks_id"]
    if "employee_id" in fields:
        known_by = fields["employee_id"].fillna(known_by)
    included = exclusion.isna() & ~state.failed
    lines = []
    for name, check, broken in _run_mapping_checks(texts, fields, effective_mapping(settings)):
        failing = broken & included
        if failing.any():
            lines.append(quarantine_rows(texts[failing], name, known_by[failing], check))
    if "employee_id" in fields:
        shared = _flag_shared_ids(fields["employee_id"], state) & ~state.failed
        if shared.any():
            lines.append(quarantine_rows(texts[shared], "employee_id", known_by[shared], EMPLOYEE_ID_SHARED))
    return concat_quarantine(lines)


def _flag_shared_ids(employee_ids: pd.Series, state: _EmploymentState) -> pd.Series:
    """Employed rows that share an EmployeeId; and who is only coming, where somebody employed or coming has it."""
    employed = employee_ids.where(state.employed)
    present = employee_ids.where(state.employed | state.coming)
    doubled = employed.notna() & employed.duplicated(keep=False)
    return doubled | (state.coming & present.notna() & present.duplicated(keep=False))


def _run_mapping_checks(
    texts: pd.DataFrame, fields: pd.DataFrame, mapping: Mapping[str, str]
) -> Iterator[tuple[str, Check, pd.Series]]:
    """The checks that mapping adds to those of validation: the user field, the check, and which rows fail it."""
    if "employee_id" in fields:
        yield "employee_id", EMPLOYEE_ID_MISSING, fields["employee_id"].isna()
    for name, column in mapping.items():
        field = USER_FIELDS_BY_NAME[name]
        if column == field.source:
            continue
        _, unreadable, broken = read_typed(texts[name], field.kind)
        yield name, unreadable, broken
        replaced, values = EMPLOYEE_FIELDS_BY_NAME[field.source], fields[name]
        for check in checks_for(replaced):
            yield name, check, breaks(values, check)
        if replaced.needed:
            yield name, MISSING, values.isna()


def _require_employee_ids(
    fields: pd.DataFrame, state: _EmploymentState, quarantined: pd.DataFrame, settings: Settings
) -> None:
    if "employee_id" not in fields:
        return
    asked = fields.loc[state.employed, "employee_id"] if state.employed.any() else fields["employee_id"]
    if len(asked) and asked.isna().all():
        checks = check_words(quarantined)
        raise TooManyBadRows(
            f"No employed member has an EmployeeId, which comes from {effective_mapping(settings)['employee_id']} "
            f"({checks or 'nobody has any'}): map employee_id from a field that people have, or check the permissions "
            "given to the connection.",
            quarantined,
        )


def _without_given_up_ids(users: pd.DataFrame, state: _EmploymentState) -> pd.DataFrame:
    """Whoever has left holds no id that somebody who is employed, or about to be, has now."""
    present = state.employed | state.coming
    names = [name for name in ("justworks_id", "employee_id") if name in users]
    given_up = {name: state.left & is_in(users[name], users.loc[present, name].dropna()) for name in names}
    return users.assign(**{name: users[name].mask(mask) for name, mask in given_up.items()})


def _collect_warnings(users: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    if "phone_number" not in users:
        return {}
    numbers = users["phone_number"][users["exclusion"].isna() & ~users["leaver_only"].astype(bool)]
    unusable = numbers[numbers.notna() & ~null_as_false(is_international(numbers))]
    ids = users["hris_id"].loc[unusable.index]
    return {"phone_not_international": tuple(ids)} if len(ids) else {}
