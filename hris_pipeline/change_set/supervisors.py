"""From a source's reference to a person to that person's EmployeeId, and cycles among supervisors."""

import pandas as pd

from hris_pipeline.transform.columns import is_in, lookup, null_as_false

__all__ = [
    "PersonLookup",
    "in_cycle",
]


class PersonLookup:
    """Everybody who is, or by this plan becomes, a user: found by hris_id, justworks_id or EmployeeId."""

    def __init__(self, known: pd.DataFrame, justworks_ids: pd.DataFrame, *, named_by_justworks: bool) -> None:
        """
        Args:
            known: Each user's ``hris_id`` (null for local users and other integrations') and ``employee_id``, as they
                will be.
            justworks_ids: ``justworks_id`` and ``hris_id`` of everybody in the extract.
            named_by_justworks: Whether EmployeeIds are justworks_ids.
        """
        self._known = known
        self._justworks_ids = justworks_ids
        self._named_by_justworks = named_by_justworks

    def resolve(self, references: pd.Series, kind: str | None) -> pd.Series:
        """EmployeeIds for references of the given kind; null where the person is no user.

        A ``hris_id`` or a ``justworks_id`` names a person of the source; a justworks_id of nobody in the extract (the
        person is quarantined) may still be known as an EmployeeId. Anything else, as in a custom field, is an
        EmployeeId or, where nobody has it, a justworks_id.
        """
        if kind == "hris_id":
            return self._by_hris_id(references)
        by_employee_id = lookup(references, self._known["employee_id"], self._known["employee_id"])
        hris_ids = lookup(references, self._justworks_ids["justworks_id"], self._justworks_ids["hris_id"])
        by_justworks_id = self._by_hris_id(hris_ids)
        if kind == "justworks_id":
            unlisted = hris_ids.isna() & self._named_by_justworks
            return by_justworks_id.fillna(by_employee_id.where(unlisted))
        return by_employee_id.fillna(by_justworks_id)

    def _by_hris_id(self, hris_ids: pd.Series) -> pd.Series:
        return lookup(hris_ids, self._known["hris_id"], self._known["employee_id"])


def in_cycle(employee_ids: pd.Series, supervisor_ids: pd.Series) -> pd.Series:
    """Whether each person's chain of supervisors leads back to the person (self-supervision included).

    People nobody in the rest reports to, and people whose supervisor is not in the rest, are taken away until nobody
    can be: what is left goes round."""
    rest = pd.DataFrame({"person": employee_ids, "supervisor": supervisor_ids}).dropna()
    while len(rest):
        keeps = is_in(rest["supervisor"], rest["person"]) & is_in(rest["person"], rest["supervisor"])
        if keeps.all():
            break
        rest = rest[keeps]
    return null_as_false(pd.Series(employee_ids.index.isin(rest.index), index=employee_ids.index))
