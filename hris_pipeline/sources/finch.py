"""An HRIS aggregator with the Finch API's shape as a Source: a directory by offset, details in batches, each item
with its own code.

202 anywhere, of an item too, means that the provider has not been read yet: never an extract.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from hris_pipeline.errors import SourceNotReady, SourceUnavailable
from hris_pipeline.sources import finch_wire
from hris_pipeline.sources.http import AdaptiveRateLimiter, FixedBearer, Http, HttpRefused, RateLimiter, Retries
from hris_pipeline.sources.prefetch import prefetch
from hris_pipeline.sources.protocol import Company, CustomField, LookupResult, Page
from hris_pipeline.sources.records import page_of, text_of
from hris_pipeline.sources.redaction import members_of

__all__ = ["FINCH_API_URL", "Finch"]

FINCH_API_URL = "https://api.tryfinch.com"
API_VERSION = "2020-09-17"

PAGE_SIZE = 1000
"""People a page of the directory and a batch of details; the API takes ten times as many."""

ASKED_AT_ONCE = 50
"""People asked for singly go out in batches: 20 requests a minute is all an endpoint gives."""

PER_SECOND = 0.9
"""Three endpoints in turn, each with 20 requests a minute."""


class _Paging(msgspec.Struct):
    count: int | None = None


class _Directory(msgspec.Struct):
    individuals: list[msgspec.Raw]
    paging: _Paging


class _Item(msgspec.Struct):
    individual_id: str
    code: int
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Responses(msgspec.Struct):
    responses: list[_Item]


class _CompanyBody(msgspec.Struct):
    id: str | None = None
    legal_name: str | None = None


class _Activity(msgspec.Struct):
    is_active: bool | None = None


_directory = msgspec.json.Decoder(_Directory).decode
_responses = msgspec.json.Decoder(_Responses).decode
_company = msgspec.json.Decoder(_CompanyBody).decode
_activity = msgspec.json.Decoder(_Activity).decode
_encode = msgspec.json.Encoder().encode


class Finch:
    """One employer's people over the aggregator, with a credential entered at the provider."""

    name = "finch"

    def __init__(
        self,
        credential: str,
        *,
        integration_id: str,
        api_url: str = FINCH_API_URL,
        pace: RateLimiter | None = None,
        retries: Retries | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._integration_id = integration_id
        self._page_size = page_size
        self._retrieved = ""
        self._http = Http(
            api_url,
            title="The HRIS aggregator",
            advice=self._advice,
            bearer=FixedBearer(credential, f"connect again with `hris connect {integration_id}`"),
            pace=pace or AdaptiveRateLimiter(PER_SECOND, burst=5),
            retries=retries,
            headers={"Finch-API-Version": API_VERSION},
            watch=self._watch,
        )

    def company(self) -> Company:
        """The company by its legal name, where the connection may read it, and how old the provider's data is."""
        try:
            body = self._http.get("/employer/company", _company)
        except HttpRefused:
            body = _CompanyBody()
        return Company(body.id or "", body.legal_name or "", data_as_of=_moment(self._retrieved))

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:  # noqa: ARG002 (they come with the employment)
        """All people of the directory; one whose details came with another code than 200 is a hole."""
        for listed, individuals, employments in prefetch(self._batches()):
            holes: list[str] = []
            whole: list[_Body] = []
            shown: dict[str, CustomField] = {}
            for hris_id, entry in listed:
                individual, employment = individuals.get(hris_id), employments.get(hris_id)
                if hris_id and not (individual and employment):
                    holes.append(hris_id)
                    continue
                parts = {"directory": entry, "individual": individual or {}, "employment": employment or {}}
                whole.append({"id": _raw(hris_id or None), **{part: _raw(body) for part, body in parts.items()}})
                for field in finch_wire.custom_fields_of(employment) if employment else ():
                    shown[field.id] = field
            page = page_of(whole, holes)
            yield msgspec.structs.replace(page, custom_fields=tuple(shown.values()))

    def ask(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """Some people a request; each has its own answer."""
        for first in range(0, len(hris_ids), ASKED_AT_ONCE):
            asked = hris_ids[first : first + ASKED_AT_ONCE]
            try:
                items = {item.individual_id: item for item in self._items("/employer/employment", asked)}
            except (SourceUnavailable, HttpRefused):
                items = {}
            yield from (_answer(hris_id, items.get(hris_id)) for hris_id in asked)

    def columns(self, lines: Iterable[bytes], company: Company) -> dict[str, list[object]]:  # noqa: ARG002
        """Archived people as raw columns; places stand in each person's own record."""
        return finch_wire.columns(lines)

    def close(self) -> None:
        """Gives back connections."""
        self._http.close()

    def _batches(self) -> Iterator["_Batch"]:
        offset = 0
        while True:
            query = {"limit": str(self._page_size), "offset": str(offset)}
            directory = self._http.get("/employer/directory", _directory, query)
            listed = [_identified(one) for one in directory.individuals]
            ids = [hris_id for hris_id, _ in listed if hris_id]
            if listed:
                yield listed, self._bodies("/employer/individual", ids), self._bodies("/employer/employment", ids)
            offset += len(directory.individuals)
            if directory.paging.count is not None and offset >= directory.paging.count:
                return
            if not directory.individuals:
                if directory.paging.count is None:
                    return
                raise SourceUnavailable(
                    f"The HRIS aggregator's directory ended after {offset} of {directory.paging.count} people: "
                    "run it again later."
                )

    def _bodies(self, path: str, hris_ids: Sequence[str]) -> dict[str, "_Body"]:
        items = self._items(path, hris_ids)
        return {item.individual_id: body for item in items if item.code == 200 and (body := members_of(item.body))}

    def _items(self, path: str, hris_ids: Sequence[str]) -> list[_Item]:
        body = {"requests": [{"individual_id": hris_id} for hris_id in hris_ids]}
        items = self._http.post(path, _responses, body).responses
        if any(item.code == 202 for item in items):
            raise SourceNotReady(
                f"The HRIS aggregator has no data ready for POST {path} (code 202): run it again later."
            )
        return items

    def _watch(self, headers: Mapping[str, str]) -> None:
        self._retrieved = headers.get("Finch-Data-Retrieved", self._retrieved)

    def _advice(self, status: int, path: str) -> str:
        again = f"connect again with `hris connect {self._integration_id}`"
        if status == 403:
            return f"the connection may not read {path.rpartition('/')[2]}; {again} and grant it"
        return again if status == 401 else "check whether the aggregator changed its API"


_Body = Mapping[str, msgspec.Raw]
_Batch = tuple[list[tuple[str, _Body]], dict[str, _Body], dict[str, _Body]]


def _answer(hris_id: str, item: _Item | None) -> LookupResult:
    if item is not None and item.code == 404:
        return LookupResult(hris_id, "not_found")
    try:
        active = _activity(item.body).is_active if item is not None and item.code == 200 else None
    except msgspec.MsgspecError:
        active = None
    if active is None:
        return LookupResult(hris_id, "error")
    return LookupResult(hris_id, "active" if active else "inactive")


def _identified(one: msgspec.Raw) -> tuple[str, "_Body"]:
    entry = members_of(one)
    return text_of(entry.get("id")), entry


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
