"""What each matched employee's user should hold, where that depends on what the store holds already: EmployeeIds,
supervisors, emails and hire dates; who gets a value that only one user may hold, and which stored values stay."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.change_set.classification import WRITTEN, ClassifiedRows
from hris_pipeline.change_set.directory import Directory, PlanContext
from hris_pipeline.change_set.identity import NAME_AND_BIRTH_DATE, PersonLookup, in_cycle
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, USER_FIELD_NAMES
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.transform.columns import (
    DATE,
    casefold_key,
    column_or_nulls,
    concat_rows,
    is_distinct,
    is_in,
    lookup,
    null_as_false,
    rows_where,
    text_series,
    to_arrow,
)
from hris_pipeline.transform.map_users import unread_rows

__all__ = [
    "DesiredState",
    "hire_dates",
    "rejected_claims",
    "resolve_desired_state",
    "user_fields",
]


_SUPERVISORS = frozenset(field.name for field in EMPLOYEE_FIELDS if field.reference)
"""The employee columns that name the manager, and from which ``is_manager`` is derived."""

_SAME_PERSON = (("email",), NAME_AND_BIRTH_DATE)
"""Two members are the same person when they agree in either of these."""


@dataclass(frozen=True)
class DesiredState:
    """``rows``: what users should hold. ``taken``: rows left out of them because somebody else keeps the EmployeeId
    they come with. ``blocked_by_protection``: per row, whether protection alone keeps an EmployeeId or email.
    ``retained``: by field, for which rows the stored value stays whatever the row says; ``references``: fields that
    name a person, which are not cleared where they name one in an open conflict. ``vanished``: fields that nobody has
    any more though users do, so that they are not in ``rows``. ``warnings``: hris_ids by code."""

    rows: pd.DataFrame
    taken: pd.Index
    blocked_by_protection: pd.Series
    retained: Mapping[str, pd.Series]
    references: tuple[str, ...]
    vanished: tuple[str, ...]
    warnings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Claimed:
    """The final values, the rows whose claim was ``lost``, and those where protection alone kept the stored value."""

    values: pd.Series
    lost: pd.Series
    blocked_by_protection: pd.Series


def resolve_desired_state(
    people: ClassifiedRows, directory: Directory, snapshot: pd.DataFrame, context: PlanContext, settings: Settings
) -> DesiredState:
    """Resolves EmployeeIds, references to people, emails and hire dates of everybody who is, or becomes, an active
    user.

    A linked user whose new EmployeeId is free, or given up in the same plan, gets it, so swaps work; one whose new
    EmployeeId somebody keeps is left out whole. A new email that somebody keeps leaves the user with the one stored.
    """
    written = rows_where(people.rows, people.outcome.isin(WRITTEN))
    vanished = _vanished_fields(people.rows, written["user_id"], directory)
    unread = unread_rows(written)
    written = written.drop(columns=list(vanished))
    ids = _employee_ids(written, snapshot, settings)
    rows = rows_where(written.assign(employee_id=ids.values), ~ids.lost)
    blocked_by_protection = ids.blocked_by_protection[~ids.lost]
    references = _reference_columns(rows, settings)
    rows, retained, warnings = _resolve_references(
        rows, references, _person_lookup(rows, people, directory, snapshot, context, settings)
    )
    untold = _of_untold_supervisors(people.rows, vanished, snapshot, context)
    if "supervisor_id" in retained:
        untold = pd.concat([untold, rows.loc[retained["supervisor_id"], "user_id"].dropna()])
    still = _still_managers(rows, untold, directory, settings)
    for name, mask in (unread | still).items():
        retained[name] = mask.loc[rows.index] | retained.get(name, mask.loc[rows.index])
    if "email" in rows:
        if "email" in unread:
            rows["email"] = rows["email"].mask(unread["email"].loc[rows.index], rows["stored_email"])
        emails = _claim_emails(rows, snapshot, settings)
        replaced = is_distinct(emails.values, rows["stored_email"])
        rows["email"] = emails.values
        rows["email_edited_by_user"] = rows["stored_email_edited_by_user"].mask(replaced, False)
        warnings["email_taken"] = tuple(rows.loc[emails.lost, "hris_id"])
        blocked_by_protection |= emails.blocked_by_protection
    if "hire_date" in rows:
        rows["hire_date"] = hire_dates(rows, settings)
    for name in _rehire_fields(rows, settings):
        ahead = null_as_false(written.loc[rows.index, name] > context.today)
        rows[name] = rows[name].mask(ahead)
        retained[name] = ahead | retained.get(name, ahead)
    return DesiredState(
        rows=rows,
        taken=written.index[ids.lost],
        blocked_by_protection=blocked_by_protection,
        retained=retained,
        references=tuple(references),
        vanished=vanished,
        warnings={code: hris_ids for code, hris_ids in warnings.items() if hris_ids},
    )


def user_fields(rows: pd.DataFrame) -> list[str]:
    """The columns of the rows that are fields of a user; metadata as ``#Name``."""
    return [name for name in rows.columns if name in USER_FIELD_NAMES or name.startswith("#")]


def _rehire_fields(rows: pd.DataFrame, settings: Settings) -> list[str]:
    """The dates that come from a re-hire, which moves nothing before its day."""
    sources = effective_mapping(settings)
    return [name for name in rows.columns if sources.get(name) == "latest_rehire_date" and rows[name].dtype == DATE]


def hire_dates(rows: pd.DataFrame, settings: Settings) -> pd.Series:
    """The hire date each user should hold: a stored one gives way only to override_hire_date, or with the priority
    ``latest`` to a later re-hire date."""
    stored, source = rows["stored_hire_date"], rows["hire_date"]
    if settings.override_hire_date:
        return source
    replaces = stored.isna()
    if settings.hire_date_priority == "latest":
        replaces |= null_as_false(rows["rehired_on"] > stored)
    return stored.mask(replaces, source)


def _vanished_fields(rows: pd.DataFrame, written: pd.Series, directory: Directory) -> tuple[str, ...]:
    """The fields that nobody in the extract has though users whom this plan touches do: consent or scope is missing,
    not the data. What could not be read of some proves nothing of all others; what nobody's could be read is sent."""
    believed = ~rows["leaver_only"].astype(bool)
    unread = unread_rows(rows.loc[believed, ["unread"]])
    sent = {"employee_id", *(name for name, mask in unread.items() if mask.all())}
    is_void = pc.invert(to_arrow(believed))
    values = {name: to_arrow(rows[name]) for name in user_fields(rows) if name not in sent}
    empty = [name for name, column in values.items() if pc.all(pc.or_(pc.is_null(column), is_void)).as_py()]
    filled = directory.filled(empty, written.dropna()) if empty and believed.any() else {}
    return tuple(name for name in empty if filled.get(name))


def _employee_ids(rows: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings) -> _Claimed:
    stored = rows["stored_employee_id"]
    if settings.employee_ids == "generated":
        no_row = pd.Series(False, index=rows.index)
        return _Claimed(stored.fillna(_generate_employee_ids(rows, snapshot)), no_row, no_row)
    return _claim(rows, rows["employee_id"], stored, snapshot, "employee_id")


def _generate_employee_ids(rows: pd.DataFrame, snapshot: pd.DataFrame) -> pd.Series:
    """Numbers that count on from the largest in the directory, in order of hris_id, for whoever has no EmployeeId."""
    taken = snapshot["employee_id"].dropna()
    numbers = taken[taken.str.fullmatch(r"[0-9]{1,15}").astype(bool)].astype("int64[pyarrow]")
    first = int(numbers.max()) + 1 if len(numbers) else 1
    new = rows.loc[rows["stored_employee_id"].isna(), "hris_id"].sort_values()
    ids = text_series((f"{first + offset:06d}" for offset in range(len(new))), new.index)
    return ids.reindex(rows.index)


def _claim_emails(rows: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings) -> _Claimed:
    """An email the user entered stays, unless the source has one and ``override_emails`` is on."""
    stored = rows["stored_email"]
    entered = null_as_false(rows["stored_email_edited_by_user"]) & stored.notna()
    stays = entered & rows["email"].isna() if settings.override_emails else entered
    claimed = rows["email"].mask(stays, stored)
    return _claim(rows, claimed, stored, snapshot, "email")


def _claim(rows: pd.DataFrame, claimed: pd.Series, stored: pd.Series, snapshot: pd.DataFrame, name: str) -> _Claimed:
    """Settles who gets the unique values; a protected user keeps what is stored, as does whose claim is lost."""
    safe = null_as_false(rows["stored_protected"])
    blocked_by_protection = safe & is_distinct(claimed, stored)
    claimed = claimed.mask(safe, stored)
    key = casefold_key if name == "email" else pd.Series.copy
    claims = pd.DataFrame({"claimed": key(claimed), "held": key(stored), "order": rows["hris_id"]})
    taken = snapshot["email_key" if name == "email" else name][~is_in(snapshot["user_id"], rows["user_id"])]
    lost = rejected_claims(claims, taken)
    return _Claimed(claimed.mask(lost, stored), lost, blocked_by_protection)


def _still_managers(
    rows: pd.DataFrame, untold: pd.Series, directory: Directory, settings: Settings
) -> dict[str, pd.Series]:
    """By each field that ``is_manager`` feeds, the rows that say ``false`` although somebody still reports to the
    person: a member who names them by a former id, or one of ``untold``, users of whose supervisor nothing certain is
    told, who is stored as their report."""
    names = [item.name.column for item in effective_metadata(settings) if item.source == "is_manager"]
    names = [name for name in names if name in rows]
    if not names:
        return {}
    still = pd.Series(False, index=rows.index)
    if effective_mapping(settings).get("supervisor_id") in _SUPERVISORS and "supervisor_id" in rows:
        still |= is_in(rows["employee_id"], rows["supervisor_id"].dropna())
    if len(untold):
        still |= is_in(rows["stored_employee_id"], directory.users(untold)["supervisor_id"].dropna())
    return {name: still & null_as_false(rows[name] == "false") for name in names}


def _of_untold_supervisors(
    rows: pd.DataFrame, vanished: Collection[str], snapshot: pd.DataFrame, context: PlanContext
) -> pd.Series:
    """user_ids of active users of this integration of whose supervisor the extract tells nothing: they are in no row
    but not confirmed gone, or their row is quarantined or has the supervisor unread."""
    gone = context.missing - context.holes if context.complete else ()
    is_candidate = null_as_false(snapshot["integration_id"] == context.integration_id)
    is_candidate &= null_as_false(snapshot["status"] == "active") & ~is_in(snapshot["hris_id"], gone)
    unread = unread_rows(rows).get("supervisor_id", pd.Series(False, index=rows.index))
    unread |= "supervisor_id" in vanished
    untold = rows["employed"] & (rows["leaver_only"].astype(bool) | (unread & rows["exclusion"].isna()))
    listed = is_in(snapshot["user_id"], rows["user_id"])
    return snapshot.loc[is_candidate & (~listed | is_in(snapshot["user_id"], rows.loc[untold, "user_id"])), "user_id"]


def _person_lookup(
    rows: pd.DataFrame,
    people: ClassifiedRows,
    directory: Directory,
    snapshot: pd.DataFrame,
    context: PlanContext,
    settings: Settings,
) -> PersonLookup:
    """Who can be named as a supervisor, with the EmployeeIds that people will have after this plan."""
    rest = rows_where(snapshot, ~is_in(snapshot["user_id"], rows["user_id"]))
    foreign = rest[rest["integration_id"].notna() & ~null_as_false(rest["integration_id"] == context.integration_id)]
    former = rest[rest["integration_id"].isna() & null_as_false(rest["former_source"] == context.source)]
    linked = null_as_false(rows["stored_integration_id"] == context.integration_id)
    moved = rows.loc[linked & is_distinct(rows["stored_hris_id"], rows["hris_id"]), ["stored_hris_id", "employee_id"]]
    links = [
        rows[["hris_id", "employee_id"]],
        moved.set_axis(["hris_id", "employee_id"], axis="columns"),
        rest.loc[null_as_false(rest["integration_id"] == context.integration_id), ["hris_id", "employee_id"]],
        foreign.loc[~foreign["hris_id"].duplicated(keep=False), ["hris_id", "employee_id"]],
        former[["former_hris_id", "employee_id"]].set_axis(["hris_id", "employee_id"], axis="columns"),
    ]
    named_by_justworks = effective_mapping(settings).get("employee_id") == "justworks_id"
    members = _collect_members(_with_former_rows(people.rows, rows), context, named_by_justworks=named_by_justworks)
    undecided = people.rows.loc[
        (people.outcome == "conflict") | _shared_by_quarantined(people.rows, members), "hris_id"
    ]
    unread = [member.hris_id for member in context.quarantined if member.hris_id and not member.employee_id]
    by_user = pd.concat([rows[["user_id", "employee_id"]], rest[["user_id", "employee_id"]]], ignore_index=True)

    def formerly_linked(hris_ids: pd.Series) -> pd.Series:
        ended = directory.former_links(hris_ids)
        ended = ended[~ended["hris_id"].duplicated(keep=False)]
        return lookup(lookup(hris_ids, ended["hris_id"], ended["user_id"]), by_user["user_id"], by_user["employee_id"])

    return PersonLookup(
        links=pd.concat(links, ignore_index=True),
        employee_ids=pd.concat([rows["employee_id"], rest["employee_id"]], ignore_index=True),
        members=members,
        undecided=pd.concat([undecided, text_series([*context.holes, *unread])], ignore_index=True),
        reused=_find_reused_ids(people.rows, rows),
        formerly_linked=formerly_linked,
    )


def _collect_members(rows: pd.DataFrame, context: PlanContext, *, named_by_justworks: bool) -> pd.DataFrame:
    """``hris_id``, ``justworks_id`` and mapped ``employee_id`` of everybody in the extract, employed people first, and
    of quarantined members that are in no row."""
    listed = rows[["hris_id", "justworks_id"]].assign(employee_id=column_or_nulls(rows, "employee_id"))
    listed = concat_rows(listed[rows["employed"]], listed[~rows["employed"]])
    unlisted = {member.hris_id: member.employee_id for member in context.quarantined if member.hris_id}
    ids = text_series(unlisted.values() if named_by_justworks else [None] * len(unlisted))
    quarantined = pd.DataFrame({"hris_id": text_series(unlisted), "justworks_id": ids, "employee_id": ids})
    quarantined = quarantined[~is_in(quarantined["hris_id"], rows["hris_id"])]
    if named_by_justworks:
        listed["employee_id"] = listed["employee_id"].fillna(listed["justworks_id"])
    return concat_rows(listed, quarantined)


def _shared_by_quarantined(rows: pd.DataFrame, members: pd.DataFrame) -> pd.Series:
    """Quarantined rows of people who are employed and share their EmployeeId: it names nobody for certain."""
    bad = rows["leaver_only"].astype(bool) & rows["employed"]
    shared = members.loc[members["employee_id"].duplicated(keep=False), "employee_id"]
    return bad & is_in(lookup(rows["hris_id"], members["hris_id"], members["employee_id"]), shared)


def _find_reused_ids(rows: pd.DataFrame, written: pd.DataFrame) -> pd.Series:
    """hris_ids of members who are no user and whose EmployeeId another person's user will have: one who differs in
    email, and in name or birth date. Quarantined and left out rows are not among them."""
    is_unwritten = rows["user_id"].isna() & rows["exclusion"].isna() & ~rows["leaver_only"].astype(bool)
    is_unwritten &= ~is_in(rows["hris_id"], written["hris_id"])
    unwritten = rows_where(rows, is_unwritten & is_in(column_or_nulls(rows, "employee_id"), written["employee_id"]))
    if unwritten.empty:
        return unwritten["hris_id"]
    holders = written[is_in(written["employee_id"], unwritten["employee_id"])]
    same = pd.Series(False, index=unwritten.index)
    for parts in _SAME_PERSON:
        keys = casefold_key(*(column_or_nulls(unwritten, part) for part in parts))
        other_keys = casefold_key(*(column_or_nulls(holders, part) for part in parts))
        same |= null_as_false(keys == lookup(unwritten["employee_id"], holders["employee_id"], other_keys))
    return unwritten.loc[~same, "hris_id"]


def _with_former_rows(rows: pd.DataFrame, written: pd.DataFrame) -> pd.DataFrame:
    """The rows; a supervisor who left under one member id and is back under another gets the EmployeeId that the new
    row has, so that those who still name the old id are resolved."""
    if not {"supervisor_id", "employee_id"}.issubset(rows.columns):
        return rows
    is_former = ~rows["employed"] & rows["employee_id"].isna()
    former = rows_where(rows, is_former & is_in(rows["hris_id"], rows["supervisor_id"]))
    for parts in _SAME_PERSON if len(former) else ():
        keys = casefold_key(*(column_or_nulls(former, part) for part in parts))
        other_keys = casefold_key(*(column_or_nulls(written, part) for part in parts))
        alike = lookup(keys, other_keys, written["employee_id"])
        rows = rows.assign(employee_id=rows["employee_id"].fillna(alike.reindex(rows.index)))
    return rows


def _resolve_references(
    rows: pd.DataFrame, references: Mapping[str, str], people: PersonLookup
) -> tuple[pd.DataFrame, dict[str, pd.Series], dict[str, tuple[str, ...]]]:
    """The rows with EmployeeIds instead of references; by field, for which rows the stored value stays; and
    warnings."""
    warnings: dict[str, tuple[str, ...]] = {}
    retained: dict[str, pd.Series] = {}
    for name, source in references.items():
        resolved = people.resolve(rows[name], by_hris_id=source in _SUPERVISORS)
        unknown = rows.loc[rows[name].notna() & resolved.employee_ids.isna() & ~resolved.uncertain, "hris_id"]
        code = "supervisor_unknown" if name == "supervisor_id" else "associated_unknown"
        warnings[code] = tuple(dict.fromkeys((*warnings.get(code, ()), *unknown)))
        retained[name] = resolved.uncertain
        rows = rows.assign(**{name: resolved.employee_ids})
    cycle = in_cycle(rows["employee_id"], column_or_nulls(rows, "supervisor_id"))
    warnings["supervisor_cycle"] = tuple(rows.loc[cycle, "hris_id"])
    return rows, retained, warnings


def _reference_columns(rows: pd.DataFrame, settings: Settings) -> dict[str, str]:
    """Columns that name another person, with the source that feeds each."""
    named = {item.name.column: item.source for item in effective_metadata(settings) if item.type == "associated"}
    named["supervisor_id"] = effective_mapping(settings).get("supervisor_id", "")
    return {name: source for name, source in named.items() if name in rows.columns}


def rejected_claims(claims: pd.DataFrame, taken: pd.Series) -> pd.Series:
    """Which claims on unique values must fail, whatever the order of the rows.

    Whoever has a value keeps it, unless they move to another one themselves; a claim that fails falls back to what
    the claimant has, which can make another claim fail in turn. Among newcomers the smallest ``order`` wins.

    Args:
        claims: ``claimed`` (null: wants none), ``held`` (null: has none; unique) and ``order`` (text, unique), one row
            a person.
        taken: Values held by people who claim nothing.

    Returns:
        A boolean Series on the index of ``claims``.
    """
    failed = pd.Series(False, index=claims.index)
    while True:
        final = claims["claimed"].mask(failed, claims["held"])
        contested = final.notna() & (final.duplicated(keep=False) | is_in(final, taken))
        if not contested.any():
            return failed
        group = claims[contested].assign(
            final=final[contested], keeps=null_as_false(final == claims["held"])[contested]
        )
        group = group.sort_values(["keeps", "order"], ascending=[False, True])
        losing = ~group["keeps"] & (group["final"].duplicated() | is_in(group["final"], taken))
        if not losing.any():
            return failed
        failed.loc[group.index[losing]] = True
