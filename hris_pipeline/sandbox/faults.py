"""Faults on request: what may go wrong, and which of it is wanted now."""

from collections.abc import Mapping
from threading import RLock

import msgspec

from hris_pipeline.errors import UsageError

__all__ = ["KINDS", "Fault", "Faults"]

KINDS: Mapping[str, str] = {
    "rate_limited": "429 with Retry-After (retry_after seconds)",
    "server_error": "an error answer (status, 500 unless given)",
    "slow": "every request takes seconds longer",
    "not_json": "200 with a page of HTML",
    "not_ready": "202: the data is not ready yet (aggregator only)",
    "short_list": "the last share of the list is missing from it; its people still answer singly",
    "empty_list": "a list of nobody",
    "repeated_page": "a page comes again under the next cursor; for ever unless times is given",
    "cursor_loop": "the next cursor is one that was given before (Partner API only)",
    "long_cursor": "the next cursor has 64 KiB (Partner API only)",
    "bad_member": "the members (all unless given) hold half an emoji, NaN, a bare line break and endless nesting",
    "error_document": "a person asked for singly is answered 200 with something that is no record of theirs",
    "odd_token": "an answer of the token endpoint spells its times and its other parts in unusual ways",
    "spoiled_token": "an answer of the token endpoint is success, and cannot be read",
    "failing_details": "the details of the members (all unless given) answer with status",
    "expired_token": "access tokens given so far have expired, at once",
    "expired_refresh": "refresh tokens given so far have expired too, at once",
    "revoked_token": "all tokens given so far are dead, at once; the aggregator asks to connect again",
}
"""Every kind of fault and what it does."""

DEFAULT_PATHS: Mapping[str, tuple[str, ...]] = {
    "not_ready": ("/finch/employer",),
    "not_json": ("/v1/members", "/finch/employer"),
}
REQUEST_PATHS = ("/v1", "/oauth/token", "/finch")


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wanted fault: ``times`` requests (None: for ever) are struck after the first ``after`` whose path starts with
    ``path`` ('' is every path the kind concerns; with a ``$`` at its end that very path), for one ``username``'s
    company or all (None)."""

    kind: str
    path: str = ""
    times: int | None = None
    after: int = 0
    status: int = 500
    retry_after: float = 1.0
    seconds: float = 0.05
    share: float = 0.4
    members: tuple[str, ...] = ()
    username: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No fault is called {self.kind[:40]!r}: take one of {', '.join(KINDS)}.")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """A fault as written on a command line: ``kind`` or ``kind:key=value,key=value`` (members joined by ``+``).

        Raises:
            UsageError: an unknown kind, key or value.
        """
        kind, _, rest = text.partition(":")
        pairs = [pair.partition("=")[::2] for pair in rest.split(",") if pair]
        fields = {key.strip(): value.strip().split("+") if key == "members" else value.strip() for key, value in pairs}
        try:
            return msgspec.convert({**fields, "kind": kind.strip()}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise UsageError(f"The fault {text[:80]!r} cannot be read: {error}") from None

    def concerns(self, path: str, username: str | None) -> bool:
        """Whether a request to the path, for the user's company, can be struck."""
        if self.path.endswith("$"):
            return path == self.path[:-1] and self.username in (None, username)
        prefixes = (self.path,) if self.path else DEFAULT_PATHS.get(self.kind, REQUEST_PATHS)
        return path.startswith(prefixes) and self.username in (None, username)


class Faults:
    """The faults wanted now; counts the requests that each has let pass and struck."""

    def __init__(self) -> None:
        self._wanted: list[tuple[Fault, list[int]]] = []
        self._lock = RLock()

    def want(self, fault: Fault) -> None:
        """Adds a fault."""
        with self._lock:
            self._wanted.append((fault, [0]))

    def clear(self) -> None:
        """Nothing is to go wrong any more."""
        with self._lock:
            self._wanted.clear()

    @property
    def wanted(self) -> tuple[Fault, ...]:
        """The faults in force or used up, oldest first."""
        return tuple(fault for fault, _ in self._wanted)

    def strike(self, kind: str, path: str, username: str | None, member_id: str = "") -> Fault | None:
        """The fault of the kind that strikes this request, if any; counts the request."""
        with self._lock:
            for fault, seen in self._wanted:
                if fault.kind != kind or not fault.concerns(path, username):
                    continue
                if member_id and fault.members and member_id not in fault.members:
                    continue
                seen[0] += 1
                struck = seen[0] - fault.after
                if struck > 0 and (fault.times is None or struck <= fault.times):
                    return fault
        return None
