"""Normalise: a source's raw columns become the employee columns, cleaned and completed, every one of them still text;
country codes and phone numbers in their one spelling.

What is wrong with a value is not decided here but in ``validate``; so dates and flags stay as they were received.
Whether a phone number is valid is asked of the ``phonenumbers`` library's numbering plans, as one regular expression
a calling code run over the whole column: parsing every number by itself costs thirty times as much. A trunk prefix
after the calling code (``+44 020 …``), which the library's parser forgives, does not count as valid: nobody can be
sent a message there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
    country_code_for_region,
    format_number,
    is_valid_number,
    parse,
)

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, EMPLOYEE_FIELDS_BY_NAME, RAW_COLUMNS
from hris_pipeline.transform.columns import (
    arrow_frame,
    clean_text,
    from_arrow,
    is_in,
    lookup,
    null_as_false,
    rows_where,
    text_from_source,
    text_series,
    to_arrow,
    to_date,
    to_flag,
)
from hris_pipeline.transform.eligibility import employment_columns, has_left, is_employed

__all__ = [
    "Normalised",
    "complete_numbers",
    "is_international",
    "newest_rows",
    "normalise",
    "to_alpha2",
    "with_plus",
    "without_no_end",
]

_ALPHA3 = """
    ABW:AW AFG:AF AGO:AO AIA:AI ALA:AX ALB:AL AND:AD ARE:AE ARG:AR ARM:AM ASC:AC ASM:AS ATA:AQ ATF:TF ATG:AG AUS:AU
    AUT:AT AZE:AZ BDI:BI BEL:BE BEN:BJ BES:BQ BFA:BF BGD:BD BGR:BG BHR:BH BHS:BS BIH:BA BLM:BL BLR:BY BLZ:BZ BMU:BM
    BOL:BO BRA:BR BRB:BB BRN:BN BTN:BT BVT:BV BWA:BW CAF:CF CAN:CA CCK:CC CHE:CH CHL:CL CHN:CN CIV:CI CMR:CM COD:CD
    COG:CG COK:CK COL:CO COM:KM CPV:CV CRI:CR CUB:CU CUW:CW CXR:CX CYM:KY CYP:CY CZE:CZ DEU:DE DJI:DJ DMA:DM DNK:DK
    DOM:DO DZA:DZ ECU:EC EGY:EG ERI:ER ESH:EH ESP:ES EST:EE ETH:ET FIN:FI FJI:FJ FLK:FK FRA:FR FRO:FO FSM:FM GAB:GA
    GBR:GB GEO:GE GGY:GG GHA:GH GIB:GI GIN:GN GLP:GP GMB:GM GNB:GW GNQ:GQ GRC:GR GRD:GD GRL:GL GTM:GT GUF:GF GUM:GU
    GUY:GY HKG:HK HMD:HM HND:HN HRV:HR HTI:HT HUN:HU IDN:ID IMN:IM IND:IN IOT:IO IRL:IE IRN:IR IRQ:IQ ISL:IS ISR:IL
    ITA:IT JAM:JM JEY:JE JOR:JO JPN:JP KAZ:KZ KEN:KE KGZ:KG KHM:KH KIR:KI KNA:KN KOR:KR KWT:KW LAO:LA LBN:LB LBR:LR
    LBY:LY LCA:LC LIE:LI LKA:LK LSO:LS LTU:LT LUX:LU LVA:LV MAC:MO MAF:MF MAR:MA MCO:MC MDA:MD MDG:MG MDV:MV MEX:MX
    MHL:MH MKD:MK MLI:ML MLT:MT MMR:MM MNE:ME MNG:MN MNP:MP MOZ:MZ MRT:MR MSR:MS MTQ:MQ MUS:MU MWI:MW MYS:MY MYT:YT
    NAM:NA NCL:NC NER:NE NFK:NF NGA:NG NIC:NI NIU:NU NLD:NL NOR:NO NPL:NP NRU:NR NZL:NZ OMN:OM PAK:PK PAN:PA PCN:PN
    PER:PE PHL:PH PLW:PW PNG:PG POL:PL PRI:PR PRK:KP PRT:PT PRY:PY PSE:PS PYF:PF QAT:QA REU:RE ROU:RO RUS:RU RWA:RW
    SAU:SA SDN:SD SEN:SN SGP:SG SGS:GS SHN:SH SJM:SJ SLB:SB SLE:SL SLV:SV SMR:SM SOM:SO SPM:PM SRB:RS SSD:SS STP:ST
    SUR:SR SVK:SK SVN:SI SWE:SE SWZ:SZ SXM:SX SYC:SC SYR:SY TCA:TC TCD:TD TGO:TG THA:TH TJK:TJ TKL:TK TKM:TM TLS:TL
    TON:TO TTO:TT TUN:TN TUR:TR TUV:TV TWN:TW TZA:TZ UGA:UG UKR:UA UMI:UM URY:UY USA:US UZB:UZ VAT:VA VCT:VC VEN:VE
    VGB:VG VIR:VI VNM:VN VUT:VU WLF:WF WSM:WS XKX:XK YEM:YE ZAF:ZA ZMB:ZM ZWE:ZW
"""
"""Every code of ISO 3166-1, and XKX, which sources use for Kosovo."""

_PAIRS = [pair.split(":") for pair in _ALPHA3.split()]

_KEYS, _VALUES = (pa.array(codes) for codes in zip(*_PAIRS, strict=True))


def to_alpha2(codes: pd.Series) -> pd.Series:
    """The codes in upper case, alpha-3 as alpha-2; whatever is neither stays for validation to see."""
    upper = pc.utf8_upper(to_arrow(codes))
    return from_arrow(pc.coalesce(_VALUES.take(pc.index_in(upper, value_set=_KEYS)), upper), codes.index)


_EPOCH = re.compile(r"[0-9]{9,16}(\.[0-9]*)?")

_UTC = re.compile(r"\s*(UTC|GMT|Z)$", re.IGNORECASE)

_SECOND = 1e6

_PLACEHOLDERS = datetime(2200, 1, 1, tzinfo=UTC).timestamp() * _SECOND

_FIRST_MILLISECONDS = 1e11

_NO_ENDS = (date(1900, 1, 1), date(1970, 1, 1))

_NO_END_YEAR = 9999
"""Beside ``_NO_ENDS``, what sources write for an employment without an end."""

_FLAG_TEXT = {True: "true", False: "false"}


@dataclass(frozen=True)
class Normalised:
    """``rows``: the employee columns as text, in catalogue order, one row a member. ``unread``: what the source sent
    though nobody could read it, one line an ``hris_id`` and employee ``column``; such a column is null in ``rows``
    without being empty. ``spells``: what the source tells of employments beside the columns, one line a spell:
    ``hris_id``, ``start`` and ``end`` (dates; null: no end is told)."""

    rows: pd.DataFrame
    unread: pd.DataFrame
    spells: pd.DataFrame


def normalise(columns: "Mapping[str, Sequence[object] | pa.Array]", on: date = date.max) -> Normalised:
    """The employee columns of every member.

    Text is cleaned by its rule in the catalogue, blank is null, country codes are alpha-2 in upper case, and whatever
    names a contractor is ``contractor``. Dates and flags (``true``, ``false``) stay text until ``validate`` reads them.
    Rows whose ids are equal once they are cleaned are one member: ``newest_rows`` says which counts.
    Derived: ``supervisor_justworks_id`` from the manager's own row; ``is_manager`` waits for ``validate``, which knows
    the day.

    Args:
        columns: equally long, Arrow as a source gives them, or lists of text or None; ``active`` may hold booleans. A
            column that is missing is empty for everybody. Beside the raw columns: ``unread`` lists the employee columns
            that could not be read, ``spells`` is text, ISO dates ``start/end``
            with blanks between, ``updated_at`` text.
        on: the day for which ``newest_rows`` asks who works; without it only those who have no end do.
    """
    length = len(next(iter(columns.values()), ()))
    sent = {name: columns.get(name, [None] * length) for name in RAW_COLUMNS}
    sent["active"] = _flag_text(sent["active"])
    texts = {name: to_arrow(_clean_column(name, text_from_source(sent[name]))) for name in RAW_COLUMNS}
    frame = arrow_frame(texts)
    newest = newest_rows(frame["hris_id"], sent | dict(columns) | {"active": sent["active"]}, on)
    unread = _list_unread_columns(frame["hris_id"], columns.get("unread", [()] * length), newest)
    spells = _parse_spells(frame["hris_id"], columns.get("spells", [None] * length), newest)
    frame = rows_where(frame, newest).reset_index(drop=True)
    frame["country_code"] = to_alpha2(frame["country_code"])
    frame["employment_type"] = _employment_type(frame["employment_type"])
    frame["supervisor_justworks_id"] = lookup(frame["supervisor_hris_id"], frame["hris_id"], frame["justworks_id"])
    frame["is_manager"] = from_arrow(pa.nulls(len(frame), pa.string()), frame.index)
    return Normalised(frame[list(EMPLOYEE_COLUMNS)], unread, spells)


def without_no_end(ends: pd.Series) -> pd.Series:
    """End dates, null for the placeholders that sources write where there is no end."""
    return ends.mask(null_as_false(ends.dt.year == _NO_END_YEAR) | ends.isin(_NO_ENDS))


def _flag_text(values: "Sequence[object] | pa.Array") -> "Sequence[object] | pa.Array":
    if isinstance(values, pa.Array):
        return values.cast(pa.string())
    return [_FLAG_TEXT[value] if isinstance(value, bool) else value for value in values]


def _clean_column(name: str, texts: pd.Series) -> pd.Series:
    """The column cleaned by the field's rule, dates and flags like ids. Custom fields are JSON that a wire wrote: their
    texts are cleaned when they are taken out of it."""
    field = EMPLOYEE_FIELDS_BY_NAME[name]
    if field.kind == "custom":
        return texts
    return clean_text(texts, field.text if field.kind == "text" else "id")


def newest_rows(hris_ids: pd.Series, columns: "Mapping[str, Sequence[object] | pa.Array]", on: date) -> pd.Series:
    """Which rows count, as plain booleans: of those with one hris_id the newest; without an id each for itself. Where
    it is not certain which is newest (equal ``updated_at``, or none that can be read) who works wins, then who is not
    known to have left, then the later end, so that nobody leaves by rows that contradict each other; or else the last.

    Args:
        hris_ids: cleaned.
        columns: as of ``normalise``.
        on: the day on which somebody works.
    """
    repeated = hris_ids.notna() & hris_ids.duplicated(keep=False)
    if not repeated.any():
        return ~repeated
    stamps = text_from_source(columns.get("updated_at", [None] * len(hris_ids)))
    moments = pd.Series(
        [_parse_stamp(stamp) for stamp in to_arrow(stamps).to_pylist()], index=hris_ids.index, dtype="float64"
    )
    rivals = repeated & ~(moments < moments.groupby(hris_ids).transform("max"))
    order = _employment_order(columns, len(hris_ids), on).set_index(hris_ids.index)
    order["moment"] = moments.fillna(-np.inf)
    ordered = hris_ids[order[rivals].sort_values(list(order.columns), kind="stable").index]
    return ~repeated | hris_ids.index.isin(ordered.index[~ordered.duplicated(keep="last")])


def _employment_order(columns: "Mapping[str, Sequence[object] | pa.Array]", length: int, on: date) -> pd.DataFrame:
    """Columns to sort the rows of one member by, the first counts most: the last row is the one that says most surely
    that the person works."""
    names = ("hire_date", "latest_rehire_date", "termination_date")
    sent = {name: columns.get(name, [None] * length) for name in names}
    rows = pd.DataFrame({name: to_date(_clean_column(name, text_from_source(sent[name]))) for name in names})
    rows["active"] = to_flag(text_from_source(_flag_text(columns["active"])))
    rows["hris_id"] = numbers = text_series(map(str, range(length)))
    everybody = pd.Series(True, index=rows.index)
    unread = _list_unread_columns(numbers, columns.get("unread", [()] * length), everybody)
    starts_unread = is_in(numbers, unread.loc[unread["column"].isin(names[:2]), "hris_id"])
    rows["termination_date"] = without_no_end(rows["termination_date"]).mask(starts_unread | rows["active"].isna())
    spells = _parse_spells(numbers, columns.get("spells", [None] * length), everybody)
    employment = employment_columns(rows, spells, unread, on)
    ends = to_arrow(employment["termination_date"]).cast(pa.int32())
    states = {
        "works": is_employed(employment, on),
        "stays": ~has_left(employment, on),
        "is_not_inactive": employment["active"].fillna(True).astype(bool),
        "is_active": null_as_false(employment["active"]),
        "end": pd.Series(pc.fill_null(ends, date.max.toordinal()).to_numpy(zero_copy_only=False), index=rows.index),
    }
    return pd.DataFrame(states)


def _parse_stamp(stamp: str | None) -> float | None:
    """Microseconds since 1970 of ISO 8601 with a zone or UTC, RFC 1123, seconds or milliseconds; None where it cannot
    be read, and for a placeholder: up to the beginning of 1970, or from 2200 on."""
    text = (stamp or "").strip()
    try:
        if _EPOCH.fullmatch(text):
            moment = float(text) * (_SECOND if float(text) < _FIRST_MILLISECONDS else _SECOND / 1000)
        else:
            moment = (_read_moment(text) - datetime.fromtimestamp(0, UTC)) / timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if 0 < moment < _PLACEHOLDERS else None


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_UTC.sub("Z", text))
    except ValueError:
        moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_spells(hris_ids: pd.Series, spells: "Sequence[object] | pa.Array", newest: pd.Series) -> pd.DataFrame:
    texts = text_from_source(spells)
    counts = (texts.notna() & newest & hris_ids.notna()).to_numpy().nonzero()[0]
    lines = [
        (hris_id, *spell.split("/"))
        for hris_id, text in zip(hris_ids.iloc[counts], texts.iloc[counts], strict=True)
        for spell in text.split()
    ]
    ids, starts, ends = map(text_from_source, zip(*lines, strict=True) if lines else ((), (), ()))
    return pd.DataFrame({"hris_id": ids, "start": to_date(starts), "end": to_date(ends)})


def _list_unread_columns(hris_ids: pd.Series, names: "Sequence[object] | pa.Array", newest: pd.Series) -> pd.DataFrame:
    lists = names if isinstance(names, pa.Array) else pa.array(names, pa.list_(pa.string()))
    rows = pc.list_parent_indices(lists)
    ids = to_arrow(hris_ids).take(rows)
    counts = pc.and_(pc.is_valid(ids), pa.array(newest.to_numpy()).take(rows))
    columns = pc.list_flatten(lists).filter(counts)
    return arrow_frame({"hris_id": ids.filter(counts), "column": columns})


def _employment_type(sent: pd.Series) -> pd.Series:
    """Sources name contractors in several ways, and rules must recognise them all; every other word stays."""
    contractor = pc.match_substring(to_arrow(sent), "contractor", ignore_case=True)
    return from_arrow(pc.if_else(contractor, "contractor", to_arrow(sent)))


_PUNCTUATION = r"[\s().\-/]"

_BARE_NUMBER = r"^\(?\d[\d\s().\-/]*$"

_LONGEST_CALLING_CODE = 3

_NORTH_AMERICA = 1

_TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


def complete_numbers(numbers: pd.Series, country: str) -> pd.Series:
    """The numbers, with national ones of the country completed: "+", the calling code and digits alone, then an
    extension where there is one. What begins with "+", and what is no number of that country, stays as it is.

    Args:
        numbers: Cleaned text.
        country: ISO 3166-1 alpha-2.
    """
    sent = to_arrow(numbers)
    national = pc.fill_null(pc.invert(pc.starts_with(sent, "+")), False)
    code = country_code_for_region(country)
    completed = pc.binary_join_element_wise(f"+{code}", pc.replace_substring_regex(sent, _PUNCTUATION, ""), "")
    plain = pc.and_(national, pc.fill_null(pc.match_substring_regex(completed, _valid_numbers(code)), False))
    if code != _NORTH_AMERICA:  # elsewhere a trunk prefix may look like the number's own digit
        plain = pc.and_(plain, False)
    other = pc.and_(national, pc.invert(plain))
    parsed = [_complete_number(number, country) for number in sent.filter(other).to_pylist()]
    values = pc.replace_with_mask(sent, other, pa.array(parsed, pa.string()))
    return from_arrow(pc.if_else(plain, completed, values), numbers.index)


def _complete_number(number: str, country: str) -> str:
    try:
        parsed = parse(number, country)
    except NumberParseException:
        return number
    if not is_valid_number(parsed):
        return number
    extension = f" x{parsed.extension}" if parsed.extension else ""
    return f"{format_number(parsed, PhoneNumberFormat.E164)}{extension}"


def with_plus(numbers: pd.Series) -> pd.Series:
    """The numbers, with "+" before those that are a bare number; what has one, and free text, stays as it is."""
    texts = to_arrow(numbers)
    bare = pc.match_substring_regex(texts, _BARE_NUMBER)
    return from_arrow(pc.if_else(bare, pc.binary_join_element_wise("+", texts, ""), texts), numbers.index)


def is_international(numbers: pd.Series) -> pd.Series:
    """Whether each is "+", a calling code and a number its numbering plan knows, punctuation aside; null for null."""
    plain = pc.replace_substring_regex(to_arrow(numbers), _PUNCTUATION, "")
    valid = pc.and_(pc.is_null(plain), False)
    for length in range(1, _LONGEST_CALLING_CODE + 1):
        for code in pc.unique(pc.utf8_slice_codeunits(plain, 1, 1 + length)).to_pylist():
            if code and code.isascii() and code.isdigit() and int(code) in COUNTRY_CODE_TO_REGION_CODE:
                valid = pc.or_(valid, pc.fill_null(pc.match_substring_regex(plain, _valid_numbers(int(code))), False))
    return from_arrow(pc.if_else(pc.is_valid(plain), valid, pa.scalar(None, pa.bool_())), numbers.index)


@cache
def _valid_numbers(calling_code: int) -> str:
    plans = [
        PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
        for region in COUNTRY_CODE_TO_REGION_CODE[calling_code]
    ]
    kinds = [getattr(plan, kind) for plan in plans if plan for kind in _TYPES]
    patterns = dict.fromkeys(kind.national_number_pattern for kind in kinds if kind and kind.national_number_pattern)
    return rf"^\+{calling_code}(?:{'|'.join(patterns)})$"
