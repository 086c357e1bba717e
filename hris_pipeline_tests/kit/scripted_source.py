"""A source that answers exactly as a reading of the oracle says: its members as sent, page by page, its single answers,
its custom fields; by the calls of the Partner API and of the aggregator."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from hris_pipeline_tests.kit.scripted_http import Call, Reply
from hris_pipeline_tests.oracle.company import json_answer
from hris_pipeline_tests.oracle.model import Answer, Reading, Source
from hris_pipeline_tests.oracle.wire_values import as_list, as_object

__all__ = ["PAGE", "ScriptedSource"]

PAGE = 7
"""Members a page: so that even a small company has several."""

NO_ANSWER = Reply(Answer(500, b'{"error": "no answer"}', {"Content-Type": "application/json"}))


@dataclass
class ScriptedSource:
    """Answers by its ``reading``, which may be replaced between two imports."""

    source: Source
    reading: Reading
    _described: set[str] = field(default_factory=set)  # hris_ids whose details this reading of the list has given

    def __call__(self, call: Call) -> Reply:
        """The answer to one call."""
        path = call.path.rstrip("/")
        if path in ("/v1/company", "/employer/company"):
            company = {"id": "company", "display_name": "Acme", "legal_name": "Acme", **self.reading.company}
            return Reply(json_answer(200, company))
        listed = {"/v1/members": self._members, "/employer/directory": self._directory}
        if path in listed:
            return listed[path](call)
        if path in ("/employer/individual", "/employer/employment"):
            return self._details(call)
        if path == "/v1/company/custom-fields":
            return Reply(json_answer(200, {"items": list(self.reading.custom_definitions), "next_cursor": None}))
        return self._member(path)

    def _member(self, path: str) -> Reply:
        if not path.startswith("/v1/members/"):
            return Reply(json_answer(404, {"error": "no such address"}))
        member, _, values = path.removeprefix("/v1/members/").partition("/")
        answer = self.reading.custom_values.get(unquote(member))
        if values:
            return Reply(answer) if answer is not None else NO_ANSWER
        return self._single(unquote(member))

    def _page(self, first: int) -> tuple[tuple[object, ...], bool]:
        """So many members, and whether the reading goes on; a reading that breaks off does so at its end."""
        members = self.reading.members
        goes_on = first + PAGE < len(members) or not self.reading.complete
        return members[first : first + PAGE], goes_on

    def _breaks(self, first: int) -> bool:
        return not self.reading.complete and first >= max(len(self.reading.members), 1)

    def _members(self, call: Call) -> Reply:
        if call.query.get("status") == "terminated":
            return Reply(json_answer(200, {"items": [], "next_cursor": None}))
        first = int(call.query.get("cursor", "c0").removeprefix("c"))
        if self._breaks(first):
            return NO_ANSWER
        members, goes_on = self._page(first)
        cursor = f"c{first + PAGE}" if goes_on else None
        return Reply(json_answer(200, {"items": list(members), "next_cursor": cursor}))

    def _single(self, hris_id: str) -> Reply:
        """Somebody missing has the answer of the reading; somebody listed answers as listed, or as the control says."""
        if hris_id in self.reading.lookups:
            return Reply(self.reading.lookups[hris_id])
        listed = [member for member in self.reading.members if as_object(member).get("id") == hris_id]
        if not listed:
            return NO_ANSWER
        return Reply(self.reading.control or json_answer(200, listed[-1]))

    def _directory(self, call: Call) -> Reply:
        first = int(call.query.get("offset", "0"))
        if first == 0:
            self._described.clear()
        if self._breaks(first):
            return NO_ANSWER
        members, _ = self._page(first)
        count = len(self.reading.members) + (0 if self.reading.complete else 1)
        entries = [as_object(member).get("directory") for member in members]
        return Reply(json_answer(200, {"paging": {"count": count, "offset": first}, "individuals": entries}))

    def _details(self, call: Call) -> Reply:
        part = call.path.rpartition("/")[2]
        hris_ids = [str(item["individual_id"]) for item in json.loads(call.body)["requests"]]
        listed = self._listed()
        if len(hris_ids) == 1 and hris_ids[0] not in listed:
            answer = self.reading.lookups.get(hris_ids[0])
            return Reply(answer) if answer is not None else NO_ANSWER
        if part == "employment" and self._described.issuperset(hris_ids) and self.reading.control is not None:
            return Reply(self.reading.control)
        self._described.update(hris_ids if part == "employment" else ())
        items: list[object] = []
        for hris_id in hris_ids:
            items += [as_object(member).get(part) for member in listed.get(hris_id, ())]
            items += self._looked_up(hris_id) if hris_id not in listed else []
        return Reply(json_answer(200, {"responses": items}))

    def _listed(self) -> Mapping[str, list[object]]:
        listed: dict[str, list[object]] = {}
        for member in self.reading.members:
            directory = as_object(as_object(member).get("directory"))
            listed.setdefault(str(directory.get("id")), []).append(member)
        return listed

    def _looked_up(self, hris_id: str) -> list[Any]:
        """One person's items of a batch; an answer that is no list of items leaves the person out of it."""
        answer = self.reading.lookups.get(hris_id)
        if answer is None or answer.status != 200:
            return []
        try:
            return as_list(as_object(json.loads(answer.body)).get("responses"))
        except ValueError:
            return []
