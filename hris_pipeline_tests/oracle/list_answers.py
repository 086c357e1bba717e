"""What a source may answer when it is asked for the list, and what may be concluded from it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from .answers import STATUSES, TIMINGS, Timing, json_bytes
from .company import JSON_HEADERS, crowd, finch_member, partner_member
from .model import Answer, Source

ListSays = Literal["complete", "incomplete", "stopped"]


@dataclass(frozen=True)
class ListCase:
    """The answers to one reading of the list, page by page; the last is repeated for whoever asks on."""

    source: Source
    kind: str
    pages: tuple[Answer, ...]
    timings: tuple[Timing, ...]
    allowed: frozenset[ListSays]
    listed: frozenset[str] = field(default_factory=frozenset)  # hris_ids that the good pages show, all employed
    everybody: frozenset[str] = field(default_factory=frozenset)  # hris_ids of the company; all employed: none may go

    @property
    def nobody_may_be_archived_unasked(self) -> bool:
        return "complete" not in self.allowed


COMPLETE: frozenset[ListSays] = frozenset({"complete"})


NOT_COMPLETE: frozenset[ListSays] = frozenset({"incomplete", "stopped"})


ANY: frozenset[ListSays] = frozenset({"complete", "incomplete", "stopped"})


def _page(body: object, status: int = 200) -> Answer:
    return Answer(status, json_bytes(body), JSON_HEADERS)


def partner_pages(ids: list[str], size: int, last_cursor: object = None) -> list[dict[str, object]]:
    """The pages of a company whose people are all employed."""
    people = crowd(len(ids))
    members = [{**partner_member(person), "id": hris_id} for person, hris_id in zip(people, ids, strict=True)]
    chunks = [members[start : start + size] for start in range(0, len(members), size)] or [[]]
    pages: list[dict[str, object]] = []
    for place, chunk in enumerate(chunks):
        page: dict[str, object] = {"items": chunk}
        if place + 1 < len(chunks):
            page["next_cursor"] = f"c{place + 1}"
        elif last_cursor != "absent":
            page["next_cursor"] = last_cursor
        pages.append(page)
    return pages


def finch_pages(ids: list[str], size: int) -> list[dict[str, object]]:
    people = crowd(len(ids))
    entries = []
    for person, hris_id in zip(people, ids, strict=True):
        directory = finch_member(person)["directory"]
        assert isinstance(directory, dict)
        entries.append({**directory, "id": hris_id})
    starts = range(0, max(len(entries), 1), size)
    return [
        {"paging": {"count": len(entries), "offset": start}, "individuals": entries[start : start + size]}
        for start in starts
    ]


BROKEN_BODIES: tuple[tuple[str, bytes], ...] = (
    ("empty", b""),
    ("html", b"<html>busy</html>"),
    ("null", b"null"),
    ("list", b"[]"),
    ("no-items", b"{}"),
    ("items-null", b'{"items": null, "individuals": null}'),
    ("items-object", b'{"items": {}, "individuals": {}}'),
    ("items-text", b'{"items": "none", "individuals": "none"}'),
    ("error-in-200", b'{"error": "try later", "code": 503}'),
    ("cut", b'{"items": [{"id": "m1", "act'),
    ("bad-utf-8", b'{"items": [{"id": "\xff"}]}'),
)


FAILING_STATUSES = tuple(status for status in STATUSES if status >= 300 or status in (202, 204))


def list_cases(source: Source, *, seed: int, count: int, people: int = 12) -> Iterator[ListCase]:
    """Readings of one company, good and bad, always the same for one seed."""
    chance = random.Random(f"{seed}/{source}/list")
    ids = [f"m{number}" for number in range(1, people + 1)]
    for _ in range(count):
        yield _list_case(source, chance, ids)


def _list_case(source: Source, chance: random.Random, ids: list[str]) -> ListCase:
    size = chance.randint(1, len(ids))
    everybody = frozenset(ids)
    last_cursor = chance.choice((None, "", "absent"))
    bodies = partner_pages(ids, size, last_cursor) if source == "justworks" else finch_pages(ids, size)
    pages = [_page(body) for body in bodies]
    timings: list[Timing] = ["prompt"] * len(pages)
    place = chance.randrange(len(pages))
    before = frozenset(ids[: place * size])
    kind = chance.choice(
        (
            "good",
            "good",
            "status",
            "broken",
            "timing",
            "twice",
            "cursor_again",
            "cursor_kind",
            "short",
            "not_ready",
            "nulls",
        )
    )

    def case(name: str, allowed: frozenset[ListSays], listed: frozenset[str]) -> ListCase:
        return ListCase(source, name, tuple(pages), tuple(timings), allowed, listed, everybody)

    if kind == "status":
        status = chance.choice(FAILING_STATUSES)
        pages[place] = Answer(status, chance.choice((pages[place].body, b"", b'{"error": "x"}')), JSON_HEADERS)
        return case(f"status-{status}", NOT_COMPLETE, before)
    if kind == "broken":
        name, data = chance.choice(BROKEN_BODIES)
        pages[place] = Answer(200, data, JSON_HEADERS)
        return case(f"broken-{name}", NOT_COMPLETE, before)
    if kind == "timing":
        timing = chance.choice(TIMINGS)
        timings[place] = timing
        good = timing in ("prompt", "slow")
        return case(f"timing-{timing}", COMPLETE if good else NOT_COMPLETE, everybody if good else before)
    if kind == "not_ready":
        pages[0] = _page({"code": "accepted", "message": "not ready", "items": [], "individuals": []}, 202)
        return case("not-ready", NOT_COMPLETE, frozenset())
    if kind == "short":
        gone = chance.randrange(len(ids))
        still_listed = [hris_id for hris_id in ids if hris_id != ids[gone]]
        if source == "justworks":
            pages = [_page(body) for body in partner_pages(still_listed, size)]
            timings = ["prompt"] * len(pages)
            return case("short", ANY, frozenset(still_listed))  # only the single lookups can prove it
        parts = finch_pages(still_listed, size)
        for part in parts:
            part["paging"] = {"count": len(ids), "offset": 0}
        pages = [_page(body) for body in parts]
        timings = ["prompt"] * len(pages)
        return case("short-of-its-count", NOT_COMPLETE, frozenset(still_listed))
    if source == "justworks" and kind == "cursor_again" and len(pages) > 1:
        pages[-1] = _page({**bodies[-1], "next_cursor": "c1"})
        return case("cursor-again", NOT_COMPLETE, everybody)
    if source == "justworks" and kind == "cursor_kind":
        pages[-1] = _page({**bodies[-1], "next_cursor": chance.choice((7, [], {}, True, ["c1"]))})
        return case("cursor-of-another-kind", ANY, everybody)
    if kind == "twice" and source == "justworks" and len(pages) > 1:
        first, items = bodies[0]["items"], bodies[-1]["items"]
        assert isinstance(items, list)
        assert isinstance(first, list)
        pages[-1] = _page({**bodies[-1], "items": [*items, first[0]]})
        return case("twice", COMPLETE, everybody)
    if kind == "nulls" and source == "justworks":
        items = bodies[place]["items"]
        assert isinstance(items, list)
        pages[place] = _page({**bodies[place], "items": [None, *items]})
        return case("null-items", ANY, everybody)
    return case("good", COMPLETE, everybody)
