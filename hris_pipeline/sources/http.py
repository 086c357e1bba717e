"""How every client speaks HTTP: one kept-alive connection pool, a request-rate ceiling, bounded retries, and errors
that tell whether running again can help. What a status means is decided here, once; what an answer holds is the
wires' business."""

import functools
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from hris_pipeline.errors import ConnectionInvalid, SourceNotReady, SourceRefused, SourceUnavailable

__all__ = [
    "UNLIMITED",
    "AdaptiveRateLimiter",
    "Bearer",
    "FixedBearer",
    "Http",
    "HttpRefused",
    "RateLimiter",
    "Retries",
    "redacted",
]

T = TypeVar("T")

TRANSIENT = frozenset({408, 425, 429}) | frozenset(range(500, 600))
"""Statuses worth another attempt."""


class RateLimiter(Protocol):
    """When the next request may go out."""

    def wait(self) -> None:
        """Returns when a request may be sent."""
        ...

    def throttled(self, seconds: float) -> None:
        """The source said 429, and to leave it alone for so long."""
        ...


class AdaptiveRateLimiter:
    """At most ``per_second`` requests a second, after ``burst`` free ones; a 429 halves the rate, which then recovers
    by 2 % a request. Safe for several threads."""

    def __init__(
        self,
        per_second: float = 10.0,
        burst: int = 5,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = self._rate = per_second
        self._burst = burst
        self._clock, self._sleep = clock, sleep
        self._next = float("-inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleeps until this request's turn."""
        with self._lock:
            now, interval = self._clock(), 1 / self._rate
            start = max(self._next, now - (self._burst - 1) * interval)
            self._next = start + interval
            self._rate = min(self._limit, self._rate * 1.02)
        if start > now:
            self._sleep(start - now)

    def throttled(self, seconds: float) -> None:
        """Halves the rate, down to a twentieth of the ceiling, and leaves the source alone for ``seconds``."""
        with self._lock:
            self._rate = max(self._limit / 20, self._rate / 2)
            self._next = max(self._next, self._clock() + seconds)


class _NoCeiling:
    def wait(self) -> None:
        pass

    def throttled(self, seconds: float) -> None:
        pass


UNLIMITED: RateLimiter = _NoCeiling()
"""For a source on this machine."""


class Bearer(Protocol):
    """Where the access token comes from."""

    def token(self) -> str:
        """A token that is good now."""
        ...

    def renewed(self, stale: str) -> str:
        """Another one, after the source said 401 to ``stale``.

        Raises:
            ConnectionInvalid: there is no other.
        """
        ...


@dataclass(frozen=True)
class FixedBearer:
    """A credential entered once that is never renewed; ``remedy`` is what to do when it is refused."""

    secret: str = field(repr=False)
    remedy: str

    def token(self) -> str:
        """The credential."""
        return self.secret

    def renewed(self, stale: str) -> str:  # noqa: ARG002
        """Never: a refused credential needs a person."""
        raise ConnectionInvalid(f"The source no longer accepts the credential (status 401): {self.remedy}.")


@dataclass(frozen=True)
class Retries:
    """``attempts`` in all; waits double from ``first`` to ``longest`` seconds, jittered; a Retry-After beyond
    ``patience`` seconds is not waited for."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    chance: random.Random = field(default_factory=random.SystemRandom)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the ``attempt``-th failure (1 for the first)."""
        return min(self.longest, self.first * 2.0 ** (attempt - 1)) * self.chance.uniform(0.5, 1.0)


class HttpRefused(SourceRefused):
    """A status that another attempt does not change; ``code`` is the ``error`` an OAuth answer names, or ''."""

    def __init__(self, message: str, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _Transient(Exception):
    """One failed attempt: what was seen, and how long the source asked to be left alone."""

    def __init__(self, seen: str, retry_after: float | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.retry_after = retry_after


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than most requests."""
    return httpx.create_ssl_context()


class Http:
    """One source's kept-alive client; safe for a few threads.

    ``title`` names the source in errors; ``advice(status, path)`` gives the remedy for a refusal; ``watch`` hears
    the headers of every good answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        title: str,
        advice: Callable[[int, str], str],
        bearer: Bearer | None = None,
        pace: RateLimiter | None = None,
        retries: Retries | None = None,
        headers: Mapping[str, str] | None = None,
        watch: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._title = f"{title} at {httpx.URL(base_url).netloc.decode()}"
        self._advice = advice
        self._bearer = bearer
        self._pace = pace or AdaptiveRateLimiter()
        self._retries = retries or Retries()
        self._watch = watch
        self._client = httpx.Client(
            base_url=base_url,
            verify=_tls(),
            headers={"Accept": "application/json", "User-Agent": "hris-pipeline", **(headers or {})},
            timeout=httpx.Timeout(60.0, connect=10.0),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=60.0),
        )

    def get(self, path: str, decode: Callable[[bytes], T], params: Mapping[str, str] | None = None) -> T:
        """``decode`` of the answer's body, which must be 200.

        Raises:
            SourceUnavailable: still failing after the last attempt, or an answer that ``decode`` cannot read.
            SourceRefused: a status that trying again does not change.
            SourceNotReady: 202.
            ConnectionInvalid: 401 with a fresh token too.
        """
        return self._call("GET", path, decode, params=params)

    def find(self, path: str, decode: Callable[[bytes], T]) -> T | None:
        """Like ``get``; None when the source answers 404."""
        try:
            return self.get(path, decode)
        except HttpRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def post(self, path: str, decode: Callable[[bytes], T], body: object) -> T:
        """Like ``get``, sending ``body`` as JSON."""
        headers = {"Content-Type": "application/json"}
        return self._call("POST", path, decode, content=msgspec.json.encode(body), headers=headers)

    def post_form(self, path: str, decode: Callable[[bytes], T], form: Mapping[str, str]) -> T:
        """Like ``get``, sending a form."""
        return self._call("POST", path, decode, data=dict(form))

    def close(self) -> None:
        """Gives back the connections."""
        self._client.close()

    def _call(self, method: str, path: str, decode: Callable[[bytes], T], **request: Any) -> T:
        last, waited_for = "", None
        for attempt in range(1, self._retries.attempts + 1):
            try:
                return self._attempt(method, path, decode, request)
            except _Transient as failure:
                last, waited_for = failure.seen, failure.retry_after
            if attempt == self._retries.attempts or (waited_for or 0.0) > self._retries.patience:
                break
            self._retries.sleep(waited_for if waited_for is not None else self._retries.delay(attempt))
        asked = f", which asks to be left alone for {waited_for:.0f} seconds" if waited_for is not None else ""
        raise SourceUnavailable(
            f"{self._title} could not answer {method} {path} ({attempt} attempts, last: {last}){asked}: "
            "run it again later."
        )

    def _attempt(self, method: str, path: str, decode: Callable[[bytes], T], request: dict[str, Any]) -> T:
        response = self._authorized(method, path, request)
        status = response.status_code
        if response.is_success and status != 202:
            if self._watch:
                self._watch(response.headers)
            # A body that came with success may hold people's data: nothing of it goes into an error.
            try:
                return decode(response.content)
            except (msgspec.MsgspecError, RecursionError, UnicodeError):
                raise _Transient("an answer that is not the JSON it should be") from None
        if status == 202:
            raise SourceNotReady(
                f"{self._title} has no data ready for {method} {path} (status 202): run it again later."
            )
        seen = _describe_response(response)
        if status in TRANSIENT:
            retry_after = _retry_after(response.headers.get("Retry-After"))
            if status == 429:
                self._pace.throttled(min(retry_after or 0.0, self._retries.patience))
            raise _Transient(seen, retry_after)
        raise HttpRefused(
            f"{self._title} refused {method} {path} ({seen}): {self._advice(status, path)}.", status, _code(response)
        )

    def _authorized(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        if self._bearer is None:
            return self._send(method, path, request, None)
        token = self._bearer.token()
        response = self._send(method, path, request, token)
        if response.status_code != 401:
            return response
        response = self._send(method, path, request, self._bearer.renewed(token))
        if response.status_code == 401:
            raise ConnectionInvalid(
                f"{self._title} refused {method} {path} with a fresh token too ({_describe_response(response)}): "
                f"{self._advice(401, path)}."
            )
        return response

    def _send(self, method: str, path: str, request: dict[str, Any], token: str | None) -> httpx.Response:
        headers = {**request.get("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        self._pace.wait()
        try:
            return self._client.request(method, path, **{**request, "headers": headers})
        except httpx.RequestError as error:
            raise _Transient(type(error).__name__) from None


_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[^\s\"'<>,;:()]+@[^\s\"'<>,;()]+"), "[email]"),
    (re.compile(r"(?i)\bbearer\s+\S+"), "[token]"),
    (re.compile(r"[A-Za-z0-9+/_=-]{20,}(?:\.[A-Za-z0-9+/_=-]+)*"), "[token]"),
    (re.compile(r"\+?\d(?:[\s().-]?\d){4,}"), "[number]"),
)

_SAFE_ERROR_KEYS = ("error", "error_description", "code", "finch_code", "message", "detail")


def redacted(text: str) -> str:
    """``text`` on one line, without addresses, tokens and long numbers, at most 500 characters."""
    text = " ".join(text[:4000].split())
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text[:500]


def _body(response: httpx.Response) -> dict[str, object]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return {}


def _describe_response(response: httpx.Response) -> str:
    """Status and what the source says of it. Of a JSON answer only the keys that tell an error: others may hold a
    record."""
    body = _body(response)
    parts = [str(body[key]) for key in _SAFE_ERROR_KEYS if isinstance(body.get(key), str | int)]
    if not body and "html" not in response.headers.get("Content-Type", "") and response.content[:1] not in b"{[<":
        parts = [response.text]
    said = redacted(" ".join(parts))
    return f"status {response.status_code}: {said}" if said else f"status {response.status_code}"


def _code(response: httpx.Response) -> str:
    code = _body(response).get("error")
    return code if isinstance(code, str) else ""


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
