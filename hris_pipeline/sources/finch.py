"""An HRIS aggregator with the Finch API's shape as a Source: a directory by offset, details in batches, each item
with its own code.

202 anywhere, of an item too, means that the provider has not been read yet: never an extract.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hris_pipeline.errors import SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources import finch_wire
from hris_pipeline.sources.decoding import UNREADABLE_BYTES, encode, error_code, require_object
from hris_pipeline.sources.http import FixedToken, Http, HttpRefused, Unauthorized
from hris_pipeline.sources.pacing import AdaptiveRateLimiter, Ceilings, RateLimiter, Retries, prefetch
from hris_pipeline.sources.protocol import (
    STRONGEST_FIRST,
    Company,
    LookupResult,
    LookupStatus,
    Page,
    Record,
    ShapeReport,
)
from hris_pipeline.sources.raw_columns import clean_id, wire_ids
from hris_pipeline.sources.records import scalar

__all__ = ["FINCH_API_URL", "Finch"]

FINCH_API_URL = "https://api.tryfinch.com"
API_VERSION = "2020-09-17"

PAGE_SIZE = 1000
"""People a page of the directory and a batch of details; the API takes ten times as many."""

ASKED_AT_ONCE = 50
"""People asked for singly go out in batches: 20 requests a minute is all an endpoint gives."""

PER_SECOND = 0.9
"""Three endpoints in turn, each with 20 requests a minute."""

REAUTHENTICATE = "reauthenticate_user"
"""The word for a connection that the employer must make again."""

ONLY_ENTITY = ""
"""Stands for the entity of a connection that has only one, which no request names."""

T = TypeVar("T")
Body = Mapping[str, Any]


class Finch:
    """One employer's people over the aggregator, with a credential entered at the provider. ``on_expired`` is called
    when the source says that the employer must connect again. Of a connection with several entities each is read."""

    name = "finch"

    def __init__(
        self,
        credential: str,
        *,
        integration_id: str,
        api_url: str = FINCH_API_URL,
        rate_limiter: RateLimiter | None = None,
        retries: Retries | None = None,
        ceilings: Ceilings | None = None,
        page_size: int = PAGE_SIZE,
        on_expired: Callable[[], None] = lambda: None,
    ) -> None:
        self._integration_id = integration_id
        self._page_size = page_size
        self._retrieved = ""
        self._on_expired = on_expired
        self._entities: tuple[str, ...] = (ONLY_ENTITY,)
        self._ceilings = ceilings or Ceilings()
        self._reception = finch_wire.Reception()
        self._http = Http(
            api_url,
            title="The HRIS aggregator",
            advice=self._suggest_remedy,
            tokens=FixedToken(credential),
            rate_limiter=rate_limiter or AdaptiveRateLimiter(PER_SECOND, burst=5),
            retries=retries,
            ceilings=self._ceilings,
            headers={"Finch-API-Version": API_VERSION},
            on_response=self._note_age,
        )

    def company(self) -> Company:
        """The company by its legal name, where the connection may read it, and how old the provider's data is."""
        self._entities = self._read_entities()
        body = self._get("/employer/company", self._entities[0], {})
        name, company_id = scalar(body.get("legal_name")), scalar(body.get("id"))
        return Company(company_id or "", name or "", data_as_of=_parse_moment(self._retrieved))

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:  # noqa: ARG002 (they come with the employment)
        """All people of the directory; one whose details came with another code than 200, or are somebody
        else's, is a hole."""
        reception = self._reception = finch_wire.Reception()
        for listed, individuals, employments in prefetch(self._read_batches()):
            holes: list[str] = []
            hole_lines: list[bytes] = []
            records: list[Record] = []
            for hris_id, entry in listed:
                individual, employment = individuals.get(_wire_id(entry)), employments.get(_wire_id(entry))
                try:
                    record = reception.record(hris_id or None, entry, individual or {}, employment or {})
                except (ValueError, RecursionError):
                    holes.append(hris_id)
                    continue
                if hris_id and (individual is None or employment is None):
                    holes.append(hris_id)
                    hole_lines.append(record.line)
                else:
                    records.append(record)
            asked = tuple(record.hris_id for record in records if record.hris_id)
            ids = wire_ids(entry.get("id") for _, entry in listed)
            fields = tuple(reception.custom_fields.values())
            yield Page(tuple(records), tuple(holes), tuple(hole_lines), fields, asked, ids)

    def lookup(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        """Some people a request; each has its own answer."""
        for first in range(0, len(hris_ids), ASKED_AT_ONCE):
            batch = hris_ids[first : first + ASKED_AT_ONCE]
            answers = [self._ask_entity(batch, entity) for entity in self._entities]
            for hris_id in batch:
                said = {answer[hris_id] for answer in answers}
                yield LookupResult(hris_id, next(status for status in STRONGEST_FIRST if status in said))

    def shape_report(self) -> ShapeReport:
        """What was noticed of the shapes of the people read so far."""
        return self._reception.report()

    def close(self) -> None:
        """Gives back connections."""
        self._http.close()

    def _ask_entity(self, hris_ids: Sequence[str], entity: str) -> dict[str, LookupStatus]:
        try:
            items = self._fetch_items("/employer/employment", hris_ids, entity)
        except (SourceUnavailable, SourceRefused):
            items = {}
        return {hris_id: _judge_answer(clean_id(hris_id), items.get(hris_id)) for hris_id in hris_ids}

    def _read_entities(self) -> tuple[str, ...]:
        """The entities to read one after the other; the API takes one a request, and none where there is only one."""
        entities = self._get("/introspect", ONLY_ENTITY, {}).get("entities")
        objects = [item for item in entities if isinstance(item, dict)] if isinstance(entities, list) else []
        ids = [entity for item in objects if (entity := scalar(item.get("id")))]
        return tuple(ids) if len(ids) > 1 else (ONLY_ENTITY,)

    def _get(self, path: str, entity: str, default: dict[str, Any]) -> dict[str, Any]:
        """An object that not every connection may read."""
        try:
            return self._noting_expiry(lambda: self._http.get(path, require_object, _entity_query(entity)))
        except HttpRefused:
            return default

    def _noting_expiry(self, ask: Callable[[], T]) -> T:
        """An answer; when there is none because the employer must connect again, that is noted."""
        try:
            return ask()
        except (Unauthorized, HttpRefused) as refusal:
            if refusal.code == REAUTHENTICATE:
                raise self._report_expiry() from None  # with whatever status
            raise

    def _report_expiry(self) -> Unauthorized:
        """Notes that the connection must be made again; gives the error that says so."""
        self._on_expired()
        remedy = self._suggest_remedy(401, "")
        return Unauthorized(
            f"The HRIS aggregator says that the employer must connect again ({REAUTHENTICATE}): {remedy}.",
            REAUTHENTICATE,
        )

    def _read_batches(self) -> Iterator["_Batch"]:
        for entity in self._entities:
            yield from self._batches_of(entity)

    def _batches_of(self, entity: str) -> Iterator["_Batch"]:
        offset = 0
        for _ in range(self._ceilings.reading_pages):
            people, count = self._directory_page(offset, entity)
            listed = [(clean_id(scalar(person.get("id"))), person) for person in people]
            ids = [_wire_id(person) for hris_id, person in listed if hris_id]
            if listed:
                individuals = self._fetch_bodies("/employer/individual", ids, entity)
                yield listed, individuals, self._fetch_bodies("/employer/employment", ids, entity)
            offset += len(people)
            if count is not None and offset >= count:
                return
            if not people:
                if count is None:
                    return
                raise SourceUnavailable(
                    f"The HRIS aggregator's directory ended after {offset} of {count} people: run it again later."
                )
        raise SourceUnavailable(
            f"The HRIS aggregator gave more than {self._ceilings.reading_pages} pages (HRIS_READING_PAGES): "
            "raise the limit if the company is that large, otherwise run it again later."
        )

    def _directory_page(self, offset: int, entity: str) -> tuple[list[Body], int | None]:
        query = {"limit": str(self._page_size), "offset": str(offset), **_entity_query(entity)}
        return self._noting_expiry(lambda: self._http.get("/employer/directory", _read_directory_page, query))

    def _fetch_bodies(self, path: str, hris_ids: Sequence[str], entity: str) -> dict[str, Body]:
        if not hris_ids:
            return {}
        items = self._fetch_items(path, hris_ids, entity)
        bodies = {
            hris_id: body
            for hris_id, (code, body) in items.items()
            if code == 200 and body and not finch_wire.is_of_another(body, clean_id(hris_id))
        }
        if not bodies and any(error_code(encode(body or {})) == REAUTHENTICATE for _, body in items.values()):
            raise self._report_expiry()
        if not bodies and len(hris_ids) > 1:
            codes = ", ".join(sorted({"none" if code is None else str(code) for code, _ in items.values()}))
            raise SourceUnavailable(
                f"The HRIS aggregator gave details of nobody: each of the {len(hris_ids)} people asked for in "
                f"POST {path} failed or came as somebody else (codes: {codes or 'none'}): run it again later."
            )
        return bodies

    def _fetch_items(self, path: str, hris_ids: Sequence[str], entity: str) -> dict[str, "_Item"]:
        """Of those asked for: the code and body of each item; an item that names nobody says nothing of anybody."""
        body = {"requests": [{"individual_id": hris_id} for hris_id in hris_ids]}
        items = self._noting_expiry(lambda: self._http.post(path, _read_responses, body, _entity_query(entity)))
        if any(code == 202 for code, _ in items.values()):
            raise SourceNotReady(
                f"The HRIS aggregator has no data ready for POST {path} (code 202): run it again later."
            )
        by_hris_id: dict[str, _Item] = {}
        for wire_id, item in items.items():
            hris_id = clean_id(wire_id)
            by_hris_id[hris_id] = item if by_hris_id.get(hris_id, item) == item else _CONTRADICTORY
        named = {wire_id: items.get(wire_id) or by_hris_id.get(clean_id(wire_id)) for wire_id in hris_ids}
        return {wire_id: item for wire_id, item in named.items() if item}

    def _note_age(self, headers: Mapping[str, str]) -> None:
        self._retrieved = headers.get("Finch-Data-Retrieved", self._retrieved)

    def _suggest_remedy(self, status: int, path: str) -> str:
        remedy = f"connect again with `hris connect {self._integration_id}`"
        if status == 403:
            return f"the connection may not read {path.rpartition('/')[2]}; {remedy} and grant it"
        return remedy if status == 401 else "check whether the aggregator changed its API"


def _entity_query(entity: str) -> dict[str, str]:
    return {"entity_ids[]": entity} if entity else {}


_Item = tuple[int | None, Body | None]
_CONTRADICTORY: _Item = (None, None)
"""Stands for two items of one person that say different things."""
_Batch = tuple[list[tuple[str, Body]], dict[str, Body], dict[str, Body]]


def _read_directory_page(answer: object) -> tuple[list[Body], int | None]:
    """The people of a page, and how many there are in all where the source says it.

    Raises:
        ValueError: it is no page of people.
    """
    page = require_object(answer)
    people, paging = page.get("individuals"), page.get("paging")
    if not isinstance(people, list) or not isinstance(paging, dict):
        raise ValueError("no individuals")
    return [person if isinstance(person, dict) else {} for person in people], _whole_number(paging.get("count"))


def _read_responses(answer: object) -> dict[str, _Item]:
    items = require_object(answer).get("responses")
    if not isinstance(items, list):
        raise ValueError("no responses")
    by_id: dict[str, _Item] = {}
    for item in items:
        if isinstance(item, dict) and (wire_id := scalar(item.get("individual_id"))):
            body = item.get("body")
            answer = _read_code(item.get("code")), body if isinstance(body, dict) else None
            by_id[wire_id] = answer if by_id.get(wire_id, answer) == answer else _CONTRADICTORY
    return by_id


def _wire_id(person: Body) -> str:
    return scalar(person.get("id")) or ""


def _whole_number(value: object) -> int | None:
    """A number as it may come: 200, 200.0 or "200"."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return int(number) if number is not None and number.is_integer() else None


def _read_code(value: object) -> int | None:
    """The code of an item; a text is read as one, but for 404, which would confirm that somebody is gone."""
    code = _whole_number(value)
    return None if code == 404 and isinstance(value, str) else code


def _judge_answer(hris_id: str, item: "_Item | None") -> LookupStatus:
    """What an item says of the person asked for: something only when it is that very person's."""
    code, body = item or (None, None)
    if code == 404:
        return "not_found" if body is not None and _is_error_document(body) else "error"
    if code != 200 or body is None or clean_id(scalar(body.get("id"))) != hris_id:
        return "error"
    if finch_wire.is_of_another(body, hris_id):
        return "error"
    is_called_employed = finch_wire.is_called_employed(body)
    if is_called_employed is True:
        return "active"
    return "inactive" if is_called_employed is False and body.get("is_active") is False else "error"


def _is_error_document(body: Mapping[str, object]) -> bool:
    """Whether the source's own words for this very error, wholly readable, and no record of somebody."""
    is_not_found = "code" not in body or _read_code(body["code"]) == 404
    is_of_a_person = "connection" not in str(body.get("finch_code", ""))
    is_record = bool(body.keys() & {"is_active", "individual_id"})
    return is_not_found and is_of_a_person and not is_record and UNREADABLE_BYTES not in encode(body)


def _parse_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
