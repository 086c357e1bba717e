"""A Partner API member as read, whatever its spelling: what needs more than one key of it, and the columns of which
there is something that could not be read. Which column takes what of it is the wire's table."""

from collections.abc import Mapping
from typing import Any

from hris_pipeline.sources.protocol import Company, Office
from hris_pipeline.sources.raw_columns import chosen_phone, pick_emails, read_contacts
from hris_pipeline.sources.records import SPELLINGS, holds_something, scalar, spelled
from hris_pipeline.sources.shapes import (
    employment_start,
    home_of,
    read_custom_values,
    read_department,
    read_employment,
    read_manager,
    read_numbers,
    read_office_place,
    read_spells,
    sum_up_spells,
)

__all__ = ["COLUMNS_OF", "CUSTOM_VALUES_KEY", "Member", "Person"]

CUSTOM_VALUES_KEY = "custom_field_values"
"""Where a member's custom field values stand in its archived line."""

COLUMNS_OF: Mapping[str, tuple[str, ...]] = {
    "name": ("first_name", "last_name", "preferred_first_name"),
    "emails": ("email", "secondary_email"),
    "phones": ("phone_number",),
    "addresses": ("residence_city", "residence_state", "residence_country", "country_code"),
    "office": ("employment_city", "employment_state", "employment_country"),
    "current_employment": ("employment_subtype", "country_code"),
    "employment_history": ("latest_rehire_date",),
    "department": ("department",),
    "manager": ("supervisor_hris_id", "supervisor_justworks_id"),
    CUSTOM_VALUES_KEY: ("custom_fields",),
}
"""By key of a member that holds a list or an object: the columns that are unread when nothing can be read there."""

Member = Mapping[str, Any]


class Person:
    """A member as read: what needs more than one key of it. ``unread`` names, by the member's key, the columns of which
    it holds something that could not be read; their values are None."""

    __slots__ = (
        *("country", "custom", "department", "email", "home", "member", "name", "office", "phone", "rehired"),
        *("secondary_email", "spells", "subtype", "supervisor", "unread"),
    )

    def __init__(self, member: Member, company: Company, offices: Mapping[str, Office]) -> None:
        self.member = member
        self.unread: dict[str, tuple[str, ...]] = {}
        self._read_name(member.get("name"))
        self.email, self.secondary_email, unread = pick_emails(read_contacts(member.get("emails"), SPELLINGS["email"]))
        if unread:
            self.unread["emails"] = unread
        self.phone, no_phone = chosen_phone(read_numbers(member.get("phones")))
        if no_phone:
            self.unread["phones"] = COLUMNS_OF["phones"]
        self._read_places(member, company, offices)
        self._read_work(member, company)

    def _read_name(self, name: object) -> None:
        self.name = name if isinstance(name, dict) else {}
        if holds_something(name) and not any(spelled(self.name, keys) for keys in SPELLINGS["name"].values()):
            self.unread["name"] = COLUMNS_OF["name"]

    def _read_places(self, member: Member, company: Company, offices: Mapping[str, Office]) -> None:
        self.home, homeless = home_of(member.get("addresses"), company.offices)
        self.office, nowhere = read_office_place(member.get("office"), offices)
        if nowhere:
            self.unread["office"] = COLUMNS_OF["office"]
        country, self.subtype, no_employment = read_employment(member.get("current_employment"))
        self.country = country or self.home.country
        if no_employment:
            self.unread["current_employment"] = COLUMNS_OF["current_employment"][: 1 if country else 2]
        if homeless:
            self.unread["addresses"] = COLUMNS_OF["addresses"][: 3 if country else 4]

    def _read_work(self, member: Member, company: Company) -> None:
        spells, no_history = read_spells(member.get("employment_history"))
        first = scalar(member.get("employment_start_date"))
        began = None if no_history else employment_start(member.get("current_employment"))
        self.rehired, self.spells = sum_up_spells(spells, began, first)
        self.department, no_department = read_department(member.get("department"), company.departments)
        self.supervisor, nobody = read_manager(member.get("manager"))
        self.custom, no_values = read_custom_values(member.get(CUSTOM_VALUES_KEY))
        for is_unread, key in (
            (no_history, "employment_history"),
            (no_department, "department"),
            (nobody, "manager"),
            (no_values, CUSTOM_VALUES_KEY),
        ):
            if is_unread:
                self.unread[key] = COLUMNS_OF[key]
