"""What every client does with what HTTP brings."""

import socket
from collections.abc import Callable, Iterator

import msgspec
import pytest

from hris_pipeline.errors import ConnectionInvalid, SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources.http import UNLIMITED, AdaptiveRateLimiter, Bearer, FixedBearer, Http, Retries, redacted
from hris_pipeline_tests.sources.conftest import Scripted

OK = (200, b'{"fine":true}')
CANARIES = ("wren.canary@example.com", "+1 512 555 0147", "1990-02-03", "eyJhbGciOiJIUzI1NiJ9abcdef.eyJzdWIi")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(scripted: Scripted, waits: list[float]) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []

    def make(bearer: Bearer | None = None) -> Http:
        retries = Retries(attempts=3, first=0.5, patience=60, sleep=waits.append)
        http = Http(
            scripted.url,
            title="Justworks",
            advice=lambda *_: "do this",
            bearer=bearer,
            pace=UNLIMITED,
            retries=retries,
        )
        made.append(http)
        return http

    yield make
    for http in made:
        http.close()


def fine(body: bytes) -> bool:
    return msgspec.json.decode(body, type=dict[str, bool])["fine"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_transient_failure_is_tried_again(
    scripted: Scripted, client: Callable[..., Http], waits: list[float], status: int
) -> None:
    scripted.answer((status, b"oops"), OK)
    assert client().get("/x", fine)
    assert len(scripted.seen) == 2
    assert 0.25 <= waits[0] <= 0.5


def test_attempts_are_bounded_and_waits_grow(
    scripted: Scripted, client: Callable[..., Http], waits: list[float]
) -> None:
    scripted.answer((500, b"oops"))
    with pytest.raises(SourceUnavailable, match=r"GET /x \(3 attempts, last: status 500: oops\).*run it again later"):
        client().get("/x", fine)
    assert len(scripted.seen) == 3
    assert waits[1] > waits[0]


@pytest.mark.parametrize("body", [b"<html>down</html>", b"[]", b"", b'{"fine":', b'{"fine":"yes"}', b"[" * 5000])
def test_an_answer_that_is_not_what_it_should_be_is_tried_again_and_never_shown(
    scripted: Scripted, client: Callable[..., Http], body: bytes
) -> None:
    scripted.answer((200, body), OK)
    assert client().get("/x", fine)
    scripted.answer((200, body))
    with pytest.raises(SourceUnavailable, match="not the JSON it should be") as raised:
        client().get("/x", fine)
    assert "html" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 400, 404, 409, 410, 422])
def test_a_permanent_failure_is_not_tried_again(scripted: Scripted, client: Callable[..., Http], status: int) -> None:
    scripted.answer((status, b'{"error":"bad_thing","record":{"name":"Wren"}}'))
    with pytest.raises(SourceRefused, match=rf"GET /x \(status {status}: bad_thing\): do this") as raised:
        client().get("/x", fine)
    assert len(scripted.seen) == 1
    assert "Wren" not in str(raised.value)


def test_retry_after_is_honoured_in_seconds(
    scripted: Scripted, client: Callable[..., Http], waits: list[float]
) -> None:
    scripted.answer((429, b"", {"Retry-After": "7"}), OK)
    client().get("/x", fine)
    assert waits == [7]


def test_retry_after_is_honoured_as_a_date(scripted: Scripted, client: Callable[..., Http], waits: list[float]) -> None:
    scripted.answer((503, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), OK)
    client().get("/x", fine)
    assert waits == [0]


def test_a_retry_after_beyond_patience_is_not_waited_for(
    scripted: Scripted, client: Callable[..., Http], waits: list[float]
) -> None:
    scripted.answer((429, b"", {"Retry-After": "3600"}))
    with pytest.raises(SourceUnavailable, match="left alone for 3600 seconds"):
        client().get("/x", fine)
    assert waits == []


def test_202_is_not_ready_and_not_tried_again(scripted: Scripted, client: Callable[..., Http]) -> None:
    scripted.answer((202, b'{"fine":true}'))
    with pytest.raises(SourceNotReady):
        client().get("/x", fine)
    assert len(scripted.seen) == 1


def test_404_is_nothing_where_it_is_expected(scripted: Scripted, client: Callable[..., Http]) -> None:
    scripted.answer((404, b""))
    assert client().find("/x", fine) is None


def test_401_is_answered_with_a_renewed_token_once(scripted: Scripted, client: Callable[..., Http]) -> None:
    class Renewing:
        def token(self) -> str:
            return "old"

        def renewed(self, stale: str) -> str:
            return f"after-{stale}"

    scripted.answer((401, b""), OK)
    client(Renewing()).get("/x", fine)
    assert [headers["Authorization"] for _, headers, _ in scripted.seen] == ["Bearer old", "Bearer after-old"]
    scripted.answer((401, b""))
    with pytest.raises(ConnectionInvalid, match="fresh token too"):
        client(Renewing()).get("/x", fine)
    assert len(scripted.seen) == 2


def test_a_fixed_credential_that_is_refused_needs_a_person(scripted: Scripted, client: Callable[..., Http]) -> None:
    scripted.answer((401, b""))
    bearer = FixedBearer("hush-hush", "connect again with `hris connect acme`")
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        client(bearer).get("/x", fine)
    assert "hush" not in repr(bearer)


def test_an_unreachable_source_is_unavailable_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    http = Http(
        f"http://127.0.0.1:{port}", title="Justworks", advice=lambda *_: "", retries=Retries(attempts=2, first=0)
    )
    with pytest.raises(SourceUnavailable, match=rf"Justworks at 127.0.0.1:{port} .*ConnectError"):
        http.get("/x", fine)
    http.close()


@pytest.mark.parametrize("canary", CANARIES)
def test_an_error_carries_no_address_number_or_token(
    scripted: Scripted, client: Callable[..., Http], canary: str
) -> None:
    for body in (f"cannot serve {canary} now".encode(), msgspec.json.encode({"message": f"no {canary}"})):
        scripted.answer((400, body))
        with pytest.raises(SourceRefused) as raised:
            client().get("/x", fine)
        assert canary not in str(raised.value)


def test_error_text_is_one_line_of_at_most_500_characters() -> None:
    assert redacted("a\n  b") == "a b"
    assert len(redacted("word " * 1000)) == 500


def test_a_ceiling_spaces_requests_after_a_small_burst() -> None:
    clock, slept = [0.0], [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        slept[0] += seconds

    ceiling = AdaptiveRateLimiter(10, burst=5, clock=lambda: clock[0], sleep=sleep)
    for _ in range(5):
        ceiling.wait()
    assert slept[0] == 0
    for _ in range(100):
        ceiling.wait()
    assert slept[0] == pytest.approx(10)


def test_a_ceiling_slows_down_when_told_and_recovers() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    ceiling = AdaptiveRateLimiter(10, burst=1, clock=lambda: clock[0], sleep=sleep)
    ceiling.wait()
    ceiling.throttled(3)
    ceiling.wait()
    assert clock[0] == pytest.approx(3)
    ceiling.wait()
    assert clock[0] == pytest.approx(3.2, abs=0.01)
    for _ in range(100):
        ceiling.wait()
    before = clock[0]
    ceiling.wait()
    assert clock[0] - before == pytest.approx(0.1)
