"""Reading all members once: the records into the archive, and the verdict whether the population is certain."""

import random
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

import msgspec

from hris_pipeline.errors import SourceNotReady, SourceUnavailable
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.protocol import Company, CustomField, Manifest, Page, Source

__all__ = [
    "extract",
]

STALE_PAGES = 10
"""So many pages in a row that bring nobody new: the list goes round in circles."""

ERRORS_IN_A_ROW = 10
"""So many people asked for singly in vain: the rest are not asked, and left untouched like them."""


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
) -> Manifest:
    """Reads and archives all members, and gives the manifest with the verdict.

    ``expected`` are the hris_ids of managed active users: those whom the list lacks are asked for singly, in random
    order. The extract is incomplete when a page failed for good, the source stopped being ready, or the list was short.
    ``progress`` hears how many records have come.

    Raises:
        SourceUnavailable: nothing could be read at all.
        SourceNotReady: the source has no data yet; never an extract.
        SourceRefused, ConnectionInvalid: somebody must change something first.
    """
    started_at = now()
    company = source.company()
    reading = _ExtractTally(progress or (lambda _: None))
    extract_id = archive.new_id(integration_id, started_at)
    stored = archive.write(integration_id, extract_id, reading.lines(source.pages(custom_fields=custom_fields)))
    absent = set(expected) - reading.seen - reading.holes
    if not reading.reasons:
        reading.confirm(source, sorted(absent), shuffle or random.SystemRandom())
    manifest = Manifest(
        extract_id=extract_id,
        integration_id=integration_id,
        source=source.name,
        started_at=started_at,
        finished_at=now(),
        records=len(reading.seen) + reading.nameless,
        complete=not reading.reasons,
        reasons=tuple(reading.reasons),
        holes=tuple(sorted(reading.holes)),
        missing=tuple(sorted(reading.missing)),
        with_custom_fields=custom_fields,
        company=msgspec.structs.replace(company, custom_fields=reading.definitions(company)),
        file=stored.file,
        sha256=stored.sha256,
        size=stored.size,
    )
    archive.record(manifest)
    return manifest


class _ExtractTally:
    """What is known so far: who was seen, who is a hole, who is confirmed gone, and why the population is uncertain."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._found: dict[str, CustomField] = {}
        self.seen: set[str] = set()
        self.holes: set[str] = set()
        self.missing: set[str] = set()
        self.nameless = 0
        self.reasons: list[str] = []

    def lines(self, pages: Iterator[Page]) -> Iterator[bytes]:
        """The records' lines, tallied as they pass; a failure after the first page ends them with a reason."""
        received = stale = records = 0
        try:
            for page in pages:
                stale = 0 if self._tally(page) else stale + 1
                if stale >= STALE_PAGES:
                    self.reasons.append(
                        f"the list goes round in circles: {STALE_PAGES} pages in a row brought nobody new"
                    )
                    break
                yield from (record.line for record in page.records)
                received += 1
                records += len(page.records)
                self._progress(records)
        except (SourceUnavailable, SourceNotReady) as failure:
            if not received:
                raise
            self.reasons.append(f"reading stopped after {received} pages: {failure}")
        finally:
            self.holes -= self.seen

    def confirm(self, source: Source, absent: list[str], shuffle: random.Random) -> None:
        """Asks for the absent singly: gone, a hole, or, at the first who is active, proof that the list was short."""
        shuffle.shuffle(absent)
        unasked, errors = set(absent), 0
        try:
            for answer in source.ask(absent):
                unasked.discard(answer.hris_id)
                if answer.status == "active":
                    self.reasons.append(f"the list was short: {answer.hris_id} is missing from it and answered active")
                    return
                (self.holes if answer.status == "error" else self.missing).add(answer.hris_id)
                errors = errors + 1 if answer.status == "error" else 0
                if errors >= ERRORS_IN_A_ROW:
                    break
        except (SourceUnavailable, SourceNotReady) as failure:
            self.reasons.append(f"those missing from the list could not be asked for: {failure}")
            return
        self.holes |= unasked

    def definitions(self, company: Company) -> tuple[CustomField, ...]:
        """The company's custom fields and those that only showed on its members."""
        return tuple({**self._found, **{field.id: field for field in company.custom_fields}}.values())

    def _tally(self, page: Page) -> bool:
        """Takes note of a page; whether it brought anybody new."""
        known = len(self.seen) + len(self.holes) + self.nameless
        self.seen.update(record.hris_id for record in page.records if record.hris_id)
        self.nameless += sum(not record.hris_id for record in page.records)
        self.holes.update(page.holes)
        self._found.update((field.id, field) for field in page.custom_fields)
        return len(self.seen) + len(self.holes) + self.nameless > known
