"""The settings document with its defaults filled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .model import USER_FIELDS, JsonObject
from .wire_values import as_list, as_object

DEFAULT_MAPPING: Mapping[str, str] = {
    **{name: name for name in USER_FIELDS},
    "employee_id": "justworks_id",
    "supervisor_id": "supervisor_hris_id",
}

DEFAULT_METADATA = (
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

DEFAULT_GUARDS: Mapping[str, Mapping[str, float]] = {
    "archive_limit": {"percent": 10, "people": 100, "min_people": 5},
    "slow_bleed": {"percent": 20, "min_people": 5},
    "create_limit": {"percent": 50, "min_people": 25},
    "employee_id_mismatch": {"percent": 5, "min_people": 5},
    "email_change_limit": {"percent": 20, "min_people": 5},
    "identity_change": {"percent": 5, "min_people": 5},
    "quarantine_growth": {"percent": 5, "min_people": 5},
    "unread_field": {"percent": 50, "min_people": 5},
    "field_wipe": {"percent": 30, "min_people": 5},
}


@dataclass(frozen=True)
class MetadataEntry:
    name: str
    source: str
    type: str = "default"  # default, associated, hidden


@dataclass(frozen=True)
class Condition:
    field: str
    operator: str
    value: object = None


@dataclass(frozen=True)
class Rule:
    name: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    archive_existing: bool = False


@dataclass(frozen=True)
class Settings:
    archive_employees: bool = True
    override_emails: bool = False
    hire_date_priority: str = "original"
    override_hire_date: bool = False
    default_calling_country: str | None = None
    add_plus_to_phone_numbers: bool = False
    employee_ids: str = "justworks"
    do_not_import: tuple[Rule, ...] = ()
    do_not_archive: frozenset[str] = frozenset()
    exclude_fields: frozenset[str] = frozenset()
    import_days_before_start: int = 0
    mapping: Mapping[str, str] = field(default_factory=lambda: DEFAULT_MAPPING)
    metadata: tuple[MetadataEntry, ...] = tuple(MetadataEntry(*entry) for entry in DEFAULT_METADATA)
    guards: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: DEFAULT_GUARDS)

    @property
    def generated_ids(self) -> bool:
        return self.employee_ids == "generated"

    def wants_custom_fields(self) -> bool:
        """Whether anything reads a custom field, so that their values are asked for."""
        used = [*self.mapping.values(), *(entry.source for entry in self.metadata)]
        for rule in self.do_not_import:
            used.extend(condition.field for condition in (*rule.all, *rule.any))
        return any(name.startswith("custom:") for name in used)


def settings_of(document: JsonObject) -> Settings:
    """Reads a document as a person writes it; what it leaves out has its default."""
    default = Settings()
    guards = {name: dict(limits) for name, limits in DEFAULT_GUARDS.items()}
    for name, limits in as_object(document.get("guards")).items():
        guards.setdefault(name, {}).update(
            {key: float(value) for key, value in as_object(limits).items() if isinstance(value, int | float)}
        )
    metadata = default.metadata
    if "metadata" in document:
        metadata = tuple(
            MetadataEntry(str(entry["name"]), str(entry["source"]), str(entry.get("type", "default")))
            for entry in map(as_object, as_list(document["metadata"]))
        )
    country = document.get("default_calling_country")
    days = document.get("import_days_before_start", 0)
    return Settings(
        archive_employees=bool(document.get("archive_employees", True)),
        override_emails=bool(document.get("override_emails", False)),
        hire_date_priority=str(document.get("hire_date_priority", "original")),
        override_hire_date=bool(document.get("override_hire_date", False)),
        default_calling_country=str(country) if country and country != "none" else None,
        add_plus_to_phone_numbers=bool(document.get("add_plus_to_phone_numbers", False)),
        employee_ids=str(document.get("employee_ids", "justworks")),
        do_not_import=tuple(_rule(as_object(rule)) for rule in as_list(document.get("do_not_import"))),
        do_not_archive=frozenset(str(item) for item in as_list(document.get("do_not_archive"))),
        exclude_fields=frozenset(str(item) for item in as_list(document.get("exclude_fields"))),
        import_days_before_start=days if isinstance(days, int) else 0,
        mapping={**DEFAULT_MAPPING, **{name: str(item) for name, item in as_object(document.get("mapping")).items()}},
        metadata=metadata,
        guards=guards,
    )


def _rule(rule: JsonObject) -> Rule:
    return Rule(
        name=str(rule.get("name", "")),
        all=tuple(_condition(as_object(item)) for item in as_list(rule.get("all"))),
        any=tuple(_condition(as_object(item)) for item in as_list(rule.get("any"))),
        archive_existing=bool(rule.get("archive_existing", False)),
    )


def _condition(condition: JsonObject) -> Condition:
    return Condition(str(condition.get("field")), str(condition.get("operator")), condition.get("value"))
