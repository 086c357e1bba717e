"""One life of an integration, links remembered after its end, seals, and who decided.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from hris_pipeline.settings.text import fold_case

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.alter_column("imports", "beside", new_column_name="diagnostics")
    op.add_column(
        "imports",
        sa.Column(
            "life", sa.Integer(), server_default="1", nullable=False, comment="Of the integration that it belongs to"
        ),
    )
    op.add_column(
        "imports",
        sa.Column("confirmed_at", INSTANT, nullable=True, comment="When a plan last came out the same"),
    )
    op.add_column(
        "imports", sa.Column("rows_hash", sa.Text(), nullable=True, comment="Of the staged rows, ids included")
    )
    op.add_column(
        "imports",
        sa.Column(
            "log_lines",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How many decisions the log had when it was planned",
        ),
    )
    op.add_column(
        "imports", sa.Column("replaces", sa.Text(), nullable=True, comment="The open import whose place it took")
    )
    op.create_index("ix_imports_replaces", "imports", ["replaces"], unique=False)
    op.add_column("imports", sa.Column("seal", sa.Text(), nullable=True, comment="Keyed MACs over the import, by part"))
    op.add_column("approvals", sa.Column("seal", sa.Text(), nullable=True, comment="Keyed MAC over the approval"))
    op.add_column(
        "integrations",
        sa.Column("life", sa.Integer(), server_default="1", nullable=False, comment="Grows when it is set up anew"),
    )
    for table, column, comment in (
        ("integrations", "seal", "Keyed MAC over what it is: directory, source, life, terms"),
        ("integrations", "automatic_seal", "Keyed MAC over whether automatic imports run"),
        ("integrations", "kept_seal", "Keyed MAC over its lines of kept_users"),
        ("integration_settings", "seal", "Keyed MAC over the version and its digest"),
        ("connections", "seal", "Keyed MAC over whose tokens they are"),
        ("conflicts", "seal", "Keyed MAC over what was decided"),
    ):
        op.add_column(table, sa.Column(column, sa.Text(), nullable=True, comment=comment))
    op.add_column(
        "users",
        sa.Column(
            "former_source", sa.Text(), nullable=True, comment="The kind of source that a deleted integration read"
        ),
    )
    op.add_column(
        "users",
        sa.Column("former_hris_id", sa.Text(), nullable=True, comment="Its link, kept for when it is set up anew"),
    )
    op.add_column(
        "users",
        sa.Column(
            "seal",
            sa.Text(),
            nullable=True,
            comment="Keyed MACs over what a person decided: that the user is there, protected",
        ),
    )
    op.add_column(
        "conflicts",
        sa.Column(
            "may_restore",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Also a user a person archived",
        ),
    )
    op.create_table(
        "former_links",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("hris_id", sa.Text(), nullable=False, comment="What a user was linked to, and is no more"),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_former_links_integration_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_former_links_user_id")),
        sa.PrimaryKeyConstraint("integration_id", "hris_id", "user_id", name=op.f("pk_former_links")),
    )
    op.create_table(
        "kept_users",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("employee_id", sa.Text(), nullable=False, comment="As do_not_archive names it"),
        sa.Column("user_id", sa.Text(), nullable=False, comment="Who had it when it was set"),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_kept_users_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", "employee_id", name=op.f("pk_kept_users")),
    )
    op.create_table(
        "relisted_users",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column(
            "hris_id", sa.Text(), nullable=False, comment="A member whose row is of no use; empty where unreadable"
        ),
        sa.Column(
            "user_id", sa.Text(), nullable=False, comment="A user of another integration who seems to be that one"
        ),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.integration_id"], name=op.f("fk_relisted_users_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", "hris_id", "user_id", name=op.f("pk_relisted_users")),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="In the integration's log, from 1"),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="approve, save, discard, undo, resolve, pause …"),
        sa.Column("subject", sa.Text(), nullable=True, comment="The import, conflict or user it is about"),
        sa.Column("name", sa.Text(), nullable=False, comment="The name given"),
        sa.Column("identity", sa.Text(), nullable=False, comment="Who was authenticated"),
        sa.Column("method", sa.Text(), nullable=False, comment="How: os, link, oidc, proxy, dagster"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="done, or what refused it; null: cut off"),
        sa.Column("address", sa.Text(), nullable=True, comment="From where"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why, where that is asked"),
        sa.Column("seal", sa.Text(), nullable=True, comment="Keyed MAC over the line"),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_integration_id"), "decisions", ["integration_id"], unique=False)
    op.create_table(
        "decision_logs",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False, comment="How many decisions there are"),
        sa.Column("seal", sa.Text(), nullable=True, comment="Keyed MAC over their number and their seals"),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_decision_logs")),
    )
    op.drop_index(op.f("ix_imports_integration_id"), table_name="imports")
    op.create_index("ix_imports_newest", "imports", ["integration_id", "planned_at"], unique=False)
    op.create_table(
        "rate_buckets",
        sa.Column("bucket_id", sa.Text(), nullable=False, comment="A ceiling on calls that all processes share"),
        sa.Column("next_at", sa.Double(), nullable=False, comment="When its next turn is: seconds since 1970"),
        sa.Column("interval_seconds", sa.Double(), nullable=False, comment="Between two turns; longer after a 429"),
        sa.Column("slowed_until", sa.Double(), nullable=False, comment="Until when another 429 does not slow it more"),
        sa.PrimaryKeyConstraint("bucket_id", name=op.f("pk_rate_buckets")),
    )
    renew_email_keys(op.get_bind())


def renew_email_keys(connection: sa.Connection) -> None:
    """What stored addresses compare by, as today's rule has it: an older one knew neither compatibility forms nor
    characters that cannot be seen. Where two users of a directory would become one, the later one keeps the older key.
    """
    users = sa.table("users", *(sa.column(name) for name in ("user_id", "directory_id", "email", "email_key")))
    columns = (users.c.user_id, users.c.directory_id, users.c.email, users.c.email_key)
    stored = connection.execute(sa.select(*columns).where(users.c.email_key.is_not(None)).order_by(users.c.user_id))
    people = [tuple(row) for row in stored]
    taken = {(directory, key) for _, directory, _, key in people}
    for user_id, directory, email, key in people:
        renewed = fold_case(email or key)
        if renewed != key and (directory, renewed) not in taken:
            taken.add((directory, renewed))
            connection.execute(sa.update(users).where(users.c.user_id == user_id).values(email_key=renewed))
