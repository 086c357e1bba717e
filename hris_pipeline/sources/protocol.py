"""What every source gives, whatever its wire: pages of records with holes, answers about single people, one company."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

__all__ = [
    "STRONGEST_FIRST",
    "Company",
    "CustomField",
    "LookupResult",
    "LookupStatus",
    "Manifest",
    "Office",
    "Page",
    "Record",
    "ShapeReport",
    "Source",
    "UnreadColumn",
]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One member: ``line`` is the JSON of what is kept of it; ``updated_at`` is ISO text or ''; ``active`` is whether
    the source called it so in plain words. ``row`` are the raw columns of that line, and ``unread`` those of them that
    could not be read: what a later reading of the archive gives too."""

    hris_id: str
    updated_at: str
    line: bytes
    active: bool = False
    row: list[object] | None = None
    unread: tuple[str, ...] = ()


class CustomField(msgspec.Struct, frozen=True, gc=False):
    """The definition of one custom field."""

    id: str
    label: str
    type: str = ""
    options: tuple[str, ...] = ()


class UnreadColumn(msgspec.Struct, frozen=True):
    """One employee column of which the source sent something that could not be read.

    That was so for ``count`` of the ``of`` members that sent anything for it; ``keys`` and ``types`` are the names of
    keys and the type words met there, never values.
    """

    count: int
    of: int
    keys: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, gc=False):
    """Some members; ``holes`` are the hris_ids of members whose details could not be read, ``hole_lines`` what the list
    itself tells of them, as lines of the archive; ``custom_fields`` are those that this page shows, from a source that
    defines them nowhere else; ``asked`` are those whose custom field values were read; ``wire_ids`` is how the source
    spells an hris_id that is stored as another text."""

    records: tuple[Record, ...]
    holes: tuple[str, ...] = ()
    hole_lines: tuple[bytes, ...] = ()
    custom_fields: tuple[CustomField, ...] = ()
    asked: tuple[str, ...] = ()
    wire_ids: dict[str, tuple[str, ...]] = {}


class ShapeReport(msgspec.Struct, frozen=True):
    """What was noticed of the shapes of all members: keys that are read, by place; keys that are not, by dotted name;
    and by employee column what could not be read. Names and counts, never values."""

    spellings: dict[str, dict[str, int]] = {}
    other_keys: dict[str, int] = {}
    unread: dict[str, UnreadColumn] = {}


LookupStatus = Literal["active", "inactive", "not_found", "error"]
"""What a source says of one person."""

STRONGEST_FIRST: tuple[LookupStatus, ...] = ("active", "error", "inactive", "not_found")
"""Of several answers about one person the first of these counts."""


class LookupResult(msgspec.Struct, frozen=True, gc=False):
    """What the source says of one person asked for singly: only ``not_found`` and ``inactive`` confirm that somebody
    is gone; ``error`` is every answer that says nothing certain."""

    hris_id: str
    status: LookupStatus


class Office(msgspec.Struct, frozen=True, gc=False):
    """Where an office stands; ``unread`` when it has an address that could not be read."""

    id: str
    city: str = ""
    state: str = ""
    country: str = ""
    line1: str = ""
    postal_code: str = ""
    unread: bool = False


class Company(msgspec.Struct, frozen=True):
    """What is known of the company itself; ``departments`` are names by id, ``data_as_of`` is how old the source's data
    is, when it says so."""

    id: str
    display_name: str
    offices: tuple[Office, ...] = ()
    departments: dict[str, str] = {}
    custom_fields: tuple[CustomField, ...] = ()
    data_as_of: datetime | None = None


class Source(Protocol):
    """One connected company. Methods raise the SourceError family; transient failures were already retried."""

    @property
    def name(self) -> str:
        """``justworks`` or ``finch``."""
        ...

    def company(self) -> Company:
        """The company, its offices and the definitions of its custom fields."""
        ...

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:
        """All members, active and not, in the source's order; a member may come more than once. ``custom_fields`` asks
        for the custom field values of everybody, otherwise for those of a sample.

        Raises:
            SourceNotReady: the source has no data yet; what was yielded before is no extract.
            SourceUnavailable: a page failed for good; what was yielded before is an incomplete extract.
        """
        ...

    def lookup(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """Asks for single people by the ids that the source gives them, in the order given, lazily: the caller may stop
        after any answer. Each result has the id that was asked for."""
        ...

    def shape_report(self) -> ShapeReport:
        """What was noticed of the shapes of the members that ``pages`` gave so far."""
        ...

    def close(self) -> None:
        """Gives back connections."""
        ...


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an extract is: its verdict, its holes, what is stored and how to verify it. Carries ids, never people's
    data.

    ``records`` counts members once; ``missing`` are managed people confirmed gone; ``holes`` are people about whom
    nothing is known this time; ``reasons`` say why the extract is incomplete (empty when ``complete``).

    ``asked`` is how many members' custom field values were read, of all unless ``with_custom_fields`` is false (then of
    a sample, in ``sampled``). ``unread`` is by employee column. ``spellings`` counts, by place in a member
    (``emails``, ``department``), the keys met there that are read; ``other_keys`` counts those that are not, by dotted
    name, of which nothing else is kept. ``wire_ids`` is how the source spells an hris_id stored as another text:
    only by that can it be asked for the person. ``first_page``: only that was read, when connecting, to show what the
    source's fields hold; no import is planned from it.
    """

    extract_id: str
    integration_id: str
    source: str
    started_at: datetime
    finished_at: datetime
    records: int
    complete: bool
    reasons: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    with_custom_fields: bool = False
    asked: int = 0
    sampled: tuple[str, ...] = ()
    first_page: bool = False
    unread: dict[str, UnreadColumn] = {}
    spellings: dict[str, dict[str, int]] = {}
    other_keys: dict[str, int] = {}
    wire_ids: dict[str, tuple[str, ...]] = {}
    company: Company
    file: str
    sha256: str
    size: int
