"""Reading all members once: the records into the archive, and the verdict whether the population is certain; and from
an archived extract back to people: its raw columns, by the wire it came over, and the member's own fields.

How extracts are stored is ``archive``'s.
"""

import gc
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from typing import Any

import msgspec

from hris_pipeline.errors import SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.archive import Archive, hole_line
from hris_pipeline.sources.decoding import decode, encode
from hris_pipeline.sources.pacing import Ceilings
from hris_pipeline.sources.protocol import STRONGEST_FIRST, Company, CustomField, LookupStatus, Manifest, Page, Source
from hris_pipeline.sources.raw_columns import ColumnBuilder, RawColumns, clean_id, wire_paths

__all__ = ["MEMBER_FIELDS", "extract", "keep_frozen", "member_fields", "read_columns", "read_holes", "read_member"]

STALE_PAGES = 10
"""So many pages in a row that bring nobody new: the list goes round in circles."""

ERRORS_IN_A_ROW = 10
"""So many people asked for singly in vain: the rest are not asked, and left untouched like them."""

_OBJECTS_A_COLLECTION = 20_000
"""Four pages of members: what is left of them by then is the rows of a block."""

_FAILED = (SourceUnavailable, SourceNotReady, SourceRefused)
"""What ends a reading that has begun, as incomplete."""


def extract(
    source: Source,
    archive: Archive,
    *,
    integration_id: str,
    expected: Collection[str],
    custom_fields: bool,
    now: Callable[[], datetime],
    shuffle: random.Random | None = None,
    progress: Callable[[int], None] | None = None,
    ceilings: Ceilings | None = None,
    columns: ColumnBuilder | None = None,
    first_page: bool = False,
    earlier_wire_ids: Callable[[], Mapping[str, tuple[str, ...]]] = dict,
) -> Manifest:
    """Reads and archives all members (or those of the first page), and gives the manifest with the verdict.

    ``expected`` are the hris_ids of managed active users: those whom the list lacks are asked for singly, in random
    order. The extract is incomplete when a page failed for good, the source stopped being ready, the list was short or
    without end, or nobody's absence could be confirmed. Whoever is not listed is asked for by the id that the source
    gave them earlier (``earlier_wire_ids``). ``progress`` hears how many records have come; ``columns``
    gathers what a later reading of the archive would give, while the records pass.

    Raises:
        SourceUnavailable: nothing could be read at all.
        SourceNotReady: the source has no data yet; never an extract.
        SourceRefused, ConnectionInvalid: somebody must change something first.
    """
    started_at = now()
    company = source.company()
    chance = shuffle or random.SystemRandom()
    tally = _ExtractTally(progress or (lambda _: None), ceilings or Ceilings(), columns)
    extract_id = archive.new_id(integration_id, started_at)
    pages = source.pages(custom_fields=custom_fields)
    with _collecting_seldom():
        stored = archive.write(integration_id, extract_id, tally.lines(_first_of(pages) if first_page else pages))
    if first_page:
        tally.reasons.append("only the first page was read, when connecting")
    absent = sorted(set(expected) - tally.seen - tally.holes)
    if absent or tally.holes:
        earlier = earlier_wire_ids()
        tally.note_wire_ids({hris_id: earlier[hris_id] for hris_id in earlier.keys() & {*absent, *tally.holes}})
    if absent and not tally.reasons:
        tally.confirm(source, absent, chance)
    report = source.shape_report()
    manifest = Manifest(
        extract_id=extract_id,
        integration_id=integration_id,
        source=source.name,
        started_at=started_at,
        finished_at=now(),
        **tally.verdict(custom_fields=custom_fields, first_page=first_page),
        unread=report.unread,
        spellings=report.spellings,
        other_keys=report.other_keys,
        wire_ids=tally.wire_ids,
        company=msgspec.structs.replace(company, custom_fields=tally.definitions(company)),
        file=stored.file,
        sha256=stored.sha256,
        size=stored.size,
    )
    archive.record(manifest)
    return manifest


_keeps_frozen = False


def keep_frozen() -> None:
    """What is loaded by now stays to the end of this process, and of every one forked from it: it is not looked through
    for garbage any more. That it is so is remembered: counting what is frozen takes longer than a small company's
    reading."""
    global _keeps_frozen  # noqa: PLW0603
    gc.collect()
    gc.freeze()
    _keeps_frozen = True


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """While members pass, what was there before is not looked through for garbage again and again: that took a quarter
    of the reading's computing. A process that keeps its objects frozen goes on doing so."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_A_COLLECTION, *thresholds[1:])
    if not _keeps_frozen:
        gc.freeze()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if not _keeps_frozen:
            gc.unfreeze()


def _first_of(pages: Iterator[Page]) -> Iterator[Page]:
    try:
        yield from islice(pages, 1)
    finally:
        if close := getattr(pages, "close", None):
            close()


class _ExtractTally:
    """What is known so far: who was seen, who is a hole, who is confirmed gone, and why the population is uncertain."""

    def __init__(
        self, progress: Callable[[int], None], ceilings: Ceilings, columns: ColumnBuilder | None = None
    ) -> None:
        self._progress = progress
        self._columns = columns
        self._ceilings = ceilings
        self._until = time.monotonic() + ceilings.reading_seconds
        self._definitions: dict[str, CustomField] = {}
        self.seen: set[str] = set()
        self.active: set[str] = set()
        self.asked: set[str] = set()
        self.holes: set[str] = set()
        self.missing: set[str] = set()
        self.wire_ids: dict[str, tuple[str, ...]] = {}
        self.without_id = 0
        self.reasons: list[str] = []

    def lines(self, pages: Iterator[Page]) -> Iterator[bytes]:
        """The records' lines, tallied as they pass; a failure after the first page ends them with a reason."""
        received = stale = records = 0
        try:
            for page in pages:
                stale = 0 if self._add(page) else stale + 1
                yield from (record.line for record in page.records)
                yield from map(hole_line, page.hole_lines)
                received += 1
                records += len(page.records)
                self._progress(records)
                if reason := self._find_stop_reason(received, stale):
                    self.reasons.append(reason)
                    break
        except _FAILED as failure:
            if not received:
                raise
            self.reasons.append(f"reading stopped after {received} pages: {failure}")
        finally:
            if close := getattr(pages, "close", None):
                close()
            self.holes -= self.seen

    def confirm(self, source: Source, absent: list[str], chance: random.Random) -> None:
        """Asks for the absent singly: gone, a hole, or, at the first who is active, proof that the list was short.

        Whether the question itself can be trusted is tried first, and again when it has confirmed anybody: with
        somebody whom the list has just shown active.
        """
        try:
            if not self._is_proved(source, chance):
                return
            self._ask(source, absent, chance)
            if self.missing and not self.reasons:
                self._is_proved(source, chance)
        except _FAILED as failure:
            self.reasons.append(f"those missing from the list could not be asked for: {failure}")
        if self.reasons:
            self.missing.clear()

    def note_wire_ids(self, wire_ids: Mapping[str, tuple[str, ...]]) -> None:
        """How the source spells ids, beside the ways that are known."""
        for hris_id, spellings in wire_ids.items():
            self.wire_ids[hris_id] = tuple(dict.fromkeys((*self.wire_ids.get(hris_id, ()), *spellings)))

    def verdict(self, *, custom_fields: bool, first_page: bool) -> dict[str, Any]:
        """What a manifest says of the people: how many there are, who is not, and whose custom values were read."""
        everybody = not first_page and (custom_fields or self.seen == self.asked)
        return {
            "records": len(self.seen) + self.without_id,
            "complete": not self.reasons,
            "reasons": tuple(self.reasons),
            "holes": tuple(sorted(self.holes)),
            "missing": tuple(sorted(self.missing)),
            "with_custom_fields": everybody,
            "asked": len(self.asked),
            "sampled": () if everybody else tuple(sorted(self.asked)),
            "first_page": first_page,
        }

    def definitions(self, company: Company) -> tuple[CustomField, ...]:
        """The company's custom fields and those that only showed on its members."""
        return tuple({**self._definitions, **{field.id: field for field in company.custom_fields}}.values())

    def _add(self, page: Page) -> bool:
        """Takes note of a page; whether it brought anybody new, whom only an id can tell."""
        before = len(self.seen) + len(self.holes)
        is_active = {record.hris_id: record.active for record in page.records}  # of one listed twice the last
        if is_active.pop("", None) is not None:
            self.without_id += sum(not record.hris_id for record in page.records)
        self.seen.update(is_active)
        self.active.difference_update(is_active)
        self.active.update(hris_id for hris_id, active in is_active.items() if active)
        if self._columns is not None:
            self._columns.extend(page.records)
        self.holes.update(page.holes)
        self.note_wire_ids(page.wire_ids)
        self.asked.update(page.asked)
        self._definitions.update((field.id, field) for field in page.custom_fields)
        return len(self.seen) + len(self.holes) > before

    def _find_stop_reason(self, received: int, stale: int) -> str | None:
        """Why reading must end here, if it must."""
        if stale >= STALE_PAGES:
            return f"the list goes round in circles: {STALE_PAGES} pages in a row brought nobody new"
        if received >= self._ceilings.reading_pages:
            return f"the list has more than {received} pages (HRIS_READING_PAGES)"
        if time.monotonic() > self._until:
            hours = self._ceilings.reading_seconds / 3600
            return f"reading took longer than {hours:g} hours (HRIS_READING_HOURS) and stopped after {received} pages"
        return None

    def _is_proved(self, source: Source, chance: random.Random) -> bool:
        """Whether somebody whom the list has just shown active answers so."""
        if not self.active:
            self.reasons.append(
                "nobody's absence can be confirmed: the list shows nobody who is active to ask for first"
            )
            return False
        hris_id = chance.choice(sorted(self.active))
        if list(self._ask_source(source, [hris_id])) == [(hris_id, "active")]:
            return True
        self.reasons.append(
            f"nobody's absence can be confirmed: {hris_id} is active in the list, and asked for singly the source did "
            "not answer so"
        )
        return False

    def _ask(self, source: Source, absent: list[str], chance: random.Random) -> None:
        absent = chance.sample(absent, len(absent))
        remaining, errors = set(absent), 0
        for hris_id, status in self._ask_source(source, absent):
            remaining.discard(hris_id)
            if status == "active":
                self.reasons.append(f"the list was short: {hris_id} is missing from it and answered active")
                return
            (self.holes if status == "error" else self.missing).add(hris_id)
            errors = errors + 1 if status == "error" else 0
            if errors >= ERRORS_IN_A_ROW or time.monotonic() > self._until:
                break
        self.holes |= remaining

    def _ask_source(self, source: Source, hris_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What the source says of each, asked by every id that it gave them: of several answers the one that counts
        most."""
        asked = {hris_id: {hris_id, *self.wire_ids.get(hris_id, ())} for hris_id in hris_ids}
        hris_id_of = {wire_id: hris_id for hris_id, wire_ids in asked.items() for wire_id in wire_ids}
        statuses: dict[str, list[LookupStatus]] = {}
        for answer in source.lookup(list(hris_id_of)):
            hris_id = hris_id_of[answer.hris_id]
            statuses.setdefault(hris_id, []).append(answer.status)
            if len(statuses[hris_id]) == len(asked[hris_id]):
                yield hris_id, min(statuses[hris_id], key=STRONGEST_FIRST.index)


_WIRES: Mapping[str, Callable[[Iterable[bytes], Company, date], RawColumns]] = {
    "justworks": justworks_wire.arrow_columns,
    "finch": lambda lines, _, on: finch_wire.arrow_columns(lines, on),
}

MEMBER_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "justworks": wire_paths(justworks_wire.FIELDS),
    "finch": wire_paths(finch_wire.FIELDS),
}
"""By source: each employee column and the fields of an archived member that it is read from, as dotted paths; from the
wires' own tables."""


def read_columns(manifest: Manifest, archive: Archive) -> RawColumns:
    """The members of an extract by raw employee column, ``spells`` and ``unread``; a member seen twice counts once.

    Raises:
        SourceRefused: the extract came from a source that this code does not know.
        UnknownName, FrameInvalid: the extract's lines are gone or damaged.
    """
    return _read_wire_columns(manifest, archive.lines(manifest))


def read_holes(manifest: Manifest, archive: Archive) -> RawColumns:
    """What the list itself tells of the holes of an extract, as far as it tells anything; otherwise as
    ``read_columns``."""
    return _read_wire_columns(manifest, archive.hole_lines(manifest))


def _read_wire_columns(manifest: Manifest, lines: Iterable[bytes]) -> RawColumns:
    if manifest.source not in _WIRES:
        raise SourceRefused(
            f"Extract {manifest.extract_id} came from the unknown source {manifest.source}: "
            f"take a new one with `hris preview {manifest.integration_id}`."
        )
    return _WIRES[manifest.source](lines, manifest.company, manifest.started_at.date())


def read_member(manifest: Manifest, archive: Archive, hris_id: str) -> dict[str, Any]:
    """One member of an extract as received, the last one when it came more than once; empty when it is not there."""
    quoted = encode(hris_id)[1:-1]
    members = (decode(line) for line in archive.lines(manifest) if quoted in line)
    matching = [member for member in members if isinstance(member, dict) and clean_id(member.get("id")) == hris_id]
    return matching[-1] if matching else {}


def member_fields(source: str, column: str, member: Mapping[str, Any]) -> dict[str, Any]:
    """Of the member's fields that an employee column is read from, those that are there: dotted path → value."""
    values = {path: _read_path(member, path) for path in MEMBER_FIELDS[source].get(column, ())}
    return {path: value for path, value in values.items() if value is not None}


def _read_path(member: Any, path: str) -> Any:
    for key in path.split("."):
        member = member.get(key) if isinstance(member, dict) else None
    return member
