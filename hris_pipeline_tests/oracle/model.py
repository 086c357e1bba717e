"""The world as the judge sees it: plain frozen records, nothing computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

MetadataValue = str | bool | tuple[str, ...]
Value = str | bool | date | tuple[str, ...] | None
"""What a field of a user or of an employee can hold. None is empty; an empty text is never stored."""

JsonObject = Mapping[str, object]


Source = Literal["justworks", "finch"]
Action = Literal["create", "update", "archive", "restore"]
Status = Literal["planned", "held"]
Employment = Literal["employed", "left", "not_started", "unknown"]

USER_FIELDS = (
    "employee_id",
    "supervisor_id",
    "first_name",
    "preferred_first_name",
    "last_name",
    "email",
    "secondary_email",
    "phone_number",
    "birth_date",
    "hire_date",
    "latest_rehire_date",
    "country_code",
)
"""The fields of a user that a mapping fills; metadata comes beside them, named `#Name` in changes."""

COUNTS = (
    "created",
    "updated",
    "archived",
    "restored",
    "unchanged",
    "excluded",
    "protected",
    "conflicts",
    "quarantined",
)

GUARDS = (
    "incomplete_extract",
    "archive_limit",
    "slow_bleed",
    "create_limit",
    "employee_id_mismatch",
    "email_change_limit",
    "identity_change",
    "quarantine_growth",
    "unread_field",
    "field_wipe",
)


@dataclass(frozen=True)
class User:
    """A person's record in the user store. Local when `integration_id` is None."""

    user_id: str
    employee_id: str
    integration_id: str | None = None
    hris_id: str | None = None
    supervisor_id: str | None = None  # the EmployeeId of the supervisor
    first_name: str | None = None
    preferred_first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    secondary_email: str | None = None
    phone_number: str | None = None
    birth_date: date | None = None
    hire_date: date | None = None
    latest_rehire_date: date | None = None
    country_code: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    status: Literal["active", "archived"] = "active"
    archived_by: Literal["import", "person"] | None = None
    protected: bool = False
    email_edited_by_user: bool = False
    was_managed_link: tuple[Source, str] | None = (
        None  # kind of source and hris_id, kept when its integration was deleted
    )

    @property
    def is_local(self) -> bool:
        return self.integration_id is None

    @property
    def is_active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True)
class Failure:
    """Why a row is quarantined: the field and the check, never the value."""

    field: str
    check: str


@dataclass(frozen=True)
class Spell:
    """One stretch of employment in `employment_history`."""

    start: date
    end: date | None = None
    is_rehire: bool = True  # no: told beside the start of the same spell, which came earlier


@dataclass(frozen=True)
class Employee:
    """The normalised record of one member. `hris_id` is "" when the wire names none."""

    hris_id: str
    justworks_id: str | None = None
    supervisor_hris_id: str | None = None
    supervisor_justworks_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    preferred_first_name: str | None = None
    email: str | None = None
    secondary_email: str | None = None
    phone_number: str | None = None
    birth_date: date | None = None
    hire_date: date | None = None
    latest_rehire_date: date | None = None
    country_code: str | None = None
    job_title: str | None = None
    department: str | None = None
    employment_type: str | None = None
    employment_subtype: str | None = None
    is_manager: bool = False
    class_code: str | None = None
    residence_city: str | None = None
    residence_state: str | None = None
    residence_country: str | None = None
    employment_city: str | None = None
    employment_state: str | None = None
    employment_country: str | None = None
    custom_fields: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)  # by field id
    custom_labels: Mapping[str, str] = field(default_factory=dict)  # label -> field id
    active: bool | None = None  # as sent; None when it is no truth value
    termination_date: date | None = None
    # What the columns alone do not tell
    spells: tuple[Spell, ...] = ()
    waits_for_start: bool = False  # the source itself says "not started" (prehire)
    unread: frozenset[str] = frozenset()  # columns that hold something nobody could read
    sent: frozenset[str] = frozenset()  # columns for which the wire holds something, read or unread
    failures: tuple[Failure, ...] = ()
    is_service_account: bool = False
    manager_work_id: str | None = None  # the manager's work id as sent, when the wire has no id of the manager


@dataclass(frozen=True)
class Answer:
    """One answer of a source to one question."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """All that a source said in one reading.

    `members`: Partner API: the members as sent. Aggregator: `{"directory": {...}, "individual": response,
    "employment": response}` a person, where a response is `{"individual_id", "code", "body"}`.
    `lookups`: the single answer for each missing `hris_id`; one without an answer here gave none.
    `control`: the answer to the proof question; None: it answered as the list shows,
    provided that the list shows somebody active.
    """

    members: tuple[object, ...]
    complete: bool = True
    lookups: Mapping[str, Answer] = field(default_factory=dict)
    control: Answer | None = None
    control_id: str | None = None
    company: JsonObject = field(default_factory=dict)
    custom_definitions: tuple[object, ...] = ()
    custom_values: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolution:
    """What a person decided about a conflict of this member: with that user, or with whomever (None)."""

    hris_id: str
    decision: Literal["link", "create", "ignore"]
    user_id: str | None = None
    restore: bool = False


@dataclass(frozen=True)
class PastArchive:
    """An archive that an import applied."""

    user_id: str
    day: date
    approved: bool = False
    undo: bool = False
    restored_since: bool = False


@dataclass(frozen=True)
class World:
    """The directory and what is remembered of this integration, on one local day."""

    integration_id: str
    source: Source
    users: tuple[User, ...]
    today: date
    settings: JsonObject = field(default_factory=dict)  # the settings document; what it leaves out has its default
    resolutions: tuple[Resolution, ...] = ()
    archives: tuple[PastArchive, ...] = ()
    quarantined_before: frozenset[str] = frozenset()  # hris_ids, at the last applied import
    import_applied: bool = False  # in this life of the integration
    never_archive: frozenset[str] = frozenset()  # user_ids that had an id of do_not_archive when it was set
    waiting: frozenset[tuple[str, str]] = frozenset()  # open conflicts: hris_id, user_id
    former: frozenset[tuple[str, str]] = frozenset()  # links of this integration that ended: hris_id, user_id
    linking: frozenset[tuple[str, str]] = frozenset()  # decided by a link that no import could follow yet
    working_elsewhere: frozenset[str] = frozenset()  # user_ids that another integration of the directory may list


@dataclass(frozen=True)
class Change:
    field: str
    before: Value
    after: Value


@dataclass(frozen=True)
class Row:
    action: Action
    hris_id: str | None
    user_id: str | None  # None for a create
    changes: tuple[Change, ...]

    def change(self, name: str) -> Change | None:
        for change in self.changes:
            if change.field == name:
                return change
        return None


@dataclass(frozen=True)
class Exclusion:
    hris_id: str
    reason: str  # service_account, inactive, not_started, ignored, rule:NAME


@dataclass(frozen=True)
class Quarantined:
    hris_id: str
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Conflict:
    kind: str  # employee_id, email, name_and_birth_date, archived_by_person, former_link, identity_change
    hris_id: str
    user_ids: tuple[str, ...]  # the other side, and the user linked to the member when there is one


@dataclass(frozen=True)
class Warned:
    kind: str
    who: str  # a hris_id, an EmployeeId or a field


@dataclass(frozen=True)
class GuardResult:
    observed: int
    denominator: int
    tripped: bool


@dataclass(frozen=True)
class Expectation:
    status: Status | None
    frame_failure: str | None = None
    complete: bool = True
    rows: tuple[Row, ...] = ()
    unchanged: frozenset[str] = frozenset()  # hris_ids
    excluded: tuple[Exclusion, ...] = ()
    protected: frozenset[str] = frozenset()  # user_ids
    quarantined: tuple[Quarantined, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    awaiting_decision: frozenset[str] = frozenset()  # user_ids that a conflict keeps from being archived
    waiting: frozenset[tuple[str, str]] = frozenset()  # conflicts that are open afterwards: hris_id, user_id
    unusable: frozenset[str] = frozenset()  # hris_ids of members whose row does not say who they are
    relisted: frozenset[str] = frozenset()  # user_ids of other integrations who seem to be one of those members
    kept_references: frozenset[str] = frozenset()  # user_ids whose supervisor stays because of a conflict
    inactive_local: frozenset[str] = frozenset()  # user_ids
    holes: frozenset[str] = frozenset()  # hris_ids
    unread: Mapping[str, int] = field(default_factory=dict)
    warnings: frozenset[Warned] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    guards: Mapping[str, GuardResult] = field(default_factory=dict)

    def rows_of(self, action: Action) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.action == action)
