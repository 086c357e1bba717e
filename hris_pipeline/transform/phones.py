"""Phone numbers: national ones made international, when "+" is put before one, and whether one is a valid international
number.

Validity is asked of the ``phonenumbers`` library's numbering plans, as one regular expression a calling code run over
the whole column: parsing every number by itself costs thirty times as much. A trunk prefix after the calling code
(``+44 020 …``), which the library's parser forgives, does not count as valid: nobody can be sent a message there.
"""

from functools import cache

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

from hris_pipeline.transform.columns import from_arrow, to_arrow

__all__ = ["international", "is_international", "with_plus"]

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


def international(numbers: pd.Series, country: str) -> pd.Series:
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
    parsed = [_parsed(number, country) for number in sent.filter(other).to_pylist()]
    values = pc.replace_with_mask(sent, other, pa.array(parsed, pa.string()))
    return from_arrow(pc.if_else(plain, completed, values), numbers.index)


def _parsed(number: str, country: str) -> str:
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
    given = to_arrow(numbers)
    bare = pc.match_substring_regex(given, _BARE_NUMBER)
    return from_arrow(pc.if_else(bare, pc.binary_join_element_wise("+", given, ""), given), numbers.index)


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
