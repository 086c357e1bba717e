"""The plan while it is made."""

from dataclasses import dataclass, field

from .identity import (
    Identities,
)
from .mapping import Mapped
from .model import (
    Exclusion,
    Quarantined,
    Row,
    Warned,
    World,
)
from .reading import People
from .settings import Settings


@dataclass
class Draft:
    """The plan while it is made."""

    world: World
    settings: Settings
    people: People
    mapped: list[Mapped]
    identities: Identities
    rows: list[Row] = field(default_factory=list)
    unchanged: set[str] = field(default_factory=set)
    excluded: list[Exclusion] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    quarantined: list[Quarantined] = field(default_factory=list)
    awaiting: set[str] = field(default_factory=set)
    kept_references: set[str] = field(default_factory=set)
    inactive_local: set[str] = field(default_factory=set)
    warnings: set[Warned] = field(default_factory=set)

    def exclude(self, hris_id: str, reason: str) -> None:
        self.excluded.append(Exclusion(hris_id, reason))
