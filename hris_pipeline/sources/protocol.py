"""What every source gives, whatever its wire: pages of records with holes, answers about single people, one company."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

__all__ = [
    "Company",
    "CustomField",
    "LookupResult",
    "Manifest",
    "Office",
    "Page",
    "Record",
    "Source",
    "UnreadColumn",
]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One member as received: ``line`` is its JSON with the denied keys dropped; ``updated_at`` is ISO text or ''."""

    hris_id: str
    updated_at: str
    line: bytes


class CustomField(msgspec.Struct, frozen=True, gc=False):
    """The definition of one custom field."""

    id: str
    label: str
    type: str = ""
    options: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, gc=False):
    """Some members; ``holes`` are the hris_ids of members whose details could not be read;
    ``custom_fields`` are those that this page shows, from a source that defines them nowhere else."""

    records: tuple[Record, ...]
    holes: tuple[str, ...] = ()
    custom_fields: tuple[CustomField, ...] = ()


class LookupResult(msgspec.Struct, frozen=True, gc=False):
    """What the source says of one person asked for singly."""

    hris_id: str
    status: Literal["active", "inactive", "not_found", "error"]


class Office(msgspec.Struct, frozen=True, gc=False):
    """Where an office stands."""

    id: str
    city: str = ""
    state: str = ""
    country: str = ""


class Company(msgspec.Struct, frozen=True):
    """What is known of the company itself; ``data_as_of`` is how old the source's data is, when it says so."""

    id: str
    display_name: str
    offices: tuple[Office, ...] = ()
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
        """All members, active and not, in the source's order; a member may come more than once.

        Raises:
            SourceNotReady: the source has no data yet; what was yielded before is no extract.
            SourceUnavailable: a page failed for good; what was yielded before is an incomplete extract.
        """
        ...

    def ask(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """Asks for single people, in the order given, lazily: the caller may stop after any answer."""
        ...

    def columns(self, lines: Iterable[bytes], company: Company) -> dict[str, list[object]]:
        """The archived lines of this source as columns: one list a raw employee column, equally long."""
        ...

    def close(self) -> None:
        """Gives back connections."""
        ...


class UnreadColumn(msgspec.Struct, frozen=True):
    """One employee column of which the source sent something that could not be read.

    That was so for ``count`` of the ``of`` members that sent anything for it; ``keys`` and ``types`` are the names of
    keys and the type words met there, never values.
    """

    count: int
    of: int
    keys: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an extract is: its verdict, its holes, what is stored and how to verify it. Carries ids, never people's
    data.

    ``records`` counts members once; ``missing`` are managed people confirmed gone; ``holes`` are people about whom
    nothing is known this time; ``reasons`` say why the extract is incomplete (empty when ``complete``).

    ``asked`` is how many members' custom field values were read, of all unless ``with_custom_fields`` is false (then of
    a sample, in ``sampled``). ``unread`` is by employee column. ``spellings`` counts, by place in a member
    (``emails``, ``department``), the keys met there that are read; ``other_keys`` counts those that are not, by dotted
    name, of which nothing else is kept.
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
    unread: dict[str, UnreadColumn] = {}
    spellings: dict[str, dict[str, int]] = {}
    other_keys: dict[str, int] = {}
    company: Company
    file: str
    sha256: str
    size: int
