"""The field catalogue: every employee column and every user field, each in one place.

An employee column is what a source says of a person, the same whatever the source; a user field is what the store
keeps.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CUSTOM_PREFIX",
    "DEFAULT_METADATA",
    "EMPLOYEE_COLUMNS",
    "EMPLOYEE_FIELDS",
    "USER_FIELDS",
    "USER_FIELD_NAMES",
    "EmployeeField",
    "Kind",
    "UserField",
]

Kind = Literal["text", "date", "flag", "custom"]
"""text, ISO 8601 date, boolean, or the JSON object of custom fields keyed by field id."""

CUSTOM_PREFIX = "custom:"
"""How a custom field is named as a source: ``custom:`` and its label."""


@dataclass(frozen=True)
class EmployeeField:
    """One employee column. ``limit`` is in characters; ``missing_in`` names the sources that never send it;
    ``reference`` marks a column whose values name another person."""

    name: str
    title: str
    description: str
    kind: Kind = "text"
    limit: int | None = None
    needed: bool = False
    missing_in: tuple[str, ...] = ()
    reference: Literal["hris_id", "justworks_id"] | None = None


@dataclass(frozen=True)
class UserField:
    """One core user field: its name in the store, its title, its header in the user file (None: not in it),
    its kind and the employee column that feeds it by default."""

    name: str
    title: str
    header: str | None
    source: str
    kind: Kind = "text"
    reference: bool = False


EMPLOYEE_FIELDS: tuple[EmployeeField, ...] = (
    EmployeeField(
        "hris_id", "HRIS Sync EmployeeId", "The source's own stable id; the link to the store.", needed=True, limit=200
    ),
    EmployeeField(
        "justworks_id", "Justworks EmployeeId", "The id people see; editable and re-usable, never the link.", limit=100
    ),
    EmployeeField(
        "supervisor_hris_id",
        "Supervisor Id",
        "The manager's hris_id; may point outside the extract.",
        limit=200,
        reference="hris_id",
    ),
    EmployeeField(
        "supervisor_justworks_id",
        "Justworks Supervisor Id",
        "The manager's justworks_id; blank when the manager is not in the extract.",
        limit=100,
        reference="justworks_id",
    ),
    EmployeeField("first_name", "First Name", "Given name.", limit=100, needed=True),
    EmployeeField("last_name", "Last Name", "Family name.", limit=50, needed=True),
    EmployeeField("preferred_first_name", "Preferred First Name", "The name the person goes by.", limit=100),
    EmployeeField("email", "Email", "Work address, else the personal one.", limit=254),
    EmployeeField(
        "secondary_email", "Secondary Email", "Personal address, only when there is a work address.", limit=254
    ),
    EmployeeField("phone_number", "Phone Number", "Mobile, else work, else the first number.", limit=100),
    EmployeeField("birth_date", "Birth Date", "May be missing for a whole company (consent not given).", kind="date"),
    EmployeeField("hire_date", "Hire Date", "First start of employment.", kind="date"),
    EmployeeField(
        "latest_rehire_date", "Latest Rehire Date", "Latest start of employment when later than the first.", kind="date"
    ),
    EmployeeField("country_code", "Country Code", "ISO 3166-1 alpha-2.", limit=2),
    EmployeeField("job_title", "JobTitle", "Job title.", limit=500),
    EmployeeField("department", "Department", "Name of the department.", limit=500),
    EmployeeField("employment_type", "EmploymentType", "employee, contractor or the source's own word.", limit=100),
    EmployeeField("employment_subtype", "EmploymentSubtype", "full_time, part_time, intern and so on.", limit=100),
    EmployeeField("is_manager", "IsManager", "Whether an active employee reports to this one.", kind="flag"),
    EmployeeField("class_code", "ClassCode", "Workers' compensation class code.", limit=100, missing_in=("justworks",)),
    EmployeeField("residence_city", "ResidenceCity", "City of the home address.", limit=200),
    EmployeeField("residence_state", "ResidenceState", "State of the home address.", limit=200),
    EmployeeField("residence_country", "ResidenceCountry", "Country of the home address.", limit=100),
    EmployeeField("employment_city", "EmploymentCity", "City of the office.", limit=200),
    EmployeeField("employment_state", "EmploymentState", "State of the office.", limit=200),
    EmployeeField("employment_country", "EmploymentCountry", "Country of the office.", limit=100),
    EmployeeField("custom_fields", "Custom Fields", "JSON object: text or list of texts by field id.", kind="custom"),
    EmployeeField("active", "Active", "Whether the source calls the person active.", kind="flag", needed=True),
    EmployeeField("termination_date", "Termination Date", "Last day worked.", kind="date"),
)

EMPLOYEE_COLUMNS: tuple[str, ...] = tuple(field.name for field in EMPLOYEE_FIELDS)

USER_FIELDS: tuple[UserField, ...] = (
    UserField("employee_id", "EmployeeId", "Employee Id", "justworks_id"),
    UserField("first_name", "First Name", "First Name", "first_name"),
    UserField("last_name", "Last Name", "Last Name", "last_name"),
    UserField("preferred_first_name", "Preferred First Name", "Preferred Name", "preferred_first_name"),
    UserField("email", "Email", "Email", "email"),
    UserField("secondary_email", "Secondary Email", "Secondary Email", "secondary_email"),
    UserField("phone_number", "Phone Number", "Phone", "phone_number"),
    UserField("birth_date", "Birth Date", "Birth Date", "birth_date", kind="date"),
    UserField("hire_date", "Hire Date", "Hire Date", "hire_date", kind="date"),
    UserField("latest_rehire_date", "Latest Rehire Date", None, "latest_rehire_date", kind="date"),
    UserField("supervisor_id", "Supervisor Id", "Supervisor Id", "supervisor_hris_id", reference=True),
    UserField("country_code", "Country Code", "Country Code", "country_code"),
)
"""In the user file's order of columns."""

USER_FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in USER_FIELDS)

DEFAULT_METADATA: tuple[tuple[str, str], ...] = (
    ("JobTitle", "job_title"),
    ("Department", "department"),
    ("EmploymentType", "employment_type"),
    ("EmploymentSubtype", "employment_subtype"),
    ("IsManager", "is_manager"),
    ("ResidenceState", "residence_state"),
    ("ResidenceCity", "residence_city"),
    ("ResidenceCountry", "residence_country"),
    ("EmploymentState", "employment_state"),
    ("EmploymentCity", "employment_city"),
    ("EmploymentCountry", "employment_country"),
)
"""Display name and employee column; all of type default."""
