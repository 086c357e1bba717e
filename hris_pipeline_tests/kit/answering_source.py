"""A source that gives any answers whatever: cases of the oracle's generator for its list, its single answers and the
proof question, by the calls of either API."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from hris_pipeline_tests.kit.scripted_http import Call, Reply
from hris_pipeline_tests.oracle.answers import SingleCase
from hris_pipeline_tests.oracle.company import crowd, finch_member, json_answer, record
from hris_pipeline_tests.oracle.list_answers import ListCase
from hris_pipeline_tests.oracle.model import Answer, Source

__all__ = ["AnsweringSource", "Single"]

Single = Callable[[str], SingleCase | None]
"""The case by which somebody asked for singly is answered; None: plainly, as somebody at work."""


@dataclass
class AnsweringSource:
    """Answers the list with ``listing``, single questions with what ``single`` gives."""

    source: Source
    listing: ListCase
    single: Single = lambda hris_id: None
    asked: list[str] = field(default_factory=list)  # who was asked for singly, in order
    _offsets: list[str] = field(default_factory=list)
    _described: set[str] = field(default_factory=set)

    def begin(self, listing: ListCase | None = None, single: Single | None = None) -> None:
        """Another reading, by other cases where they are given."""
        self.listing, self.single = listing or self.listing, single or self.single
        self.asked.clear()
        self._offsets.clear()
        self._described.clear()

    def __call__(self, call: Call) -> Reply:
        """The answer to one call."""
        path = call.path.rstrip("/")
        if path in ("/v1/company", "/employer/company"):
            return Reply(json_answer(200, {"id": "company", "display_name": "Acme", "legal_name": "Acme"}))
        if path == "/v1/company/custom-fields":
            return Reply(json_answer(200, {"items": []}))
        if path in ("/v1/members", "/employer/directory"):
            return self._page(call)
        if path.startswith("/v1/members/"):
            member, _, values = path.removeprefix("/v1/members/").partition("/")
            return Reply(json_answer(200, {"items": []})) if values else self._singly(unquote(member))
        if path.startswith("/employer/") and call.body:
            return self._details(path.rpartition("/")[2], call)
        return Reply(json_answer(404, {"error": "no such address"}))

    def _page(self, call: Call) -> Reply:
        if call.query.get("status") == "terminated":
            return Reply(json_answer(200, {"items": []}))
        place = call.query.get("cursor") or call.query.get("offset") or "0"
        if place not in self._offsets:
            self._offsets.append(place)
        number = min(self._offsets.index(place), len(self.listing.pages) - 1)
        return Reply(self.listing.pages[number], self.listing.timings[number])

    def _singly(self, hris_id: str) -> Reply:
        self.asked.append(hris_id)
        case = self.single(hris_id)
        if case is not None:
            return Reply(case.answer, case.timing)
        return Reply(json_answer(200, record(self.source, hris_id, True)))

    def _details(self, part: str, call: Call) -> Reply:
        """A batch about the people of a page; or the answer about one person, when it is nobody new of the list."""
        hris_ids = [str(item["individual_id"]) for item in json.loads(call.body)["requests"]]
        if part == "employment":
            fresh = self.listing.everybody.intersection(hris_ids) - self._described
            fresh &= _shown(self.listing.pages)
            if not fresh:
                return self._singly(hris_ids[0])
            self._described.update(fresh)
        people = _people(self.listing)
        return Reply(
            json_answer(200, {"responses": [people[hris_id][part] for hris_id in hris_ids if hris_id in people]})
        )


def _shown(pages: tuple[Answer, ...]) -> set[str]:
    """hris_ids that stand in the pages, read as loosely as can be."""
    listed = set()
    for page in pages:
        for piece in page.body.split(b'"id": "')[1:]:
            listed.add(piece.partition(b'"')[0].decode(errors="replace"))
    return listed


def _people(listing: ListCase) -> Mapping[str, dict[str, object]]:
    ids = sorted(listing.everybody, key=lambda hris_id: int(hris_id.removeprefix("m")))
    return {person.hris_id: finch_member(person) for person in crowd(len(ids)) if person.hris_id in listing.everybody}
