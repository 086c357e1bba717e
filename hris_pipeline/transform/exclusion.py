"""Who is left out of an import, and why: the rules of ``do_not_import``, and the service account that the connection
adds. Being left out is neither being absent nor having left."""

import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.settings.document import Rule, Settings
from hris_pipeline.settings.rules import match_rules
from hris_pipeline.transform.columns import (
    FLAG,
    TEXT,
    casefold_key,
    from_arrow,
    is_in,
    null_as_false,
    to_arrow,
)
from hris_pipeline.transform.source_columns import SourceColumns
from hris_pipeline.transform.unread import UnreadFields

__all__ = ["SERVICE_ACCOUNT", "exclusion_columns"]

SERVICE_ACCOUNT = "service_account"
"""The ``exclusion`` of the third-party Admin or Accountant that the connection adds."""

_SERVICE_ACCOUNT = r"^\s*service\s+account\s*$"
_THIRD_PARTY = r"^[\s_]*3rd[\s_-]*party[\s_-]*admin[\s_-]*[/\\\x{2044}\x{2215}]?[\s_-]*accountant[\s_]*$"
_RESIDENCE = ("residence_city", "residence_state", "residence_country")


def exclusion_columns(source: SourceColumns, settings: Settings, unread: UnreadFields) -> pd.DataFrame:
    """``exclusion``: null, ``rule:<name>`` of the first rule that matches, or ``service_account``, which comes before
    any rule; and ``archive_existing``: whether that rule archives who is a user. A rule archives nobody because of a
    field that the source sent and nobody could read."""
    rule = match_rules(settings.do_not_import, source)
    archiving = [entry for entry in settings.do_not_import if entry.archive_existing]
    archive_existing = is_in(rule, [entry.name for entry in archiving])
    for entry in archiving:
        archive_existing &= ~(null_as_false(rule == entry.name) & _is_doubtful(entry, unread))
    service = _is_service_account(source, unread)
    return pd.DataFrame(
        {
            "exclusion": ("rule:" + rule).mask(service, SERVICE_ACCOUNT).astype(TEXT),
            "archive_existing": (archive_existing & ~service).astype(FLAG),
        }
    )


def _is_doubtful(rule: Rule, unread: UnreadFields) -> pd.Series:
    return unread.any_of([condition.field for condition in rule.conditions])


def _is_service_account(source: SourceColumns, unread: UnreadFields) -> pd.Series:
    """Recognised by marker, and because nothing is known of it that is known of a person."""
    first, last = source("first_name"), source("last_name")
    whole = from_arrow(pc.binary_join_element_wise(to_arrow(first), to_arrow(last), " "), first.index)
    marked = [_is(text, _SERVICE_ACCOUNT) for text in (source("job_title"), last)]
    marked += [_is(text, _THIRD_PARTY) for text in (source("employment_type"), first, last, whole)]
    nameless = ("birth_date", *_RESIDENCE)
    empty = pd.concat([source(column).isna() for column in nameless], axis="columns").all(axis="columns")
    return pd.concat(marked, axis="columns").any(axis="columns") & empty & ~unread.any_of(nameless)


def _is(texts: pd.Series, pattern: str) -> pd.Series:
    return null_as_false(from_arrow(pc.match_substring_regex(to_arrow(casefold_key(texts)), pattern), texts.index))
