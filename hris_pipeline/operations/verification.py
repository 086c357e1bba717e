"""Checking the store against its own history: every import against its digest, every user against the fold."""

from dataclasses import dataclass

from hris_pipeline.contract import OPEN
from hris_pipeline.operations.services import Services
from hris_pipeline.store.history import Divergence, diverging_users
from hris_pipeline.store.imports import imports_of, tampered_parts
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.staged_rows import has_erased_rows

__all__ = ["Verification", "verify"]


@dataclass(frozen=True)
class Verification:
    """``altered`` imports whose rows no longer make their digest; ``divergences`` users whose row is not what the
    import that last wrote it says, though no version says that anybody else did; ``erased`` imports cannot be
    checked, because a person was erased from them. Imports in the order of time."""

    imports_checked: int
    altered: tuple[str, ...]
    erased: tuple[str, ...]
    divergences: tuple[Divergence, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing diverges."""
        return not (self.altered or self.divergences)

    @property
    def first(self) -> str | None:
        """The first divergence in words: what, which user, since which import."""
        if self.altered:
            return f"import {self.altered[0]}: its rows were changed after it was planned"
        if not self.divergences:
            return None
        found = self.divergences[0]
        what = f"{', '.join(found.fields)} changed" if found.fields else "the row is gone"
        return f"user {found.user_id}: {what} behind the pipeline's back since import {found.import_id}"


def verify(services: Services, integration_id: str) -> Verification:
    """Recomputes every digest from the stored rows, and compares the directory's users with the fold of its history.

    Raises:
        UnknownName: no such integration.
    """
    with services.store.read() as connection:
        integration = get_integration(connection, integration_id)
        checked = imports_of(connection, integration_id, ("applied", *OPEN))  # of others the rows go in time
        erased = [found.import_id for found in reversed(checked) if has_erased_rows(connection, found.import_id)]
        altered = [
            found.import_id
            for found in reversed(checked)
            if found.import_id not in erased and tampered_parts(connection, found)
        ]
        divergences = diverging_users(connection, integration.directory_id)
    return Verification(len(checked) - len(erased), tuple(altered), tuple(erased), divergences)
