"""The names a change set is written in: what frames and store both say. Imports nothing heavy."""

__all__ = ["COUNTS", "USER_STATE"]

USER_STATE: tuple[str, ...] = (
    "integration_id",
    "hris_id",
    "employee_id",
    "supervisor_id",
    "first_name",
    "preferred_first_name",
    "last_name",
    "email",
    "email_key",
    "secondary_email",
    "phone_number",
    "birth_date",
    "hire_date",
    "latest_rehire_date",
    "country_code",
    "metadata",
    "status",
    "archived_by",
    "email_edited_by_user",
)
"""The columns of a user that an import may write: the keys of ``before`` and ``after`` of a change."""

COUNTS: tuple[str, ...] = (
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
"""The nine counts of an import."""
