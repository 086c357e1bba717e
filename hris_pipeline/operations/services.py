"""``Services``, what every operation works with: environment, store, archive, clock, the way to a source; and what the
steps of one import share: its hold on the integration, from the first request to the source to its end, and the
settings it has read.

No operation stands here.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.errors import Tampered, UnknownName
from hris_pipeline.sources.archive import Archive, FreshExtract
from hris_pipeline.sources.pacing import Bucket, Ceilings, Retries, SharedRateLimiter
from hris_pipeline.sources.protocol import Source
from hris_pipeline.store.engine import Store, open_store, upgrade_store
from hris_pipeline.store.integrations import SettingsVersion, current_settings
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.locks import StoredBuckets, integration_lock

if TYPE_CHECKING:
    from hris_pipeline.sources.finch import Finch
    from hris_pipeline.sources.oauth import OAuth
    from hris_pipeline.store.tokens import StoredTokens

__all__ = ["ImportHold", "Services", "SettingsReader", "open_services"]


@dataclass
class ImportHold:
    """The locks on integrations that the steps of one run share: a step that has the same hold goes on, everybody else
    waits or gets an error. It ends with the process."""

    _locks: dict[str, ExitStack] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, store: Store, integration_id: str, wait_seconds: float = 0.0) -> None:
        """Holds the integration until ``release``; held already, nothing happens.

        Raises:
            ImportRunning: somebody else still holds it after ``wait_seconds``.
        """
        with self._lock:
            if integration_id in self._locks:
                return
            with ExitStack() as stack:
                stack.enter_context(integration_lock(store, integration_id, wait_seconds))
                self._locks[integration_id] = stack.pop_all()

    def release(self, integration_id: str | None = None) -> None:
        """Lets go of one integration, or of all."""
        with self._lock:
            names = list(self._locks) if integration_id is None else [integration_id]
            stacks = [self._locks.pop(name) for name in names if name in self._locks]
        for stack in stacks:
            stack.close()

    @contextmanager
    def within(self, store: Store, integration_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
        """Holds the integration for the block, unless it is held already.

        Raises:
            ImportRunning: somebody else still holds it after ``wait_seconds``.
        """
        if integration_id in self._locks:
            yield
            return
        with integration_lock(store, integration_id, wait_seconds):
            yield


class SettingsReader:
    """Reads settings, and keeps those read last: an import reads the document once, and in each transaction that
    depends on it only looks whether it is still in force."""

    def __init__(self) -> None:
        self._last: SettingsVersion | None = None

    def read(self, connection: sa.Connection, integration_id: str) -> SettingsVersion:
        """The settings in force, as the transaction sees them.

        Raises:
            UnknownName: no such integration, or one that was never set up.
        """
        in_force = self._last = current_settings(connection, integration_id, self._last)
        return in_force

    def last(self, integration_id: str) -> SettingsVersion | None:
        """What was read last, if it was this integration's."""
        last = self._last
        return last if last is not None and last.integration_id == integration_id else None

    def clear(self) -> None:
        """Forgets what was read, because it was changed."""
        self._last = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Opened once, closed by whoever opened it. ``now`` gives an aware UTC moment; ``retries`` says how often and how
    patiently the source is asked again; ``hold`` keeps other imports of an integration out; ``fresh`` is the extract
    that was just read; ``settings`` reads the settings in force."""

    environment: Environment
    store: Store
    archive: Archive
    now: Callable[[], datetime] = _utc_now
    retries: Retries = field(default_factory=Retries)
    hold: ImportHold = field(default_factory=ImportHold, repr=False)
    fresh: FreshExtract = field(default_factory=FreshExtract, repr=False)
    settings: SettingsReader = field(default_factory=SettingsReader, repr=False)

    def tokens(self, integration_id: str) -> "StoredTokens":
        """Where the integration's tokens are kept."""
        from hris_pipeline.store.tokens import StoredTokens  # noqa: PLC0415

        return StoredTokens(self.store, load_keyring(self.environment), integration_id, self.now)

    def time_zone(self, integration_id: str) -> str:
        """The zone in which moments of the integration are told and asked; UTC where its settings cannot be read."""
        try:
            with self.store.read() as connection:
                return current_settings(connection, integration_id).settings.time_zone
        except (UnknownName, Tampered):
            return "UTC"

    @property
    def ceilings(self) -> Ceilings:
        """What no answer and no reading of a source may exceed."""
        environment = self.environment
        return Ceilings(
            answer_seconds=environment.answer_seconds,
            answer_bytes=int(environment.answer_megabytes * (1 << 20)),
            reading_pages=environment.reading_pages,
            reading_seconds=environment.reading_hours * 3600,
        )

    def oauth(self, integration_id: str) -> "OAuth":
        """The vendor's OAuth endpoints, for connecting the integration.

        Raises:
            EnvironmentInvalid: client id or secret are not set.
        """
        from hris_pipeline.sources.oauth import OAuth  # noqa: PLC0415

        environment = self.environment
        return OAuth(
            api_url=environment.api_url,
            authorize_url=environment.authorize_url,
            client_id=environment.client_id,
            client_secret=environment.client_secret,
            integration_id=integration_id,
            clock=self.now,
            retries=self.retries,
            ceilings=self.ceilings,
            rate_limiter=self.rate_limiter(_oauth_buckets(environment, integration_id)),
        )

    def finch(self, integration_id: str, credential: str, *, on_expired: Callable[[], None] = lambda: None) -> "Finch":
        """The aggregator with a credential; ``on_expired`` is called when the employer must connect again."""
        from hris_pipeline.sources.finch import Finch  # noqa: PLC0415

        return Finch(
            credential,
            api_url=self.environment.finch_api_url,
            integration_id=integration_id,
            rate_limiter=self.rate_limiter(_finch_buckets(self.environment)),
            retries=self.retries,
            ceilings=self.ceilings,
            on_expired=on_expired,
        )

    def rate_limiter(self, buckets_of: Callable[[str], Sequence[Bucket]]) -> SharedRateLimiter:
        """Ceilings that all processes on this store share, by the path of a request."""
        return SharedRateLimiter(StoredBuckets(self.store), buckets_of)

    def open_source(self, connection: sa.Connection, integration_id: str, source: str) -> Source:
        """The integration's source, as its settings name it, connected; to be closed. Nothing is asked of it yet.

        Raises:
            ConnectionInvalid: it is not connected.
        """
        return _SOURCES[source](self, self.tokens(integration_id), connection)

    def close(self) -> None:
        """Lets go of every integration and gives back the store's connections."""
        self.hold.release()
        self.store.close()


def open_services(environment: Environment | None = None, *, create: bool = False) -> Services:
    """Opens the store and the archive that the environment names.

    Args:
        environment: The process's own by default.
        create: Whether an embedded store is created, or upgraded, on the way; a PostgreSQL store never is.

    Raises:
        EnvironmentInvalid: a variable that cannot be used.
        StoreNotReady: the store has no tables, or older or newer ones.
        StoreError: the store cannot be reached.
    """
    environment = environment or Environment.read()
    if create and environment.embedded:
        upgrade_store(environment)
    archive = Archive(environment.files_url, cache(lambda: load_keyring(environment)))
    return Services(environment, open_store(environment), archive)


def _partner_buckets(environment: Environment, integration_id: str) -> Callable[[str], Sequence[Bucket]]:
    """One for the integration's token, one for the application, both of that host."""
    host = urlsplit(environment.api_url).netloc
    buckets = (
        Bucket(f"justworks/{host}/token/{integration_id}", environment.requests_per_second),
        Bucket(f"justworks/{host}/application", environment.application_requests_per_second),
    )
    return lambda _path: buckets


def _oauth_buckets(environment: Environment, integration_id: str) -> Callable[[str], Sequence[Bucket]]:
    """One for the tokens of the integration, ten at once and then one a second; one for the application."""
    host = urlsplit(environment.api_url).netloc
    buckets = (
        Bucket(f"justworks/{host}/tokens/{integration_id}", 1.0, 10),
        Bucket(f"justworks/{host}/application", environment.application_requests_per_second),
    )
    return lambda _path: buckets


def _finch_buckets(environment: Environment) -> Callable[[str], Sequence[Bucket]]:
    """One for each endpoint, for all integrations: a tenth of its ceiling is the burst, so that no minute has more."""
    host, ceiling = urlsplit(environment.finch_api_url).netloc, environment.finch_requests_per_minute
    burst = max(1, int(ceiling / 10))
    per_second = max(ceiling - burst, ceiling / 2) / 60
    return lambda path: (Bucket(f"finch/{host}{path}", per_second, burst),)


def _partner_api(services: Services, keeper: "StoredTokens", connection: sa.Connection) -> Source:
    from hris_pipeline.sources.partner_api import PartnerApi  # noqa: PLC0415

    stored, integration_id = keeper.read(connection), keeper.integration_id
    return PartnerApi.connected(
        oauth=services.oauth(integration_id),
        keeper=keeper,
        stored=stored,
        api_url=services.environment.api_url,
        integration_id=integration_id,
        clock=services.now,
        rate_limiter=services.rate_limiter(_partner_buckets(services.environment, integration_id)),
        retries=services.retries,
        ceilings=services.ceilings,
    )


def _open_finch(services: Services, keeper: "StoredTokens", connection: sa.Connection) -> Source:
    return services.finch(keeper.integration_id, keeper.read(connection).access, on_expired=keeper.mark_expired)


_SOURCES: dict[str, Callable[[Services, "StoredTokens", sa.Connection], Source]] = {
    "justworks": _partner_api,
    "finch": _open_finch,
}
