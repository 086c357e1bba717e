"""What the guided setup tells: the terms, and what each permission is used for."""

from collections.abc import Mapping

__all__ = ["PERMISSIONS", "TERMS"]

TERMS = (
    "You may give this company's employment data to this pipeline: the company has agreed, and its people know.",
    "What is read: names, work and personal emails, phones, birth and hire dates, jobs, departments, places,"
    " supervisors, and the custom fields you map. Pay, tax data and sex are never kept.",
    "It is kept in the store and the files that this installation names, readable by their owner; tokens are encrypted."
    " Logs, run metadata and notifications hold counts and ids only.",
    "Extracts and quarantined records go after 90 days. One person can be erased with `hris users erase`, the whole"
    " connection ended with `hris disconnect` or `hris delete`.",
)
"""What an administrator agrees to."""

PERMISSIONS: Mapping[str, str] = {
    "company.detail:read": "the company's name, offices and custom fields: where people work, what can be mapped",
    "member.detail:read": "names, emails, phones, addresses and custom values: who the users are",
    "member.employment:read": "jobs, departments, supervisors, hire and end dates: who is active, who reports to whom",
    "member.dob:read": "birth dates: to recognise people, and for birthdays; you may leave its box unticked",
}
"""Each permission that is asked for, and what for."""
