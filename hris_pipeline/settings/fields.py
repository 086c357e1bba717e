"""The field catalogue: every field of a person is one line here, with all that is true of it whatever the source.

What else is said of fields is made from these lines: the employee columns, the user fields and the columns of a user's
state, the default mapping and metadata, the user file's headers, and the columns each wire must give. How a wire reads
a field belongs to that wire; which checks a value must pass is made of its kind in ``transform.validate``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from hris_pipeline.errors import HrisError

__all__ = [
    "CUSTOM_PREFIX",
    "DEFAULT_METADATA",
    "EMPLOYEE_COLUMNS",
    "EMPLOYEE_FIELDS",
    "EMPLOYEE_FIELDS_BY_NAME",
    "METADATA_PREFIX",
    "RAW_COLUMNS",
    "USER_FIELDS",
    "USER_FIELDS_BY_NAME",
    "USER_FIELD_NAMES",
    "USER_STATE",
    "EmployeeField",
    "Kind",
    "MetadataName",
    "TextRule",
    "UserField",
    "require_getters",
    "sources_without",
]

Kind = Literal["text", "date", "flag", "custom"]
"""text, ISO 8601 date, boolean, or the JSON object of custom fields keyed by field id."""

TextRule = Literal["free", "name", "id", "email", "phone", "country"]
"""What a text is, which decides how it is cleaned and what it must look like."""

CUSTOM_PREFIX = "custom:"
"""How a custom field is named as a source: ``custom:`` and its label."""

METADATA_PREFIX = "#"
"""How the column of a metadata field begins, in frames, in ``changed`` and in the user file, before its name."""


class MetadataName(str):
    """The display name of a metadata field, the key under which its value is stored; ``column`` is how it is called
    beside the user fields (``#Name``). A type of its own, so that the two cannot be taken for each other."""

    __slots__ = ()

    @property
    def column(self) -> str:
        """``#Name``."""
        return f"{METADATA_PREFIX}{self}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, handler(str), serialization=core_schema.plain_serializer_function_ser_schema(str.__str__)
        )


@dataclass(frozen=True)
class _Feeds:
    """The user field that an employee column feeds by default: its name, its place in the user file's order, its header
    there (None: not in it), and its title where it is not the employee column's."""

    name: str
    place: int
    header: str | None = None
    title: str = ""


@dataclass(frozen=True)
class EmployeeField:
    """One employee column, that is, one field.

    ``text`` says how a text is cleaned and checked, ``limit`` is in characters, ``needed``: without it a row is
    quarantined. ``missing_in`` names the sources that never send it; ``derived``: made from all rows together, so no
    wire gives it. ``reference`` marks a column whose values name another person. ``feeds`` is the user field it feeds
    by default; ``metadata`` the place among the default metadata, where it stands under its title.
    """

    name: str
    title: str
    description: str
    kind: Kind = "text"
    text: TextRule = "free"
    limit: int | None = None
    needed: bool = False
    missing_in: tuple[str, ...] = ()
    derived: bool = False
    reference: bool = False
    feeds: _Feeds | None = None
    metadata: int | None = None


@dataclass(frozen=True)
class UserField:
    """One core user field: its name in the store, its title, its header in the user file (None: not in it), its kind
    and rule of text, the employee column that feeds it by default, and whether it names another person."""

    name: str
    title: str
    header: str | None
    source: str
    kind: Kind = "text"
    text: TextRule = "free"
    reference: bool = False


EMPLOYEE_FIELDS: tuple[EmployeeField, ...] = (
    EmployeeField(
        "hris_id",
        "HRIS Sync EmployeeId",
        "The source's own stable id; the link to the store.",
        text="id",
        limit=200,
        needed=True,
    ),
    EmployeeField(
        "justworks_id",
        "Justworks EmployeeId",
        "The id people see; editable and re-usable, never the link.",
        text="id",
        limit=100,
        feeds=_Feeds("employee_id", 0, "Employee Id", "EmployeeId"),
    ),
    EmployeeField(
        "supervisor_hris_id",
        "Supervisor Id",
        "The manager's hris_id; may point outside the extract.",
        text="id",
        limit=200,
        reference=True,
        feeds=_Feeds("supervisor_id", 10, "Supervisor Id"),
    ),
    EmployeeField(
        "supervisor_justworks_id",
        "Justworks Supervisor Id",
        "The manager's justworks_id; blank when the manager is not in the extract.",
        text="id",
        limit=100,
        derived=True,
        reference=True,
    ),
    EmployeeField(
        "first_name",
        "First Name",
        "Given name.",
        text="name",
        limit=100,
        needed=True,
        feeds=_Feeds("first_name", 1, "First Name"),
    ),
    EmployeeField(
        "last_name",
        "Last Name",
        "Family name.",
        text="name",
        limit=50,
        needed=True,
        feeds=_Feeds("last_name", 2, "Last Name"),
    ),
    EmployeeField(
        "preferred_first_name",
        "Preferred First Name",
        "The name the person goes by.",
        text="name",
        limit=100,
        feeds=_Feeds("preferred_first_name", 3, "Preferred Name"),
    ),
    EmployeeField(
        "email",
        "Email",
        "Work address, else the personal one.",
        text="email",
        limit=254,
        feeds=_Feeds("email", 4, "Email"),
    ),
    EmployeeField(
        "secondary_email",
        "Secondary Email",
        "Personal address, only when there is a work address.",
        text="email",
        limit=254,
        feeds=_Feeds("secondary_email", 5, "Secondary Email"),
    ),
    EmployeeField(
        "phone_number",
        "Phone Number",
        "Mobile, else work, else the first number.",
        text="phone",
        limit=100,
        feeds=_Feeds("phone_number", 6, "Phone"),
    ),
    EmployeeField(
        "birth_date",
        "Birth Date",
        "May be missing for a whole company (consent not given).",
        kind="date",
        feeds=_Feeds("birth_date", 7, "Birth Date"),
    ),
    EmployeeField(
        "hire_date", "Hire Date", "First start of employment.", kind="date", feeds=_Feeds("hire_date", 8, "Hire Date")
    ),
    EmployeeField(
        "latest_rehire_date",
        "Latest Rehire Date",
        "Latest start of employment when later than the first.",
        kind="date",
        feeds=_Feeds("latest_rehire_date", 9),
    ),
    EmployeeField(
        "country_code",
        "Country Code",
        "ISO 3166-1 alpha-2.",
        text="country",
        limit=2,
        feeds=_Feeds("country_code", 11, "Country Code"),
    ),
    EmployeeField("job_title", "JobTitle", "Job title.", limit=500, metadata=0),
    EmployeeField("department", "Department", "Name of the department.", limit=500, metadata=1),
    EmployeeField(
        "employment_type",
        "EmploymentType",
        "employee, contractor or the source's own word.",
        limit=100,
        metadata=2,
    ),
    EmployeeField(
        "employment_subtype", "EmploymentSubtype", "full_time, part_time, intern and so on.", limit=100, metadata=3
    ),
    EmployeeField(
        "is_manager",
        "IsManager",
        "Whether an active employee reports to this one.",
        kind="flag",
        derived=True,
        metadata=4,
    ),
    EmployeeField("class_code", "ClassCode", "Workers' compensation class code.", limit=100, missing_in=("justworks",)),
    EmployeeField("residence_city", "ResidenceCity", "City of the home address.", limit=200, metadata=6),
    EmployeeField("residence_state", "ResidenceState", "State of the home address.", limit=200, metadata=5),
    EmployeeField("residence_country", "ResidenceCountry", "Country of the home address.", limit=100, metadata=7),
    EmployeeField("employment_city", "EmploymentCity", "City of the office.", limit=200, metadata=9),
    EmployeeField("employment_state", "EmploymentState", "State of the office.", limit=200, metadata=8),
    EmployeeField("employment_country", "EmploymentCountry", "Country of the office.", limit=100, metadata=10),
    EmployeeField("custom_fields", "Custom Fields", "JSON object: text or list of texts by field id.", kind="custom"),
    EmployeeField("active", "Active", "Whether the source calls the person active.", kind="flag", needed=True),
    EmployeeField("termination_date", "Termination Date", "Last day worked.", kind="date"),
)

EMPLOYEE_FIELDS_BY_NAME: Mapping[str, EmployeeField] = {field.name: field for field in EMPLOYEE_FIELDS}

EMPLOYEE_COLUMNS: tuple[str, ...] = tuple(EMPLOYEE_FIELDS_BY_NAME)

RAW_COLUMNS: tuple[str, ...] = tuple(field.name for field in EMPLOYEE_FIELDS if not field.derived)
"""The employee columns that a source gives."""

USER_FIELDS: tuple[UserField, ...] = tuple(
    UserField(
        name=field.feeds.name,
        title=field.feeds.title or field.title,
        header=field.feeds.header,
        source=field.name,
        kind=field.kind,
        text=field.text,
        reference=field.reference,
    )
    for field in sorted(EMPLOYEE_FIELDS, key=lambda field: field.feeds.place if field.feeds else -1)
    if field.feeds
)
"""In the user file's order of columns."""

USER_FIELDS_BY_NAME: Mapping[str, UserField] = {field.name: field for field in USER_FIELDS}

USER_FIELD_NAMES: tuple[str, ...] = tuple(USER_FIELDS_BY_NAME)

USER_STATE: tuple[str, ...] = (
    "integration_id",
    "hris_id",
    *USER_FIELD_NAMES,
    "email_key",
    "metadata",
    "status",
    "archived_by",
    "email_edited_by_user",
)
"""The columns of a user that an import may write: the keys of ``before`` and ``after`` of a change."""

DEFAULT_METADATA: tuple[tuple[MetadataName, str], ...] = tuple(
    (MetadataName(field.title), field.name)
    for field in sorted(EMPLOYEE_FIELDS, key=lambda field: -1 if field.metadata is None else field.metadata)
    if field.metadata is not None
)
"""Display name and employee column; all of type default."""


def sources_without(column: str) -> tuple[str, ...]:
    """The sources of members that never send that employee column; none for a custom field."""
    field = EMPLOYEE_FIELDS_BY_NAME.get(column)
    return field.missing_in if field else ()


def require_getters(source: str, getters: Collection[str]) -> None:
    """Holds a wire to the catalogue: it reads every field that its source sends, and nothing else.

    Args:
        source: the source whose wire it is.
        getters: the employee columns that the wire reads.

    Raises:
        HrisError: naming each field that was forgotten, or that no line of the catalogue has.
    """
    sent = {field.name for field in EMPLOYEE_FIELDS if not field.derived and source not in field.missing_in}
    forgotten, unknown = sorted(sent - set(getters)), sorted(set(getters) - sent)
    if forgotten:
        raise HrisError(
            f"The wire of {source} has no getter for {', '.join(forgotten)}: write one, or name {source} in missing_in "
            "of the field's line in settings/fields.py."
        )
    if unknown:
        raise HrisError(
            f"The wire of {source} reads {', '.join(unknown)}, which the catalogue does not have from it: write the "
            "field's line in settings/fields.py, or take the getter away."
        )
