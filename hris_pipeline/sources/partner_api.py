"""The Justworks Partner API as a Source: one token is one company; members come in pages by cursor.

Assumed: the list without ``status`` holds active and terminated members. Should it hold only active ones, the list of
the terminated is read as well: whenever a company shows no inactive member at all.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hris_pipeline.errors import SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources import justworks_wire
from hris_pipeline.sources.decoding import require_object
from hris_pipeline.sources.http import Http, HttpRefused, TokenProvider, Unauthorized
from hris_pipeline.sources.oauth import OAuth, OAuthTokens, TokenKeeper, Tokens
from hris_pipeline.sources.pacing import Ceilings, RateLimiter, Retries, Workers, prefetch
from hris_pipeline.sources.protocol import Company, CustomField, LookupResult, Page, Record, ShapeReport
from hris_pipeline.sources.raw_columns import clean_id, wire_ids
from hris_pipeline.sources.records import scalar

__all__ = ["SAMPLE", "PartnerApi"]

PAGE_SIZE = 100
"""The most the API gives."""

SAMPLE = 50
"""So many members' custom field values are read where nothing needs everybody's: what there is, people must see."""

THREADS = 4
"""For one call a member; more only wait for the ceiling."""

FAILURES_IN_A_ROW = 8
"""So many members whose details fail one after the other: the rest are holes without being asked for."""

DEFINITION_PAGES = 200
"""No company has more pages of custom field definitions; whoever gives more gives them without end."""

LONGEST_CURSOR = 8000
"""Characters; a longer one fits no address."""

SCOPE_OF: tuple[tuple[str, str], ...] = (("/v1/company", "company.detail:read"), ("/v1/members", "member.detail:read"))
"""The scope that the resources under a path need."""

_NO_ANSWER = (SourceUnavailable, SourceRefused, SourceNotReady, Unauthorized)
"""What makes one person a hole; a connection that cannot be renewed is not among them."""


class PartnerApi:
    """One company's members over the Partner API."""

    name = "justworks"

    def __init__(
        self,
        api_url: str,
        tokens: TokenProvider,
        *,
        integration_id: str,
        rate_limiter: RateLimiter | None = None,
        retries: Retries | None = None,
        ceilings: Ceilings | None = None,
    ) -> None:
        self._integration_id = integration_id
        self._ceilings = ceilings or Ceilings()
        self._http = Http(
            api_url,
            title="Justworks",
            advice=self._suggest_remedy,
            tokens=tokens,
            rate_limiter=rate_limiter,
            retries=retries,
            ceilings=self._ceilings,
        )
        self._reception: justworks_wire.Reception | None = None
        self._company: Company | None = None
        self._closing: list[Callable[[], None]] = [self._http.close]

    @classmethod
    def connected(
        cls,
        *,
        oauth: OAuth,
        keeper: TokenKeeper,
        stored: Tokens | None = None,
        api_url: str,
        integration_id: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rate_limiter: RateLimiter | None = None,
        retries: Retries | None = None,
        ceilings: Ceilings | None = None,
    ) -> "PartnerApi":
        """The Partner API with tokens from ``keeper``, at first those ``stored``; closing it closes ``oauth`` too."""
        source = cls(
            api_url,
            OAuthTokens(keeper, oauth, clock, stored),
            integration_id=integration_id,
            rate_limiter=rate_limiter,
            retries=retries,
            ceilings=ceilings,
        )
        source._closing.append(oauth.close)
        return source

    def company(self) -> Company:
        """The company with its offices and departments, and its custom fields where the connection may read them."""
        body = self._http.get("/v1/company", require_object)
        self._company = justworks_wire.read_company(body, self._custom_fields())
        return self._company

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:
        """All members, each (or a sample of those on the first page) with its custom field values, one more call each.

        Raises:
            SourceUnavailable: a page failed for good.
        """
        company = self._company or self.company()
        reception = self._reception = justworks_wire.Reception(company)
        workers = Workers("details")
        details = _Details(self._http, workers)
        sample = SAMPLE if company.custom_fields else 0
        try:
            nobody_inactive = True
            for members in self._list_members({}):
                nobody_inactive = nobody_inactive and all(map(_is_active, members))
                yield self._build_page(reception, details, members, None if custom_fields else sample)
                sample = 0
            if nobody_inactive:
                for members in self._list_terminated_members():
                    yield self._build_page(reception, details, members, None if custom_fields else 0)
        finally:
            workers.close()

    def lookup(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """One call a person."""
        for hris_id in hris_ids:
            if hris_id in _NO_NAMES:
                yield LookupResult(hris_id, "error")
                continue
            try:
                member = self._http.get(_member_path(hris_id), require_object)
            except HttpRefused as refusal:
                is_gone = refusal.status == 404 and refusal.says_so
                yield LookupResult(hris_id, "not_found" if is_gone else "error")
            except _NO_ANSWER:
                yield LookupResult(hris_id, "error")
            else:
                yield LookupResult(hris_id, _judge_answer(hris_id, member))

    def shape_report(self) -> ShapeReport:
        """What was noticed of the shapes of the members read so far."""
        return self._reception.report() if self._reception else ShapeReport()

    def close(self) -> None:
        """Gives back connections."""
        for close in self._closing:
            close()

    def _build_page(
        self, reception: justworks_wire.Reception, details: "_Details", members: list[object], sample: int | None
    ) -> Page:
        """The members with the values of everybody (``sample`` None), or of so many."""
        asked = details.add(members, sample)
        records: list[Record] = []
        holes: list[str] = []
        hole_lines: list[bytes] = []
        for member, record in zip(members, reception.records(members), strict=True):
            if record is None:
                holes.append(_member_id(member))
            elif sample is None and record.hris_id and record.hris_id not in asked:
                holes.append(record.hris_id)
                hole_lines.append(record.line)
            else:
                records.append(record)
        return Page(
            tuple(records),
            tuple(filter(None, holes)),
            tuple(hole_lines),
            asked=tuple(sorted(asked)),
            wire_ids=wire_ids(member.get("id") for member in members if isinstance(member, dict)),
        )

    def _list_members(self, query: Mapping[str, str]) -> Iterator[list[object]]:
        yield from prefetch(self._follow_cursor("/v1/members", {"limit": str(PAGE_SIZE), **query}))

    def _list_terminated_members(self) -> Iterator[list[object]]:
        try:
            for members in self._list_members({"status": "terminated"}):
                if any(map(_is_active, members)):  # the source does not heed the filter: all of this was read already
                    return
                yield members
        except HttpRefused:
            return

    def _follow_cursor(self, path: str, query: Mapping[str, str], most: int | None = None) -> Iterator[list[object]]:
        cursor: dict[str, str] = {}
        seen: set[str] = set()
        for _ in range(most or self._ceilings.reading_pages):
            items, following = self._http.get(path, _read_page, {**query, **cursor})
            yield items
            if not following:
                return
            if following in seen:
                raise SourceUnavailable(
                    f"Justworks goes round in circles: GET {path} gave a cursor that it had given before: "
                    "run it again later."
                )
            if len(following) > LONGEST_CURSOR:
                raise SourceRefused(
                    f"Justworks gave GET {path} a cursor of {len(following)} characters, which fits no address: "
                    "check whether Justworks changed its API."
                )
            seen.add(following)
            cursor = {"cursor": following}
        if most is not None:
            raise SourceUnavailable(
                f"Justworks gave more than {most} pages of GET {path}, which no company has: run it again later, and "
                "ask Justworks if it goes on."
            )
        raise SourceUnavailable(
            f"Justworks gave more than {self._ceilings.reading_pages} pages of GET {path} (HRIS_READING_PAGES): "
            "raise the limit if the company is that large, otherwise run it again later."
        )

    def _custom_fields(self) -> tuple[CustomField, ...]:
        try:
            pages = self._follow_cursor("/v1/company/custom-fields", {}, DEFINITION_PAGES)
            return justworks_wire.read_custom_fields(item for items in pages for item in items)
        except HttpRefused:
            return ()

    def _suggest_remedy(self, status: int, path: str) -> str:
        remedy = f"connect again with `hris connect {self._integration_id}`"
        if status == 403:
            scope = next((scope for prefix, scope in SCOPE_OF if path.startswith(prefix)), "")
            return f"the connection lacks the permission {scope}; {remedy} and agree to all permissions"
        if status == 401:
            return remedy
        return "check JUSTWORKS_API_URL, and whether Justworks changed its API"


class _Details:
    """Custom field values, fetched by a few threads and put into the members they belong to."""

    def __init__(self, http: Http, workers: Workers) -> None:
        self._http = http
        self._workers = workers
        self._failed_in_a_row = 0

    def add(self, members: Sequence[object], sample: int | None) -> set[str]:
        """Puts the values into members, into all or into so many drawn by chance; gives the ids of those who have them
        now."""
        if sample == 0:
            return set()
        candidates = [
            (hris_id, member) for member in members if isinstance(member, dict) and (hris_id := _member_id(member))
        ]
        if sample is not None:
            candidates = random.sample(candidates, min(sample, len(candidates)))
        asked = set()
        for (hris_id, member), values in zip(
            candidates, self._workers.map(lambda pair: self._fetch_values(pair[1]), candidates, THREADS), strict=True
        ):
            if values is not None:
                member[justworks_wire.CUSTOM_VALUES_KEY] = values
                asked.add(hris_id)
        return asked

    def _fetch_values(self, member: Mapping[str, Any]) -> list[object] | None:
        wire_id = scalar(member.get("id")) or ""
        if self._failed_in_a_row >= FAILURES_IN_A_ROW or wire_id in _NO_NAMES:
            return None
        try:
            values, _ = self._http.get(f"{_member_path(wire_id)}/custom-field-values", _read_page)
        except _NO_ANSWER as failure:
            is_down = not isinstance(failure, HttpRefused)
            self._failed_in_a_row += is_down  # a refusal costs nothing, and is that one person's
            return None
        self._failed_in_a_row = 0
        return values


_NO_NAMES = frozenset({".", ".."})
"""Ids that no address can hold: what they name is the folder, or the one above."""


def _member_path(hris_id: str) -> str:
    return f"/v1/members/{quote(hris_id, safe='')}"


def _read_page(answer: object) -> tuple[list[object], str]:
    """Items and the next cursor, '' on the last page.

    Raises:
        ValueError: it is no list of items.
    """
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not isinstance(answer, dict):
        raise ValueError("no items")
    cursor = answer.get("next_cursor")
    if isinstance(cursor, dict | list | bool | float):
        raise ValueError("no cursor")
    return items, "" if cursor is None else str(cursor)


def _member_id(member: object) -> str:
    return clean_id(scalar(member.get("id"))) if isinstance(member, dict) else ""


def _is_active(member: object) -> bool:
    return isinstance(member, dict) and member.get("active") is True


def _judge_answer(hris_id: str, member: Mapping[str, Any]) -> Any:
    """What a record says of the person asked for: something only when it is that very person's."""
    if _member_id(member) != clean_id(hris_id):
        return "error"
    return {True: "active", False: "inactive"}.get(member["active"], "error") if _has_flag(member) else "error"


def _has_flag(member: Mapping[str, Any]) -> bool:
    return isinstance(member.get("active"), bool)
