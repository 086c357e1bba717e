"""What every client does with what HTTP brings."""

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import msgspec
import pytest

from hris_pipeline.errors import ConnectionInvalid, SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources.decoding import redact_text
from hris_pipeline.sources.http import FixedToken, Http, HttpRefused, TokenProvider
from hris_pipeline.sources.pacing import UNLIMITED, AdaptiveRateLimiter, Ceilings, Retries
from hris_pipeline_tests.kit.source_connections import Scripted

OK = (200, b'{"fine":true}')
CANARIES = ("wren.canary@example.com", "+1 512 555 0147", "1990-02-03", "eyJhbGciOiJIUzI1NiJ9abcdef.eyJzdWIi")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(scripted: Scripted, waits: list[float]) -> Iterator[Callable[..., Http]]:
    made: list[Http] = []

    def make(tokens: TokenProvider | None = None, ceilings: Ceilings | None = None) -> Http:
        retries = Retries(attempts=3, first=0.5, max_retry_after=60, sleep=waits.append)
        http = Http(
            scripted.url,
            title="Justworks",
            advice=lambda *_: "do this",
            tokens=tokens,
            ceilings=ceilings,
            rate_limiter=UNLIMITED,
            retries=retries,
        )
        made.append(http)
        return http

    yield make
    for http in made:
        http.close()


def keys(answer: object) -> list[str]:
    return list(answer) if isinstance(answer, dict) else []


def fine(answer: object) -> bool:
    if not isinstance(answer, dict) or not isinstance(answer.get("fine"), bool):
        raise ValueError("not fine")
    return bool(answer["fine"])


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


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
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


def test_401_is_answered_with_a_renewed_token_once(scripted: Scripted, client: Callable[..., Http]) -> None:
    class Renewing:
        def token(self) -> str:
            return "old"

        def refresh(self, rejected: str) -> str:
            return f"after-{rejected}"

    scripted.answer((401, b""), OK)
    client(Renewing()).get("/x", fine)
    assert [headers["Authorization"] for _, headers, _ in scripted.seen] == ["Bearer old", "Bearer after-old"]
    scripted.answer((401, b'{"error":"invalid_token"}'))
    with pytest.raises(ConnectionInvalid, match=r"GET /x \(status 401: invalid_token\): do this"):
        client(Renewing()).get("/x", fine)
    assert len(scripted.seen) == 2


def test_a_fixed_credential_that_is_refused_needs_a_person(scripted: Scripted, client: Callable[..., Http]) -> None:
    scripted.answer((401, b""))
    tokens = FixedToken("hush-hush")
    with pytest.raises(ConnectionInvalid, match="do this"):
        client(tokens).get("/x", fine)
    assert len(scripted.seen) == 1
    assert "hush" not in repr(tokens)


@pytest.mark.parametrize("token", ["schlüssel", "with\nbreak", "nul\x00"])
def test_a_token_that_no_header_can_carry_is_named(scripted: Scripted, client: Callable[..., Http], token: str) -> None:
    scripted.answer(OK)
    with pytest.raises(ConnectionInvalid, match="no header can carry"):
        client(FixedToken(token)).get("/x", fine)


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
    assert redact_text("a\n  b") == "a b"
    assert len(redact_text("word " * 1000)) == 500


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "no content where content was asked for"),
        (206, "a part of an answer where the whole was asked for"),
        (203, "a status that nobody expects"),
        (301, "another address"),
        (307, "another address"),
    ],
)
def test_an_odd_status_has_an_error_of_its_own(
    scripted: Scripted, client: Callable[..., Http], status: int, words: str
) -> None:
    scripted.answer((status, b"" if status == 204 else b'{"fine":true}', {"Location": "http://elsewhere.example/"}))
    with pytest.raises(HttpRefused, match=f"status {status}.*{words}|{words}.*status {status}"):
        client().get("/x", fine)
    assert len(scripted.seen) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"fine":true,"é":1}'.encode("latin-1"), "application/json; charset=ISO-8859-1"),
        ('{"fine":true,"é":1}'.encode("utf-16"), 'application/json; charset="utf-16"'),
        ('{"fine":true,"é":1}'.encode(), "application/json;charset=UTF8"),
        ('{"fine":true,"é":1}'.encode(), "application/json; charset="),
    ],
)
def test_a_character_set_that_there_is_is_read(
    scripted: Scripted, client: Callable[..., Http], body: bytes, content_type: str
) -> None:
    scripted.answer((200, body, {"Content-Type": content_type}))
    assert client().get("/x", keys) == ["fine", "é"]


@pytest.mark.parametrize("charset", ["klingon-8", "rot13", "hex", "zlib"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_character_set_that_there_is_not_is_named(
    scripted: Scripted, client: Callable[..., Http], charset: str, status: int
) -> None:
    scripted.answer((status, b'{"fine":true}', {"Content-Type": f"application/json; charset={charset}"}))
    with pytest.raises(SourceUnavailable, match="text in the character set"):
        client().get("/x", fine)


def packed(encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(OK[1])
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS if encoding == "raw" else zlib.MAX_WBITS)
    return packer.compress(OK[1]) + packer.flush()


@pytest.mark.parametrize(("encoding", "named"), [("gzip", "gzip"), ("zlib", "deflate"), ("raw", "deflate")])
def test_packed_answers_are_unpacked(
    scripted: Scripted, client: Callable[..., Http], encoding: str, named: str
) -> None:
    scripted.answer((200, packed(encoding), {"Content-Encoding": named}))
    assert client().get("/x", fine)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_a_packing_that_nobody_asked_for_is_named(
    scripted: Scripted, client: Callable[..., Http], encoding: str
) -> None:
    scripted.answer((200, b"\x1f\x8b", {"Content-Encoding": encoding}))
    with pytest.raises(SourceUnavailable, match="nobody asked for"):
        client().get("/x", fine)


def test_a_bomb_of_one_megabyte_that_would_be_a_gigabyte_is_stopped_at_the_limit(
    scripted: Scripted, client: Callable[..., Http]
) -> None:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    scripted.answer((200, bomb, {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    with pytest.raises(SourceUnavailable, match=r"more than 4 MB in one answer \(HRIS_ANSWER_MEGABYTES\)"):
        client(ceilings=Ceilings(answer_bytes=4 << 20)).get("/x", fine)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("slow", ["head", "body"])
def test_an_answer_that_trickles_for_ever_is_given_up_at_its_deadline(slow: str) -> None:
    with trickling(slow) as url:
        http = Http(
            url,
            title="Justworks",
            advice=lambda *_: "",
            retries=Retries(attempts=1),
            ceilings=Ceilings(answer_seconds=0.5),
        )
        started = time.monotonic()
        with pytest.raises(SourceUnavailable, match=r"no whole answer within 0.5 seconds \(HRIS_ANSWER_SECONDS\)"):
            http.get("/x", fine)
        assert time.monotonic() - started < 30
        http.close()


def test_whoever_waits_stops_waiting_when_the_client_is_closed(scripted: Scripted) -> None:
    scripted.answer((503, b"", {"Retry-After": "60"}))
    http = Http(scripted.url, title="Justworks", advice=lambda *_: "", rate_limiter=UNLIMITED)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(http.get, "/x", fine)
        while not scripted.seen:
            time.sleep(0.01)
        http.close()
        with pytest.raises(SourceUnavailable, match="the reading was stopped"):
            waiting.result(2)


@contextmanager
def trickling(slow: str) -> Iterator[str]:
    """A server that sends a byte now and then, and never comes to an end."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.recv(4096)
        with suppress(OSError):
            if slow == "body":
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            else:
                client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                client.sendall(b" ")
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


@pytest.mark.parametrize("value", ["nan", "soon", "Wed, 99 Foo 2015", "", "-5", "Thu, 01 Jan 99999 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_not_waited_for_long(
    scripted: Scripted, client: Callable[..., Http], waits: list[float], value: str
) -> None:
    scripted.answer((503, b"", {"Retry-After": value}), OK)
    assert client().get("/x", fine)
    assert 0 <= waits[0] <= 0.5


@pytest.mark.parametrize(
    "code", ["finch_application_rl", "reauthenticate_user", "insufficient_permissions_for_product", "invalid_grant"]
)
def test_the_code_of_an_error_is_told_and_no_secret_beside_it(
    scripted: Scripted, client: Callable[..., Http], code: str
) -> None:
    secret = "ZmluY2gtc2VjcmV0LXRva2Vu_c2VjcmV0"
    scripted.answer((400, msgspec.json.encode({"finch_code": code, "message": f"{code} for {secret}, little-secret"})))
    with pytest.raises(HttpRefused) as raised:
        client(FixedToken("little-secret")).get("/x", fine)
    assert code in str(raised.value)
    assert raised.value.code == code
    assert secret not in str(raised.value)
    assert "little-secret" not in str(raised.value)


def test_a_ceiling_spaces_requests_after_a_small_burst() -> None:
    clock = [0.0]
    ceiling = AdaptiveRateLimiter(10, burst=5, clock=lambda: clock[0])

    def wait() -> None:
        clock[0] += ceiling.reserve()

    for _ in range(5):
        wait()
    assert clock[0] == 0
    for _ in range(100):
        wait()
    assert clock[0] == pytest.approx(10)


def test_a_ceiling_slows_down_when_told_and_recovers() -> None:
    clock = [0.0]
    ceiling = AdaptiveRateLimiter(10, burst=1, clock=lambda: clock[0])

    def wait() -> None:
        clock[0] += ceiling.reserve()

    wait()
    ceiling.on_throttled(3)
    wait()
    assert clock[0] == pytest.approx(3)
    wait()
    assert clock[0] == pytest.approx(3.2, abs=0.01)
    for _ in range(100):
        wait()
    before = clock[0]
    wait()
    assert clock[0] - before == pytest.approx(0.1)
