"""From a source's reference to a person to that person's EmployeeId, and cycles among supervisors.

A reference is looked up in the store's links first, then in the extract. Nothing is written here, and what is stored
already of a supervisor is not known here: where it is uncertain who is meant, that is all that is said.
"""

from dataclasses import dataclass

import pandas as pd

from hris_pipeline.transform.columns import is_in, lookup, null_as_false

__all__ = [
    "PersonLookup",
    "Resolved",
    "in_cycle",
]


@dataclass(frozen=True)
class Resolved:
    """Per reference: the person's EmployeeId, null where the person is no user; and whether that is ``uncertain``, so
    that what is stored should stay."""

    employee_ids: pd.Series
    uncertain: pd.Series


@dataclass(frozen=True)
class PersonLookup:
    """Everybody who is, or by this plan becomes, a user.

    ``links``: ``hris_id`` and ``employee_id``, as they will be, of every linked user, the surest link of an id first.
    ``employee_ids``: the EmployeeId of every user, as it will be. ``members``: ``hris_id``, ``justworks_id`` and
    mapped ``employee_id`` of everybody in the extract, of two with one justworks_id the one who is employed first.
    ``undecided``: hris_ids of members of whom nobody can say yet which user they are. ``reused``: hris_ids of members
    whose EmployeeId another listed member has as a user, so that it says nothing of them. ``named_by_justworks``:
    whether EmployeeIds are justworks_ids.
    """

    links: pd.DataFrame
    employee_ids: pd.Series
    members: pd.DataFrame
    undecided: pd.Series
    reused: pd.Series
    named_by_justworks: bool

    def resolve(self, references: pd.Series, kind: str | None) -> Resolved:
        """EmployeeIds for references of the given kind.

        A ``hris_id`` or a ``justworks_id`` names a person of the source; a justworks_id of nobody in the extract may
        still be known as an EmployeeId. Anything else, as in a custom field, is an EmployeeId or, where nobody has it,
        a justworks_id.
        """
        if kind == "hris_id":
            return self._by_hris_id(references)
        by_employee_id = self._having(references)
        hris_ids = lookup(references, self.members["justworks_id"], self.members["hris_id"])
        by_justworks_id = self._by_hris_id(hris_ids)
        if kind == "justworks_id":
            unlisted = hris_ids.isna() & self.named_by_justworks
            employee_ids = by_justworks_id.employee_ids.fillna(by_employee_id.where(unlisted))
        else:
            employee_ids = by_employee_id.fillna(by_justworks_id.employee_ids)
        return Resolved(employee_ids, by_justworks_id.uncertain & employee_ids.isna())

    def _by_hris_id(self, hris_ids: pd.Series) -> Resolved:
        linked = lookup(hris_ids, self.links["hris_id"], self.links["employee_id"])
        is_linked = is_in(hris_ids, self.links["hris_id"])
        uncertain = ~is_linked & is_in(hris_ids, self.undecided)
        listed = self._having(lookup(hris_ids, self.members["hris_id"], self.members["employee_id"]))
        listed = listed.mask(uncertain | is_in(hris_ids, self.reused))
        return Resolved(linked.fillna(listed), uncertain & listed.isna())

    def _having(self, employee_ids: pd.Series) -> pd.Series:
        return employee_ids.where(is_in(employee_ids, self.employee_ids))


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
