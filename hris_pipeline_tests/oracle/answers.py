"""All answers a source could give, as plain data, with what must hold for each.

Every case is made from labelled parts (status, body, headers, timing), and the label says what may be concluded; so a
verdict is never taken from the code that is judged. `cases(...)` mixes them by seed, `all_single_cases(...)` is the
whole product of the parts.
"""

import gzip
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .company import JSON_HEADERS, crowd, partner_member
from .model import Answer, Source

Says = Literal["gone", "active", "hole", "stopped"]
"""About one person: confirmed gone; there (so a list without them is short); nothing certain; the run stops."""

Timing = Literal["prompt", "slow", "stall", "drip", "cut", "reset"]
"""`slow`: late but within any sane ceiling; `stall`: no byte ever; `drip`: a byte now and then, for ever;
`cut`: closed before the length it promised; `reset`: the connection breaks."""

TIMINGS: tuple[Timing, ...] = ("prompt", "slow", "stall", "drip", "cut", "reset")
STATUSES = (
    200, 201, 202, 203, 204, 206, 300, 301, 302, 304, 307, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 412, 418,
    422, 423, 425, 429, 451, 500, 501, 502, 503, 504, 520, 522, 599,
)  # fmt: skip
ALMOST_200 = (201, 203, 206)
"""A success that is no plain 200: what it says may be taken or left."""


@dataclass(frozen=True)
class Body:
    """A body, and what it says when it comes with the status it belongs to."""

    kind: str
    data: bytes
    says: frozenset[Says]  # about the person asked for, with status 200
    is_json: bool | None = True  # None: a matter of taste
    is_object: bool = False

    @property
    def is_plain_object(self) -> bool:
        """A JSON object that is no record: a record beside "not found" contradicts it, and may be left."""
        return bool(self.is_json and self.is_object and not set(json.loads(self.data)) & {"active", "is_active"})


@dataclass(frozen=True)
class SingleCase:
    """The answer to the question about one person who is missing from the list (or to the proof question)."""

    source: Source
    hris_id: str
    kind: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    timing: Timing
    allowed: frozenset[Says]  # what a client may conclude; anything else is wrong

    @property
    def answer(self) -> Answer:
        return Answer(self.status, self.body, self.headers)

    @property
    def may_archive(self) -> bool:
        """Whether an archive of this person can be right."""
        return "gone" in self.allowed

    @property
    def proves_the_question(self) -> bool | None:
        """As the answer to the proof question: True it holds, False it must not, None either."""
        if "active" not in self.allowed:
            return False
        return True if self.allowed == {"active"} else None


GONE: frozenset[Says] = frozenset({"gone"})
ACTIVE: frozenset[Says] = frozenset({"active"})
HOLE: frozenset[Says] = frozenset({"hole"})
GONE_OR_HOLE = GONE | HOLE
ACTIVE_OR_HOLE = ACTIVE | HOLE


def json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


# Bodies about one person


def _records(source: Source, hris_id: str) -> list[tuple[str, object, frozenset[Says]]]:
    """Records by label. `active` exactly false, with the very id, is the only one that confirms."""
    if source == "justworks":
        odd_flags = [None, 0, 1, "false", "true", "", [], {}, [False], {"value": False}, 0.0, "False", "no"]
        answers: list[tuple[str, object, frozenset[Says]]] = [
            ("inactive", {"id": hris_id, "active": False}, GONE),
            ("inactive-full", {**partner_member(crowd(1)[0]), "id": hris_id, "active": False}, GONE),
            ("inactive-padded-id", {"id": f" {hris_id}\u200b", "active": False}, GONE_OR_HOLE),
            ("active", {"id": hris_id, "active": True}, ACTIVE),
            ("active-full", {**partner_member(crowd(1)[0]), "id": hris_id}, ACTIVE),
            (
                "active-terminated-in-the-past",
                {"id": hris_id, "active": True, "employment_termination_date": "2020-01-01"},
                ACTIVE_OR_HOLE,
            ),
            ("no-flag", {"id": hris_id}, HOLE),
            ("no-id-inactive", {"active": False}, HOLE),
            ("null-id-inactive", {"id": None, "active": False}, HOLE),
            ("other-id-inactive", {"id": hris_id + "x", "active": False}, HOLE),
            ("other-id-active", {"id": hris_id + "x", "active": True}, HOLE),
            ("id-in-a-list", {"id": [hris_id], "active": False}, HOLE),
            ("case-of-id", {"id": hris_id.swapcase(), "active": False}, HOLE),
            ("wrapped-in-data", {"data": {"id": hris_id, "active": False}}, HOLE),
            ("wrapped-in-items", {"items": [{"id": hris_id, "active": False}]}, HOLE),
            ("list-of-record", [{"id": hris_id, "active": False}], HOLE),
            ("error-object", {"error": "not found", "code": 404}, HOLE),
            ("error-in-200", {"status": 404, "message": "no such member"}, HOLE),
            ("upper-case-key", {"ID": hris_id, "Active": False}, HOLE),
        ]
        answers += [(f"flag-{place}", {"id": hris_id, "active": flag}, HOLE) for place, flag in enumerate(odd_flags)]
        return answers

    def response(body: object, code: object = 200, individual_id: object = hris_id) -> object:
        return {"responses": [{"individual_id": individual_id, "code": code, "body": body}]}

    inactive = {"is_active": False, "employment_status": "terminated"}
    active = {"is_active": True, "employment_status": "active"}
    return [
        ("inactive", response({"id": hris_id, **inactive}), GONE),
        ("inactive-no-status", response({"id": hris_id, "is_active": False, "employment_status": None}), GONE),
        ("inactive-float-code", response({"id": hris_id, **inactive}, 200.0), GONE),
        ("inactive-body-without-id", response(inactive), GONE_OR_HOLE),
        ("retired-null-flag", response({"id": hris_id, "is_active": None, "employment_status": "retired"}), HOLE),
        ("on-leave", response({"id": hris_id, "is_active": False, "employment_status": "leave"}), ACTIVE_OR_HOLE),
        ("prehire", response({"id": hris_id, "is_active": False, "employment_status": "prehire"}), HOLE),
        ("active", response({"id": hris_id, **active}), ACTIVE),
        (
            "active-null-flag",
            response({"id": hris_id, "is_active": None, "employment_status": "active"}),
            ACTIVE_OR_HOLE,
        ),
        ("item-404", response({"message": "no such individual"}, 404), GONE),
        ("item-404-float", response({"message": "no such individual"}, 404.0), GONE_OR_HOLE),
        ("item-404-no-body", response(None, 404), HOLE),
        ("item-404-text-code", response({"message": "no"}, "404"), HOLE),
        ("item-500", response({"id": hris_id, **inactive}, 500), HOLE),
        ("item-202", response({"id": hris_id, **inactive}, 202), HOLE),
        ("item-code-null", response({"id": hris_id, **inactive}, None), HOLE),
        ("item-other-id", response({"id": hris_id, **inactive}, 200, hris_id + "x"), HOLE),
        ("item-404-other-id", response({"message": "no"}, 404, hris_id + "x"), HOLE),
        ("body-other-id", response({"id": hris_id + "x", **inactive}), HOLE),
        ("body-two-ids", response({"id": hris_id, "individual_id": hris_id + "x", **inactive}), HOLE),
        ("works-but-inactive", response({"id": hris_id, "is_active": False, "employment_status": "active"}), HOLE),
        ("onboarding", response({"id": hris_id, "is_active": False, "employment_status": "onboarding"}), HOLE),
        ("unknown-word", response({"id": hris_id, "is_active": False, "employment_status": "on_leave"}), HOLE),
        ("status-in-a-list", response({"id": hris_id, "is_active": False, "employment_status": ["leave"]}), HOLE),
        ("active-but-retired", response({"id": hris_id, "is_active": True, "employment_status": "retired"}), ACTIVE),
        ("flag-text", response({"id": hris_id, "is_active": "false"}), HOLE),
        ("flag-zero", response({"id": hris_id, "is_active": 0}), HOLE),
        ("flag-missing", response({"id": hris_id}), HOLE),
        ("body-null", response(None), HOLE),
        ("body-list", response([inactive]), HOLE),
        ("no-responses", {"responses": []}, HOLE),
        ("responses-null", {"responses": None}, HOLE),
        ("bare-record", {"id": hris_id, **inactive}, HOLE),
        ("error-object", {"code": 404, "name": "not_found", "message": "no"}, HOLE),
    ]


def bodies(source: Source, hris_id: str) -> list[Body]:
    records = _records(source, hris_id)
    inactive = json_bytes(records[0][1])
    bodies = [Body(kind, json_bytes(value), says, True, isinstance(value, dict)) for kind, value, says in records]
    bodies += [
        Body("empty", b"", HOLE, False),
        Body("blank", b" \r\n\t ", HOLE, False),
        Body("html", b"<!doctype html><html><body>Not found</body></html>", HOLE, False),
        Body("text", b"Not found", HOLE, False),
        Body("xml", b"<?xml version='1.0'?><error>404</error>", HOLE, False),
        Body("binary", bytes(range(256)), HOLE, False),
        Body("cut-json", inactive[:-1], HOLE, False),
        Body("two-jsons", inactive + b"\n" + inactive, HOLE, False),
        Body("json-then-html", inactive + b"<html>", HOLE, False),
        Body("single-quotes", inactive.replace(b'"', b"'"), HOLE, False),
        Body("bom", b"\xef\xbb\xbf" + inactive, GONE_OR_HOLE, None, True),
        Body("utf-16", inactive.decode().encode("utf-16"), GONE_OR_HOLE, None, True),
        Body("bad-utf-8", b'{"id": "\xff\xfe"}', HOLE, None),
        Body("padded", b"  " + inactive + b"\n\n", GONE, True, True),
        Body("null", b"null", HOLE, None),
        Body("true", b"true", HOLE, None),
        Body("number", b"404", HOLE, None),
        Body("string", b'"not found"', HOLE, None),
        Body("empty-list", b"[]", HOLE, None),
        Body("empty-object", b"{}", HOLE, True, True),
        Body("nan", b"NaN", HOLE, None),
        Body("deep", b"[" * 100_000 + b"]" * 100_000, HOLE, None),
        Body("long-number", b'{"id": ' + b"9" * 5_000 + b', "active": false}', HOLE, None, True),
    ]
    if source == "justworks":
        text = json.dumps(hris_id)
        bodies += [
            Body(
                "flag-twice-last-false",
                f'{{"id":{text},"active":true,"active":false}}'.encode(),
                GONE_OR_HOLE | ACTIVE,
                None,
                True,
            ),
            Body(
                "flag-twice-last-true",
                f'{{"id":{text},"active":false,"active":true}}'.encode(),
                GONE_OR_HOLE | ACTIVE,
                None,
                True,
            ),
            Body("id-escaped", _escaped(hris_id), GONE, True, True),
        ]
    return bodies


def _escaped(hris_id: str) -> bytes:
    text = "".join(f"\\u{ord(character):04x}" for character in hris_id)
    return f'{{"id":"{text}","active":false}}'.encode()


# Headers

Effect = Literal["none", "taste", "spoils"]
"""Whether a header leaves the answer as it is, makes it a matter of taste, or spoils it."""


def headers() -> list[tuple[str, Mapping[str, str], Effect]]:
    return [
        ("plain", JSON_HEADERS, "none"),
        ("charset", {"Content-Type": "application/json; charset=utf-8"}, "none"),
        ("no-type", {}, "taste"),
        ("html-type", {"Content-Type": "text/html"}, "taste"),
        ("octet-type", {"Content-Type": "application/octet-stream"}, "taste"),
        ("vendor-type", {"Content-Type": "application/vnd.api+json"}, "taste"),
        ("odd-charset", {"Content-Type": "application/json; charset=klingon"}, "taste"),
        ("gzip", {**JSON_HEADERS, "Content-Encoding": "gzip"}, "none"),  # the body is made to fit
        ("says-gzip", {**JSON_HEADERS, "Content-Encoding": "gzip", "X-Case": "not really"}, "spoils"),
        ("unknown-encoding", {**JSON_HEADERS, "Content-Encoding": "zap"}, "taste"),
        ("retry-after-0", {**JSON_HEADERS, "Retry-After": "0"}, "none"),
        ("retry-after-huge", {**JSON_HEADERS, "Retry-After": "99999999999999999999"}, "none"),
        ("retry-after-negative", {**JSON_HEADERS, "Retry-After": "-5"}, "none"),
        ("retry-after-date", {**JSON_HEADERS, "Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, "none"),
        ("retry-after-nonsense", {**JSON_HEADERS, "Retry-After": "NaN"}, "none"),
        ("cookies", {**JSON_HEADERS, "Set-Cookie": "a=b"}, "none"),
        ("long-header", {**JSON_HEADERS, "X-Long": "x" * 4_000}, "none"),
        ("cached", {**JSON_HEADERS, "Age": "86400", "Cache-Control": "max-age=86400"}, "none"),
    ]


# What may be concluded


def _allowed(source: Source, status: int, body: Body, effect: Effect, timing: Timing) -> frozenset[Says]:
    if status == 401:
        return HOLE | {"stopped"}
    if timing not in ("prompt", "slow") or effect == "spoils":
        return HOLE
    if status == 200:
        says = body.says
    elif status == 404 and source == "justworks":
        says = HOLE if body.is_json is False else GONE if body.is_plain_object else GONE_OR_HOLE
    elif status == 404:
        says = HOLE if body.is_json is False else GONE_OR_HOLE
    elif status in ALMOST_200:
        says = body.says | HOLE
    else:
        says = HOLE
    return says | HOLE if effect == "taste" else says


def _single(
    source: Source, hris_id: str, status: int, body: Body, header: tuple[str, Mapping[str, str], Effect], timing: Timing
) -> SingleCase:
    name, sent, effect = header
    data = gzip.compress(body.data, mtime=0) if name == "gzip" else body.data
    if status in (204, 304):
        data = b""
    return SingleCase(
        source=source,
        hris_id=hris_id,
        kind=f"{status}/{body.kind}/{name}/{timing}",
        status=status,
        headers=dict(sent),
        body=data,
        timing=timing,
        allowed=_allowed(source, status, body, effect, timing),
    )


def all_single_cases(source: Source, hris_id: str) -> Iterator[SingleCase]:
    """The whole product: some hundred thousand."""
    for status, body, header, timing in itertools.product(STATUSES, bodies(source, hris_id), headers(), TIMINGS):
        yield _single(source, hris_id, status, body, header, timing)


def single_cases(source: Source, hris_id: str, *, seed: int, count: int) -> Iterator[SingleCase]:
    """So many, always the same for one seed; half of them with the statuses that matter, most of them prompt."""
    chance = random.Random(f"{seed}/{source}/single")
    shapes, sent = bodies(source, hris_id), headers()
    for _ in range(count):
        status = chance.choice((200, 404)) if chance.random() < 0.5 else chance.choice(STATUSES)
        header = sent[0] if chance.random() < 0.5 else chance.choice(sent)
        timing: Timing = "prompt" if chance.random() < 0.8 else chance.choice(TIMINGS)
        yield _single(source, hris_id, status, chance.choice(shapes), header, timing)


def oversized(source: Source, hris_id: str, size: int) -> SingleCase:
    """A small gzip that unpacks to more than `size` bytes; otherwise it would confirm."""
    record = _records(source, hris_id)[0][1]
    data = gzip.compress(json_bytes(record) + b" " * size, mtime=0)
    sent = {**JSON_HEADERS, "Content-Encoding": "gzip"}
    return SingleCase(source, hris_id, "200/oversized/gzip/prompt", 200, sent, data, "prompt", HOLE)
