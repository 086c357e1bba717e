"""Emails and phones on the wires."""

import phonenumbers

from .countries import country
from .wire_values import Notes, as_list, as_object, first_text, holds_nothing, is_empty, scalar, type_word


def read_emails(value: object, spellings: tuple[str, ...], notes: Notes) -> tuple[str | None, str | None]:
    """(email, secondary email)."""
    if is_empty(value):
        return None, None
    notes.sent.update(("email", "secondary_email"))
    work: list[str] = []
    personal: list[str] = []
    untyped: list[str] = []
    for item in as_list(value):
        holder = as_object(item)
        address = scalar(item, is_id=True) if isinstance(item, str) else first_text(holder, spellings)[0]
        if address is None or "@" not in address:
            continue
        word = type_word(holder)
        if word in ("work", "work_email"):
            work.append(address)
        elif word in ("personal", "home", "personal_email", "home_email"):
            personal.append(address)
        elif word == "":
            untyped.append(address)
    if len(untyped) == 1 and not work:
        work = untyped
    if work:
        return work[0], (personal[0] if personal else None)
    if personal:
        return personal[0], None
    if not holds_nothing(value):
        notes.could_not_read("email", "secondary_email")
    return None, None


def joined_number(number: str, calling: str | None) -> str:
    if number.startswith("+") or calling is None:
        return number
    digits = calling.lstrip("+")
    if digits.isascii() and digits.isdigit():
        return f"+{digits}{number}"
    alpha_2 = country(calling)
    if alpha_2 is not None:
        return f"+{phonenumbers.country_code_for_region(alpha_2)}{number}"
    return number


def read_phone(value: object, spellings: tuple[str, ...], notes: Notes) -> str | None:
    if is_empty(value):
        return None
    notes.sent.add("phone_number")
    numbers: list[tuple[int, str]] = []
    for item in as_list(value):
        holder = as_object(item)
        number = scalar(item, is_id=True) if isinstance(item, str) else first_text(holder, spellings)[0]
        if number is None:
            continue
        calling, _ = first_text(holder, ("country_code", "calling_code"))
        word = type_word(holder)
        rank = 0 if word.startswith(("mobile", "cell")) else 1 if word.startswith("work") else 2
        numbers.append((rank, joined_number(number, calling)))
    if numbers:
        return min(numbers, key=lambda pair: pair[0])[1]
    if not holds_nothing(value):
        notes.could_not_read("phone_number")
    return None
