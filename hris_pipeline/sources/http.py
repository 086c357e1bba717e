"""How every client speaks HTTP: one kept-alive connection pool, a request-rate ceiling, bounded retries, deadlines, and
errors that tell whether running again can help. What a status means is decided here, once; what an answer holds is the
wires' business."""

import math
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

import httpx

from hris_pipeline.errors import ConnectionInvalid, SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sources.answers import ENCODINGS, Answer, AnswerUnreadable, failure_words, open_client, read_answer
from hris_pipeline.sources.decoding import decode, describe, encode, error_code
from hris_pipeline.sources.pacing import AdaptiveRateLimiter, Ceilings, RateLimiter, Retries, Workers

__all__ = ["FixedToken", "Http", "HttpRefused", "TokenProvider", "Unauthorized"]

T = TypeVar("T")

TRANSIENT = frozenset({408, 425, 429}) | frozenset(range(500, 600))
"""Statuses worth another attempt."""

_ODD_STATUSES: Mapping[int, str] = {
    204: "no content where content was asked for",
    206: "a part of an answer where the whole was asked for",
}


class TokenProvider(Protocol):
    """Where the access token comes from."""

    def token(self) -> str:
        """A token that is good now."""
        ...

    def refresh(self, rejected: str) -> str | None:
        """Another token, after the source said 401 to ``rejected``; None when there never is one.

        Raises:
            ConnectionInvalid: the connection is dead.
        """
        ...


@dataclass(frozen=True)
class FixedToken:
    """A credential entered once that is never renewed."""

    secret: str = field(repr=False)

    def token(self) -> str:
        """The credential."""
        return self.secret

    def refresh(self, rejected: str) -> None:
        """None: only a person can replace a refused credential."""


class HttpRefused(SourceRefused):
    """A status that another attempt does not change; ``code`` is the word by which the answer names the error, or '';
    ``says_so`` whether its body is a JSON object that is no record, as a source's own error is."""

    def __init__(self, message: str, status: int, code: str = "", *, says_so: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.says_so = says_so


class Unauthorized(ConnectionInvalid):
    """401, with a fresh token too; ``code`` as in ``HttpRefused``."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class _Transient(Exception):
    """One failed attempt: what was seen, and how long the source asked to be left alone."""

    def __init__(self, seen: str, retry_after: float | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.retry_after = retry_after


class _BearerAuth(httpx.Auth):
    """The access token on every request, and one more try with another token after a 401."""

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens
        self.last = ""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self.last = self._tokens.token()
        request.headers["Authorization"] = _format_bearer(token)
        response = yield request
        if response.status_code == 401 and (other := self._tokens.refresh(token)) is not None:
            self.last = other
            request.headers["Authorization"] = _format_bearer(other)
            yield request


def _format_bearer(token: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise ConnectionInvalid(
            "The access token holds characters that no header can carry: enter it anew, as the provider shows it."
        )
    return f"Bearer {token}"


class Http:
    """One source's kept-alive client; safe for a few threads. Every request has a deadline, whoever else is waiting.

    ``title`` names the source in errors; ``advice(status, path)`` gives the remedy for a refusal; ``on_response`` hears
    the headers of every good answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        title: str,
        advice: Callable[[int, str], str],
        tokens: TokenProvider | None = None,
        rate_limiter: RateLimiter | None = None,
        retries: Retries | None = None,
        ceilings: Ceilings | None = None,
        headers: Mapping[str, str] | None = None,
        on_response: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._title = f"{title} at {httpx.URL(base_url).netloc.decode()}"
        self._advice = advice
        self._auth = _BearerAuth(tokens) if tokens else None
        self._rate_limiter = rate_limiter or AdaptiveRateLimiter()
        self._retries = retries or Retries()
        self._ceilings = ceilings or Ceilings()
        self._on_response = on_response
        self._closed = threading.Event()
        self._workers = Workers("requests")
        self._client = open_client(
            base_url=base_url,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": ENCODINGS,
                "User-Agent": "hris-pipeline",
                **(headers or {}),
            },
            timeout=httpx.Timeout(min(60.0, self._ceilings.answer_seconds), connect=10.0),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=60.0),
        )

    def get(self, path: str, read: Callable[[object], T], params: Mapping[str, str] | None = None) -> T:
        """What ``read`` makes of the answer's JSON; the answer must be 200, and ``read`` raises ValueError for what is
        not as it should be.

        Raises:
            SourceUnavailable: still failing after the last attempt, or an answer that cannot be read.
            SourceRefused: a status that trying again does not change.
            SourceNotReady: 202.
            ConnectionInvalid: 401 with a fresh token too.
        """
        return self._call("GET", path, read, params=params or None)

    def post(self, path: str, read: Callable[[object], T], body: object, params: Mapping[str, str] | None = None) -> T:
        """Like ``get``, sending ``body`` as JSON."""
        headers = {"Content-Type": "application/json"}
        return self._call("POST", path, read, content=encode(body), headers=headers, params=params or None)

    def post_form(self, path: str, read: Callable[[object], T], form: Mapping[str, str], *, once: bool = False) -> T:
        """Like ``get``, sending a form; with ``once`` it is never sent again after a status of success: an answer that
        cannot be read is then refused (``HttpRefused`` with that status)."""
        return self._call("POST", path, read, once=once, data=dict(form))

    def close(self) -> None:
        """Gives back the connections; requests that still wait their turn give up."""
        self._closed.set()
        self._workers.close()
        self._client.close()

    def _call(self, method: str, path: str, read: Callable[[object], T], *, once: bool = False, **request: Any) -> T:
        last, retry_after = "", None
        for attempt in range(1, self._retries.attempts + 1):
            try:
                return self._try_call(method, path, read, once, request)
            except _Transient as failure:
                last, retry_after = failure.seen, failure.retry_after
            if attempt == self._retries.attempts or (retry_after or 0.0) > self._retries.max_retry_after:
                break
            self._pause(retry_after if retry_after is not None else self._retries.delay(attempt))
        asked = f", which asks to be left alone for {retry_after:.0f} seconds" if retry_after is not None else ""
        raise SourceUnavailable(
            f"{self._title} could not answer {method} {path} ({attempt} attempts, last: {last}){asked}: "
            "run it again later."
        )

    def _try_call(self, method: str, path: str, read: Callable[[object], T], once: bool, request: dict[str, Any]) -> T:
        answer = self._exchange(method, path, once, request)
        status = answer.status
        if status in (200, 201):
            if self._on_response:
                self._on_response(answer.headers)
            try:
                return read(decode(answer.body))
            except (ValueError, RecursionError):
                # A body that came with success may hold people's data: nothing of it goes into an error.
                raise self._unusable_answer("an answer that is not the JSON it should be", path, once, status) from None
        if status == 202 and not once:
            raise SourceNotReady(
                f"{self._title} has no data ready for {method} {path} (status 202): run it again later."
            )
        raise self._explain_failure(method, path, answer, request)

    def _explain_failure(self, method: str, path: str, answer: Answer, request: dict[str, Any]) -> Exception:
        """What a status that is no success means."""
        status = answer.status
        secrets = [*request.get("data", {}).values(), self._auth.last if self._auth else ""]
        seen = describe(status, answer.body, answer.content_type, secrets)
        if status in TRANSIENT:
            retry_after = _retry_after(answer.headers.get("Retry-After"))
            if status == 429:
                self._rate_limiter.on_throttled(min(retry_after or 0.0, self._retries.max_retry_after), path)
            return _Transient(seen, retry_after)
        code = error_code(answer.body)
        if status == 401 and self._auth:
            return Unauthorized(f"{self._title} refused {method} {path} ({seen}): {self._advice(401, path)}.", code)
        if 200 <= status < 300:
            odd = _ODD_STATUSES.get(status, "a status that nobody expects")
            return HttpRefused(
                f"{self._title} answered {method} {path} with status {status}, {odd}: {self._advice(status, path)}.",
                status,
            )
        if 300 <= status < 400:
            return HttpRefused(
                f"{self._title} sends {method} {path} to another address (status {status}), which is not "
                "followed: set the address of the API as its provider now gives it.",
                status,
            )
        message = f"{self._title} refused {method} {path} ({seen}): {self._advice(status, path)}."
        return HttpRefused(message, status, code, says_so=_is_error_document(answer.body))

    def _unusable_answer(self, seen: str, path: str, once: bool, status: int) -> Exception:
        """The error for an answer that came but cannot be used."""
        if once and 200 <= status < 300:
            return HttpRefused(f"{self._title} gave {path} {seen}: {self._advice(status, path)}.", status)
        return _Transient(seen)

    def _exchange(self, method: str, path: str, once: bool, request: dict[str, Any]) -> Answer:
        """One request and its whole answer, within its deadline."""
        if self._closed.is_set():
            raise SourceUnavailable(f"{self._title} was not asked for {path}: the reading was stopped.")
        if wait := self._rate_limiter.reserve(path):
            self._pause(wait)

        statuses = [0]

        def exchange() -> Answer:
            with self._client.stream(method, path, auth=self._auth, **request) as response:
                statuses.append(response.status_code)
                return read_answer(response, self._ceilings)

        try:
            return self._workers.call(exchange, self._ceilings.answer_seconds)
        except TimeoutError:
            seconds = self._ceilings.answer_seconds
            seen = f"no whole answer within {seconds:g} seconds (HRIS_ANSWER_SECONDS)"
            raise self._unusable_answer(seen, path, once, statuses[-1]) from None
        except AnswerUnreadable as error:
            raise self._unusable_answer(str(error), path, once, statuses[-1]) from None
        except httpx.RequestError as error:
            raise self._unusable_answer(failure_words(error), path, once, statuses[-1]) from None
        except RuntimeError:
            if not self._closed.is_set():
                raise
            raise SourceUnavailable(f"{self._title} was not asked for {path}: the reading was stopped.") from None
        except httpx.InvalidURL:
            raise HttpRefused(
                f"{self._title} cannot be asked for {method} {path.partition('?')[0][:100]}: the address "
                "would be too long, or holds what no address may.",
                0,
            ) from None

    def _pause(self, seconds: float) -> None:
        if self._retries.sleep:
            self._retries.sleep(seconds)
        elif self._closed.wait(seconds):
            raise SourceUnavailable(f"{self._title} was not asked again: the reading was stopped.")


def _is_error_document(body: bytes) -> bool:
    try:
        body.decode()  # what is no UTF-8 is no JSON, however much of it could be read
        document = decode(body)
    except ValueError:
        return False
    return isinstance(document, dict) and not document.keys() & {"active", "is_active"}


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    try:
        seconds = float(value)
        return None if math.isnan(seconds) else max(0.0, seconds)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
