"""The Justworks Partner API as a Source: one token is one company; members come in pages by cursor.

Assumed: the list without ``status`` holds active and terminated members. Should it hold only active ones, the list of
the terminated is read as well: whenever a company shows no inactive member at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from hris_pipeline.errors import SourceUnavailable
from hris_pipeline.sources import justworks_wire
from hris_pipeline.sources.http import Bearer, Http, HttpRefused, RateLimiter, Retries
from hris_pipeline.sources.oauth import OAuth, OAuthBearer, TokenKeeper
from hris_pipeline.sources.prefetch import prefetch
from hris_pipeline.sources.protocol import Company, CustomField, LookupResult, Page
from hris_pipeline.sources.records import page_of, text_of
from hris_pipeline.sources.redaction import members_of

__all__ = ["PartnerApi"]

PAGE_SIZE = 100
"""The most the API gives."""

THREADS = 4
"""For one call a member; more only wait for the ceiling."""

FAILURES_IN_A_ROW = 8
"""So many members whose details fail one after the other are no holes: the source is down."""

SCOPE_OF: tuple[tuple[str, str], ...] = (("/v1/company", "company.detail:read"), ("/v1/members", "member.detail:read"))
"""The scope that the resources under a path need."""

Member = dict[str, msgspec.Raw]


class _List(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | int | None = None


_list = msgspec.json.Decoder(_List).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class PartnerApi:
    """One company's members over the Partner API."""

    name = "justworks"

    def __init__(
        self,
        api_url: str,
        bearer: Bearer,
        *,
        integration_id: str,
        pace: RateLimiter | None = None,
        retries: Retries | None = None,
    ) -> None:
        self._integration_id = integration_id
        self._http = Http(api_url, title="Justworks", advice=self._advice, bearer=bearer, pace=pace, retries=retries)
        self._closing: list[Callable[[], None]] = [self._http.close]

    @classmethod
    def connected(
        cls,
        *,
        oauth: OAuth,
        keeper: TokenKeeper,
        api_url: str,
        integration_id: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: RateLimiter | None = None,
        retries: Retries | None = None,
    ) -> "PartnerApi":
        """The Partner API with tokens from ``keeper``; closing it closes ``oauth`` too."""
        bearer = OAuthBearer(keeper, oauth, clock)
        source = cls(api_url, bearer, integration_id=integration_id, pace=pace, retries=retries)
        source._closing.append(oauth.close)
        return source

    def company(self) -> Company:
        """The company with its offices, and its custom fields where the connection may read them."""
        body = self._http.get("/v1/company", _whole)
        return justworks_wire.read_company(body, self._custom_fields())

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:
        """All members; with ``custom_fields`` each with the values it has, one more call a member.

        Raises:
            SourceUnavailable: a page, or the details of many members in a row, failed for good.
        """
        with ThreadPoolExecutor(THREADS, thread_name_prefix="details") as threads:
            details = _Details(self._http, threads) if custom_fields else None
            nobody_inactive = True
            for members in self._listed({}):
                nobody_inactive = nobody_inactive and all(map(_is_active, members))
                yield details.page(members) if details else page_of(members)
            if nobody_inactive:
                for members in self._terminated():
                    yield details.page(members) if details else page_of(members)

    def ask(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """One call a person."""
        for hris_id in hris_ids:
            try:
                member = self._http.find(f"/v1/members/{quote(hris_id, safe='')}", _object)
            except (SourceUnavailable, HttpRefused):
                yield LookupResult(hris_id, "error")
                continue
            if member is None:
                yield LookupResult(hris_id, "not_found")
            else:
                yield LookupResult(hris_id, "active" if _is_active(member) else "inactive")

    def columns(self, lines: Iterable[bytes], company: Company) -> dict[str, list[object]]:
        """Archived members as raw columns."""
        return justworks_wire.columns(lines, company)

    def close(self) -> None:
        """Gives back connections."""
        for close in self._closing:
            close()

    def _listed(self, query: Mapping[str, str]) -> Iterator[list[Member]]:
        for items in prefetch(self._lists("/v1/members", {"limit": str(PAGE_SIZE), **query})):
            yield [members_of(item) for item in items]

    def _terminated(self) -> Iterator[list[Member]]:
        try:
            for members in self._listed({"status": "terminated"}):
                if any(map(_is_active, members)):  # the source does not heed the filter: all of this was read already
                    return
                yield members
        except HttpRefused:
            return

    def _lists(self, path: str, query: Mapping[str, str]) -> Iterator[list[msgspec.Raw]]:
        cursor: dict[str, str] = {}
        while True:
            page = self._http.get(path, _list, {**query, **cursor})
            yield page.items
            if page.next_cursor in (None, ""):
                return
            cursor = {"cursor": str(page.next_cursor)}

    def _custom_fields(self) -> tuple[CustomField, ...]:
        try:
            pages = list(self._lists("/v1/company/custom-fields", {}))
        except HttpRefused:
            return ()
        return justworks_wire.read_custom_fields(bytes(item) for items in pages for item in items)

    def _advice(self, status: int, path: str) -> str:
        again = f"connect again with `hris connect {self._integration_id}`"
        if status == 403:
            scope = next((scope for prefix, scope in SCOPE_OF if path.startswith(prefix)), "")
            return f"the connection lacks the permission {scope}; {again} and agree to all permissions"
        if status == 401:
            return again
        return "check JUSTWORKS_API_URL, and whether Justworks changed its API"


class _Details:
    """Custom field values, fetched by a few threads and put into the members they belong to."""

    def __init__(self, http: Http, threads: Executor) -> None:
        self._http = http
        self._threads = threads
        self._failed_in_a_row = 0

    def page(self, members: Sequence[Member]) -> Page:
        """The members with their values; those whose values failed are holes."""
        ids = [text_of(member.get("id")) for member in members]
        whole, holes = [], []
        for member, hris_id, values in zip(members, ids, self._threads.map(self._values, ids), strict=True):
            if values is None:
                holes.append(hris_id)
            else:
                whole.append({**member, justworks_wire.CUSTOM_VALUES_KEY: values})
            self._failed_in_a_row = self._failed_in_a_row + 1 if values is None else 0
            if self._failed_in_a_row >= FAILURES_IN_A_ROW:
                raise SourceUnavailable(
                    f"Justworks could not give the custom fields of {FAILURES_IN_A_ROW} members in a row: "
                    "run it again later."
                )
        return page_of(whole, holes)

    def _values(self, hris_id: str) -> msgspec.Raw | None:
        if not hris_id:
            return msgspec.Raw(b"[]")
        try:
            values = self._http.find(f"/v1/members/{quote(hris_id, safe='')}/custom-field-values", _list)
        except SourceUnavailable:
            return None
        return msgspec.Raw(b"[" + b",".join(map(bytes, values.items)) + b"]") if values else None


def _whole(body: bytes) -> bytes:
    _object(body)
    return body


def _is_active(member: Mapping[str, msgspec.Raw]) -> bool:
    return bytes(member.get("active", b"")) == b"true"
