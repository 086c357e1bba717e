"""The first tables.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "integrations",
        sa.Column("integration_id", sa.Text(), nullable=False, comment="Slug; the Dagster partition key"),
        sa.Column("directory_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), server_default="none", nullable=False),
        sa.Column("automatic", sa.Text(), server_default="off", nullable=False),
        sa.Column("automatic_by", sa.Text(), nullable=True),
        sa.Column("automatic_at", INSTANT, nullable=True),
        sa.Column("automatic_reason", sa.Text(), nullable=True),
        sa.Column("last_due_at", INSTANT, nullable=True, comment="Last due moment that was handled"),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Failed ones at the next due moment",
        ),
        sa.Column("retry_at", INSTANT, nullable=True, comment="When the next due moment is tried again"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="Failed due moments in a row"),
        sa.Column("terms_accepted_at", INSTANT, nullable=True),
        sa.Column("terms_accepted_by", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.CheckConstraint("automatic IN ('off', 'running', 'paused')", name=op.f("ck_integrations_automatic")),
        sa.CheckConstraint(
            "connection IN ('none', 'connected', 'expired', 'disconnected')", name=op.f("ck_integrations_connection")
        ),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_integrations")),
    )
    op.create_table(
        "conflicts",
        sa.Column("conflict_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("hris_id", sa.Text(), nullable=False, comment="Whose row is held back"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False, comment="The user it collides with"),
        sa.Column("employee_id", sa.Text(), nullable=True, comment="The EmployeeId the row would carry"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("incoming", JSON, nullable=False, comment="The row as mapped"),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('employee_id', 'email', 'name_and_birth_date')", name=op.f("ck_conflicts_kind")),
        sa.CheckConstraint("resolution IN ('link', 'create', 'ignore')", name=op.f("ck_conflicts_resolution")),
        sa.CheckConstraint("status IN ('open', 'resolved', 'gone')", name=op.f("ck_conflicts_status")),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_conflicts_integration_id")
        ),
        sa.PrimaryKeyConstraint("conflict_id", name=op.f("pk_conflicts")),
        sa.UniqueConstraint(
            "integration_id", "hris_id", "user_id", name=op.f("uq_conflicts_integration_id_hris_id_user_id")
        ),
    )
    op.create_table(
        "connections",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False, comment="Encrypted"),
        sa.Column("refresh_token", sa.Text(), nullable=True, comment="Encrypted; single use"),
        sa.Column("scopes", sa.Text(), nullable=False, comment="Space separated"),
        sa.Column("company_name", sa.Text(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True, comment="Of the access token"),
        sa.Column("refresh_expires_at", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_connections_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_connections")),
    )
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("directory_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("settings_version", sa.Integer(), nullable=True),
        sa.Column("settings_digest", sa.Text(), nullable=True, comment="Of the settings that matter to the plan"),
        sa.Column("extract_id", sa.Text(), nullable=True),
        sa.Column("complete", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("undoes", sa.Text(), nullable=True, comment="The import that an undo takes back"),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("archived", sa.Integer(), server_default="0", nullable=False),
        sa.Column("restored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("excluded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("protected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("conflicts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Integer(), server_default="0", nullable=False),
        sa.Column("guards", JSON, nullable=False, comment="List of name, limit, observed, tripped, employee_ids"),
        sa.Column("beside", JSON, nullable=False, comment="What is not applied and warnings: EmployeeIds by reason"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("dagster_run_id", sa.Text(), nullable=True, comment="The run that planned it"),
        sa.Column("applied_by", sa.Text(), nullable=True),
        sa.Column("applied_run_id", sa.Text(), nullable=True, comment="The run that applied it"),
        sa.Column("message", sa.Text(), nullable=True, comment="Why it failed, went stale or was discarded"),
        sa.Column("planned_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True, comment="When it was applied, or ended otherwise"),
        sa.CheckConstraint(
            "status IN ('planned', 'held', 'applied', 'stale', 'discarded', 'failed')", name=op.f("ck_imports_status")
        ),
        sa.CheckConstraint(
            "\"trigger\" IN ('manual', 'schedule', 'catch_up', 'backfill', 'undo')", name=op.f("ck_imports_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_imports_integration_id")
        ),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_integration_id"), "imports", ["integration_id"], unique=False)
    op.create_index(
        "uq_imports_open",
        "imports",
        ["integration_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('planned', 'held')"),
        sqlite_where=sa.text("status IN ('planned', 'held')"),
    )
    op.create_table(
        "integration_settings",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_integration_settings_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", "version", name=op.f("pk_integration_settings")),
    )
    op.create_table(
        "notifications",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="What was last told; told again only when it changes"),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_notifications_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", "event", name=op.f("pk_notifications")),
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.Integer(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("extract_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False, comment="employees or mapped_users"),
        sa.Column("hris_id", sa.Text(), nullable=True),
        sa.Column(
            "employee_id",
            sa.Text(),
            nullable=True,
            comment="The justworks_id or mapped EmployeeId, for finding the person",
        ),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True, comment="The raw value"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_quarantine_integration_id")
        ),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("pk_quarantine")),
    )
    op.create_index("ix_quarantine_extract", "quarantine", ["integration_id", "extract_id", "stage"], unique=False)
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False, comment="UUID"),
        sa.Column("directory_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=True, comment="Null: a local user"),
        sa.Column("hris_id", sa.Text(), nullable=True),
        sa.Column("employee_id", sa.Text(), nullable=True),
        sa.Column("supervisor_id", sa.Text(), nullable=True, comment="The supervisor's EmployeeId"),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("preferred_first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True, comment="The email, casefolded"),
        sa.Column("secondary_email", sa.Text(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("hire_date", sa.Date(), nullable=True),
        sa.Column("latest_rehire_date", sa.Date(), nullable=True),
        sa.Column("country_code", sa.Text(), nullable=True),
        sa.Column("metadata", JSON, nullable=False, comment="JSON object by display name"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("archived_by", sa.Text(), nullable=True, comment="import, or who did it"),
        sa.Column("protected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("email_edited_by_user", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "version", sa.Integer(), server_default="1", nullable=False, comment="Bumped by whoever writes the row"
        ),
        sa.Column("synced_version", sa.Integer(), nullable=True, comment="The version an import last wrote"),
        sa.Column("source_hash", sa.Text(), nullable=True, comment="Of the mapped row an import last wrote"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("status IN ('active', 'archived')", name=op.f("ck_users_status")),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_users_integration_id")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("directory_id", "email_key", name=op.f("uq_users_directory_id_email_key")),
        sa.UniqueConstraint("directory_id", "employee_id", name=op.f("uq_users_directory_id_employee_id")),
        sa.UniqueConstraint("integration_id", "hris_id", name=op.f("uq_users_integration_id_hris_id")),
    )
    op.create_table(
        "approvals",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_at", INSTANT, nullable=False),
        sa.Column("lapses_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.import_id"], name=op.f("fk_approvals_import_id")),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "import_rows",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("changed", sa.JSON(), nullable=False, comment="Names of the changed fields; metadata as #Name"),
        sa.Column("before", sa.JSON(), nullable=True, comment="The whole state, null for a create"),
        sa.Column("after", sa.JSON(), nullable=False, comment="The whole state"),
        sa.Column(
            "base_version",
            sa.Integer(),
            nullable=True,
            comment="The version the plan was made against; null for a create",
        ),
        sa.Column("source_hash", sa.Text(), nullable=True),
        sa.Column(
            "erased",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Scrubbed when a person was erased",
        ),
        sa.CheckConstraint("action IN ('create', 'update', 'archive', 'restore')", name=op.f("ck_import_rows_action")),
        sa.PrimaryKeyConstraint("user_id", "import_id", name=op.f("pk_import_rows")),
    )
    op.create_index(op.f("ix_import_rows_import_id"), "import_rows", ["import_id"], unique=False)
