"""Every table of the store, for PostgreSQL and SQLite alike. Times are UTC instants; dates are ISO calendar dates."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from hris_pipeline.contract import COUNTS, OPEN

__all__ = [
    "Instant",
    "approvals",
    "conflicts",
    "connections",
    "decision_logs",
    "decisions",
    "former_links",
    "import_rows",
    "imports",
    "integration_settings",
    "integrations",
    "kept_users",
    "metadata",
    "notifications",
    "quarantine",
    "rate_buckets",
    "relisted_users",
    "users",
]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.TypeDecorator[datetime]):
    """A point in time, always UTC-aware in Python; SQLite stores it without its zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
JsonText = sa.JSON(none_as_null=True)
"""JSON that comes back exactly as it was written, so that a digest over it can be computed again."""


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(sa.column(column).in_([sa.literal_column(f"'{value}'") for value in values]), name=column)


integrations = sa.Table(
    "integrations",
    metadata,
    sa.Column("integration_id", sa.Text, primary_key=True, comment="Slug; the Dagster partition key"),
    sa.Column("directory_id", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False, server_default="none"),
    sa.Column("automatic", sa.Text, nullable=False, server_default="off"),
    sa.Column("automatic_by", sa.Text),
    sa.Column("automatic_at", Instant),
    sa.Column("automatic_reason", sa.Text),
    sa.Column("last_due_at", Instant, comment="Last due moment that was handled"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="Failed ones at the next due moment"),
    sa.Column("retry_at", Instant, comment="When the next due moment is tried again"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="Failed due moments in a row"),
    sa.Column("terms_accepted_at", Instant),
    sa.Column("terms_accepted_by", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.Column("life", sa.Integer, nullable=False, server_default="1", comment="Grows when it is set up anew"),
    sa.Column("seal", sa.Text, comment="Keyed MAC over what it is: directory, source, life, terms"),
    sa.Column("automatic_seal", sa.Text, comment="Keyed MAC over whether automatic imports run"),
    sa.Column("kept_seal", sa.Text, comment="Keyed MAC over its lines of kept_users"),
    _one_of("connection", "none", "connected", "expired", "disconnected"),
    _one_of("automatic", "off", "running", "paused"),
)

integration_settings = sa.Table(
    "integration_settings",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("document", Json, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, comment="Keyed MAC over the version and its digest"),
)

connections = sa.Table(
    "connections",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("access_token", sa.Text, nullable=False, comment="Encrypted"),
    sa.Column("refresh_token", sa.Text, comment="Encrypted; single use"),
    sa.Column("scopes", sa.Text, nullable=False, comment="Space separated"),
    sa.Column("company_name", sa.Text),
    sa.Column("expires_at", Instant, comment="Of the access token"),
    sa.Column("refresh_expires_at", Instant),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("seal", sa.Text, comment="Keyed MAC over whose tokens they are"),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True, comment="UUID"),
    sa.Column("directory_id", sa.Text, nullable=False),
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), comment="Null: a local user"),
    sa.Column("hris_id", sa.Text),
    sa.Column("employee_id", sa.Text),
    sa.Column("supervisor_id", sa.Text, comment="The supervisor's EmployeeId"),
    sa.Column("first_name", sa.Text),
    sa.Column("preferred_first_name", sa.Text),
    sa.Column("last_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("email_key", sa.Text, comment="The email, casefolded"),
    sa.Column("secondary_email", sa.Text),
    sa.Column("phone_number", sa.Text),
    sa.Column("birth_date", sa.Date),
    sa.Column("hire_date", sa.Date),
    sa.Column("latest_rehire_date", sa.Date),
    sa.Column("country_code", sa.Text),
    sa.Column("metadata", Json, nullable=False, comment="JSON object by display name"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("archived_by", sa.Text, comment="import, or who did it"),
    sa.Column("protected", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("email_edited_by_user", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("version", sa.Integer, nullable=False, server_default="1", comment="Bumped by whoever writes the row"),
    sa.Column("synced_version", sa.Integer, comment="The version an import last wrote"),
    sa.Column("source_hash", sa.Text, comment="Of the mapped row an import last wrote"),
    sa.Column("former_source", sa.Text, comment="The kind of source that a deleted integration read"),
    sa.Column("former_hris_id", sa.Text, comment="Its link, kept for when it is set up anew"),
    sa.Column("seal", sa.Text, comment="Keyed MACs over what a person decided: that the user is there, protected"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("directory_id", "employee_id"),
    sa.UniqueConstraint("integration_id", "hris_id"),
    sa.UniqueConstraint("directory_id", "email_key"),
    _one_of("status", "active", "archived"),
)


imports = sa.Table(
    "imports",
    metadata,
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), nullable=False),
    sa.Column("directory_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("settings_version", sa.Integer),
    sa.Column("settings_digest", sa.Text, comment="Of the settings that matter to the plan"),
    sa.Column("extract_id", sa.Text),
    sa.Column("complete", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("undoes", sa.Text, comment="The import that an undo takes back"),
    sa.Column("replaces", sa.Text, index=True, comment="The open import whose place it took"),
    *(sa.Column(count, sa.Integer, nullable=False, server_default="0") for count in COUNTS),
    sa.Column("guards", Json, nullable=False, comment="List of name, limit, observed, tripped, employee_ids"),
    sa.Column("diagnostics", Json, nullable=False, comment="What is not applied and warnings: EmployeeIds by reason"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("dagster_run_id", sa.Text, comment="The run that planned it"),
    sa.Column("applied_by", sa.Text),
    sa.Column("applied_run_id", sa.Text, comment="The run that applied it"),
    sa.Column("message", sa.Text, comment="Why it failed, went stale or was discarded"),
    sa.Column("planned_at", Instant, nullable=False),
    sa.Column("confirmed_at", Instant, comment="When a plan last came out the same"),
    sa.Column("finished_at", Instant, comment="When it was applied, or ended otherwise"),
    sa.Column("life", sa.Integer, nullable=False, server_default="1", comment="Of the integration that it belongs to"),
    sa.Column("rows_hash", sa.Text, comment="Of the staged rows, ids included"),
    sa.Column(
        "log_lines",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="How many decisions the log had when it was planned",
    ),
    sa.Column("seal", sa.Text, comment="Keyed MACs over the import, by part"),
    _one_of("status", "planned", "held", "applied", "stale", "discarded", "failed"),
    _one_of("trigger", "manual", "schedule", "catch_up", "backfill", "undo"),
)
sa.Index("ix_imports_newest", imports.c.integration_id, imports.c.planned_at)
sa.Index(
    "uq_imports_open",
    imports.c.integration_id,
    unique=True,
    postgresql_where=imports.c.status.in_(OPEN),
    sqlite_where=imports.c.status.in_(OPEN),
)

# Rows are only ever written in one transaction with their import: a foreign key would cost a third of staging. Keyed by
# user first: an index that starts with the import would be filled in random order a second time.
import_rows = sa.Table(
    "import_rows",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("import_id", sa.Text, primary_key=True, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("changed", JsonText, nullable=False, comment="Names of the changed fields; metadata as #Name"),
    sa.Column("before", JsonText, comment="The whole state, null for a create"),
    sa.Column("after", JsonText, nullable=False, comment="The whole state"),
    sa.Column("base_version", sa.Integer, comment="The version the plan was made against; null for a create"),
    sa.Column("source_hash", sa.Text),
    sa.Column(
        "erased", sa.Boolean, nullable=False, server_default=sa.false(), comment="Scrubbed when a person was erased"
    ),
    _one_of("action", "create", "update", "archive", "restore"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("quarantine_id", sa.Integer, primary_key=True),
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), nullable=False),
    sa.Column("extract_id", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False, comment="employees or mapped_users"),
    sa.Column("hris_id", sa.Text),
    sa.Column("employee_id", sa.Text, comment="The justworks_id or mapped EmployeeId, for finding the person"),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("check", sa.Text, nullable=False),
    sa.Column("value", sa.Text, comment="The raw value"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_quarantine_extract", "integration_id", "extract_id", "stage"),
)

conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("conflict_id", sa.Text, primary_key=True),
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), nullable=False),
    sa.Column("hris_id", sa.Text, nullable=False, comment="Whose row is held back"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False, comment="The user it collides with"),
    sa.Column("employee_id", sa.Text, comment="The EmployeeId the row would carry"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("resolution", sa.Text),
    sa.Column(
        "may_restore", sa.Boolean, nullable=False, server_default=sa.false(), comment="Also a user a person archived"
    ),
    sa.Column("resolved_by", sa.Text),
    sa.Column("resolved_at", Instant),
    sa.Column("incoming", Json, nullable=False, comment="The row as mapped"),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("seal", sa.Text, comment="Keyed MAC over what was decided"),
    sa.UniqueConstraint("integration_id", "hris_id", "user_id"),
    _one_of("kind", "employee_id", "email", "name_and_birth_date"),
    _one_of("status", "open", "resolved", "gone"),
    _one_of("resolution", "link", "create", "ignore"),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("import_id", sa.Text, sa.ForeignKey("imports.import_id"), primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("approved_at", Instant, nullable=False),
    sa.Column("lapses_at", Instant, nullable=False),
    sa.Column("seal", sa.Text, comment="Keyed MAC over the approval"),
)

kept_users = sa.Table(
    "kept_users",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("employee_id", sa.Text, primary_key=True, comment="As do_not_archive names it"),
    sa.Column("user_id", sa.Text, nullable=False, comment="Who had it when it was set"),
)

former_links = sa.Table(
    "former_links",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("hris_id", sa.Text, primary_key=True, comment="What a user was linked to, and is no more"),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.user_id"), primary_key=True),
)

relisted_users = sa.Table(
    "relisted_users",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("hris_id", sa.Text, primary_key=True, comment="A member whose row is of no use; empty where unreadable"),
    sa.Column("user_id", sa.Text, primary_key=True, comment="A user of another integration who seems to be that one"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.Integer, primary_key=True),
    sa.Column("integration_id", sa.Text, nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False, comment="In the integration's log, from 1"),
    sa.Column("decided_at", Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False, comment="approve, save, discard, undo, resolve, pause …"),
    sa.Column("subject", sa.Text, comment="The import, conflict or user it is about"),
    sa.Column("name", sa.Text, nullable=False, comment="The name given"),
    sa.Column("identity", sa.Text, nullable=False, comment="Who was authenticated"),
    sa.Column("method", sa.Text, nullable=False, comment="How: os, link, oidc, proxy, dagster"),
    sa.Column("outcome", sa.Text, comment="done, or what refused it; null: cut off"),
    sa.Column("address", sa.Text, comment="From where"),
    sa.Column("reason", sa.Text, comment="Why, where that is asked"),
    sa.Column("seal", sa.Text, comment="Keyed MAC over the line"),
)

decision_logs = sa.Table(
    "decision_logs",
    metadata,
    sa.Column("integration_id", sa.Text, primary_key=True),
    sa.Column("lines", sa.Integer, nullable=False, comment="How many decisions there are"),
    sa.Column("seal", sa.Text, comment="Keyed MAC over their number and their seals"),
)

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("integration_id", sa.Text, sa.ForeignKey("integrations.integration_id"), primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, comment="What was last told; told again only when it changes"),
    sa.Column("sent_at", Instant, nullable=False),
)

rate_buckets = sa.Table(
    "rate_buckets",
    metadata,
    sa.Column("bucket_id", sa.Text, primary_key=True, comment="A ceiling on calls that all processes share"),
    sa.Column("next_at", sa.Double, nullable=False, comment="When its next turn is: seconds since 1970"),
    sa.Column("interval_seconds", sa.Double, nullable=False, comment="Between two turns; longer after a 429"),
    sa.Column("slowed_until", sa.Double, nullable=False, comment="Until when another 429 does not slow it more"),
)
