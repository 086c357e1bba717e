"""The limits of the guards: one entry a guard, one class a guard because each has its own defaults.

``incomplete_extract`` has no limit and so no entry: an incomplete extract always holds its change set.
A percentage counts only from ``min_people`` affected on, and is of the users whom the change set could affect.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from hris_pipeline.settings.values import StrictModel

__all__ = [
    "ArchiveLimit",
    "CreateLimit",
    "EmailChangeLimit",
    "EmployeeIdMismatch",
    "FieldWipe",
    "GuardLimits",
    "IdentityChange",
    "QuarantineGrowth",
    "SlowBleed",
    "UnreadField",
]

Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(abs)]  # -0.0 is 0
People = Annotated[int, Field(ge=1)]


class ArchiveLimit(StrictModel):
    """Holds when one change set archives too many."""

    percent: Percent = Field(10.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many archives, `percent` is ignored.")
    people: People = Field(100, description="Trips above so many archives, or `people_percent` when that is more.")
    people_percent: Percent = Field(3.0, description="Raises `people` to this share of managed active users.")
    small_people: People = Field(2, description="Below so many archives, `small_percent` is ignored.")
    small_percent: Percent = Field(50.0, description="Trips from this share on: for companies too small for `percent`.")


class SlowBleed(StrictModel):
    """Holds when many small imports add up to too many archives."""

    days: int = Field(7, ge=1, le=90, description="How many days back archives count together.")
    percent: Percent = Field(20.0, description="Trips above this share of managed active users and those archived.")
    min_people: People = Field(5, description="Below so many archives, `percent` is ignored.")


class CreateLimit(StrictModel):
    """Holds when one change set creates too many; not on a first import."""

    percent: Percent = Field(50.0, description="Trips above this share of managed users and local ones linked.")
    min_people: People = Field(25, description="Below so many creates, `percent` is ignored.")


class EmployeeIdMismatch(StrictModel):
    """Holds when people who are known would carry another EmployeeId than stored."""

    percent: Percent = Field(5.0, description="Trips above this share of the people matched.")
    min_people: People = Field(5, description="Below so many people, `percent` is ignored.")


class EmailChangeLimit(StrictModel):
    """Holds when too many emails change."""

    percent: Percent = Field(20.0, description="Trips above this share of managed users and local ones linked.")
    min_people: People = Field(5, description="Below so many changes, `percent` is ignored.")


class IdentityChange(StrictModel):
    """Holds when too many people come back under other member ids; then none of them is re-linked unasked."""

    percent: Percent = Field(5.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many people, `percent` is ignored.")


class QuarantineGrowth(StrictModel):
    """Holds when too many users are quarantined who were not at the last applied import."""

    percent: Percent = Field(5.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many users, `percent` is ignored.")


class UnreadField(StrictModel):
    """Holds when a field is sent, but in a shape that nothing can be read from, by too many."""

    percent: Percent = Field(50.0, description="Trips above this share of the members who send the field.")
    min_people: People = Field(5, description="Below so many members, `percent` is ignored.")


class FieldWipe(StrictModel):
    """Holds when one field becomes empty for too many."""

    percent: Percent = Field(30.0, description="Trips above this share of the users who have the field.")
    min_people: People = Field(5, description="Below so many users, `percent` is ignored.")


class GuardLimits(StrictModel):
    """The limits of every guard that has some."""

    archive_limit: ArchiveLimit = Field(ArchiveLimit(), description="Archives of one change set.")
    slow_bleed: SlowBleed = Field(SlowBleed(), description="Archives of the last days, approved imports left out.")
    create_limit: CreateLimit = Field(CreateLimit(), description="Creates of one change set; not on a first import.")
    employee_id_mismatch: EmployeeIdMismatch = Field(
        EmployeeIdMismatch(), description="Known people who would carry another EmployeeId than stored."
    )
    email_change_limit: EmailChangeLimit = Field(EmailChangeLimit(), description="Changed emails of one change set.")
    identity_change: IdentityChange = Field(
        IdentityChange(), description="People who come back under other member ids."
    )
    quarantine_growth: QuarantineGrowth = Field(
        QuarantineGrowth(), description="Users quarantined who were not at the last applied import."
    )
    unread_field: UnreadField = Field(
        UnreadField(), description="Members of whom a field is sent, but nothing can be read."
    )
    field_wipe: FieldWipe = Field(FieldWipe(), description="Users for whom one field would become empty.")
