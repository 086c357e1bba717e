"""Every environment variable the project reads, typed, with its default and meaning."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from hris_pipeline.errors import EnvironmentInvalid

__all__ = ["ROLES", "VARIABLES", "AccessEnvironment", "Environment", "Role"]


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, its default as text, and what it means."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("HRIS_HOME", ".hris", "Folder for everything kept on this machine."),
    Variable("HRIS_STORE_URL", "sqlite:///$HRIS_HOME/store.db", "The user store: a SQLite or PostgreSQL address."),
    Variable("HRIS_FILES_URL", "$HRIS_HOME/files", "Extracts and frames: a folder or a bucket URL."),
    Variable("HRIS_SECRET_KEY", "", "Fernet keys, comma-separated; the first encrypts. Made in HRIS_HOME with SQLite."),
    Variable("JUSTWORKS_API_URL", "https://public-api.justworks.com", "The Partner API."),
    Variable("JUSTWORKS_AUTHORIZE_URL", "https://secure.justworks.com/oauth/authorize", "Where an admin consents."),
    Variable("JUSTWORKS_CLIENT_ID", "", "Issued by Justworks with access to the Partner API."),
    Variable("JUSTWORKS_CLIENT_SECRET", "", "Issued by Justworks with access to the Partner API."),
    Variable("JUSTWORKS_REQUESTS_PER_SECOND", "10", "Ceiling on calls to the Partner API for one integration."),
    Variable("JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND", "100", "The same for all together; no limit is published."),
    Variable("HRIS_ANSWER_SECONDS", "120", "Until an answer of a source must be there wholly."),
    Variable("HRIS_ANSWER_MEGABYTES", "32", "The most that one answer of a source may hold, unpacked."),
    Variable("HRIS_READING_PAGES", "50000", "The most pages that one reading of a company may take."),
    Variable("HRIS_READING_HOURS", "12", "The longest that one reading of a company may take."),
    Variable("FINCH_API_URL", "https://api.tryfinch.com", "The HRIS aggregator, for integrations with source finch."),
    Variable("FINCH_REQUESTS_PER_MINUTE", "20", "Ceiling on calls to each of its endpoints, for all integrations."),
    Variable("DAGSTER_HOME", "$HRIS_HOME/dagster", "Dagster's own instance."),
    Variable("HRIS_CONSOLE_URL", "", "Where people open the console, when it is not where it listens: https://…"),
    Variable("HRIS_ROLES", "", "Who may do what: dana@acme.example=administrator, group:hr=reviewer; * is anybody."),
    Variable("HRIS_SESSION_MINUTES", "60", "How long a log-in to the console lasts without being used."),
    Variable("HRIS_OIDC_ISSUER", "", "The OpenID Connect provider that logs people in to the console."),
    Variable("HRIS_OIDC_CLIENT_ID", "", "Issued by that provider."),
    Variable("HRIS_OIDC_CLIENT_SECRET", "", "Issued by that provider."),
    Variable("HRIS_OIDC_GROUPS_CLAIM", "groups", "The claim that names a person's groups."),
    Variable("HRIS_PROXY_USER_HEADER", "", "The header in which a proxy names whom it has logged in."),
    Variable("HRIS_PROXY_GROUPS_HEADER", "", "The header in which it names their groups, comma-separated."),
    Variable("HRIS_PROXY_ADDRESSES", "", "The addresses and networks whose proxy is believed, comma-separated."),
)

Role = Literal["viewer", "reviewer", "approver", "administrator"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "approver", "administrator")
"""What somebody may be, the least first."""


@dataclass(frozen=True)
class AccessEnvironment:
    """Who may use the console and how they show who they are; what is not configured is empty.

    ``roles`` pairs an identity, ``group:NAME`` or ``*`` with a role; ``proxy_addresses`` are networks.
    """

    console_url: str = ""
    roles: tuple[tuple[str, Role], ...] = ()
    session_minutes: float = 60
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_groups_claim: str = "groups"
    proxy_user_header: str = ""
    proxy_groups_header: str = ""
    proxy_addresses: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def read(cls, value: Callable[[str], str]) -> "AccessEnvironment":
        """Reads the variables by name.

        Raises:
            EnvironmentInvalid: one that cannot be used, or half of what belongs together.
        """
        access = cls(
            console_url=_optional_web_url("HRIS_CONSOLE_URL", value("HRIS_CONSOLE_URL")),
            roles=_roles(value("HRIS_ROLES")),
            session_minutes=_positive("HRIS_SESSION_MINUTES", value("HRIS_SESSION_MINUTES")),
            oidc_issuer=_optional_web_url("HRIS_OIDC_ISSUER", value("HRIS_OIDC_ISSUER"), keep=True),
            oidc_client_id=value("HRIS_OIDC_CLIENT_ID"),
            oidc_client_secret=value("HRIS_OIDC_CLIENT_SECRET"),
            oidc_groups_claim=value("HRIS_OIDC_GROUPS_CLAIM"),
            proxy_user_header=value("HRIS_PROXY_USER_HEADER").lower(),
            proxy_groups_header=value("HRIS_PROXY_GROUPS_HEADER").lower(),
            proxy_addresses=_networks(value("HRIS_PROXY_ADDRESSES")),
        )
        access.check()
        return access

    def check(self) -> None:
        """Refuses what is given by halves.

        Raises:
            EnvironmentInvalid: which variable is missing.
        """
        if self.oidc_issuer and not self.oidc_client_id:
            raise EnvironmentInvalid("HRIS_OIDC_ISSUER is set without HRIS_OIDC_CLIENT_ID: register the console there.")
        if self.proxy_user_header and not self.proxy_addresses:
            raise EnvironmentInvalid(
                "HRIS_PROXY_USER_HEADER is set without HRIS_PROXY_ADDRESSES: name the addresses of the proxy, or "
                "anybody could send that header."
            )
        if self.oidc_issuer and self.proxy_user_header:
            raise EnvironmentInvalid("HRIS_OIDC_ISSUER and HRIS_PROXY_USER_HEADER are both set: use one of them.")


@dataclass(frozen=True)
class Environment:
    """The environment, read once; relative paths are made absolute against the working directory.

    ``secret_keys`` is empty when none were given; ``client_id`` and ``client_secret`` are empty until needed.
    """

    home: Path
    store_url: str
    files_url: str
    secret_keys: tuple[str, ...]
    api_url: str
    authorize_url: str
    client_id: str
    client_secret: str
    requests_per_second: float
    application_requests_per_second: float
    answer_seconds: float
    answer_megabytes: float
    reading_pages: int
    reading_hours: float
    finch_api_url: str
    finch_requests_per_minute: float
    dagster_home: Path
    access: AccessEnvironment = AccessEnvironment()

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Environment":
        """Reads ``environ`` (the process's own by default).

        Raises:
            EnvironmentInvalid: a value that cannot be used, by the variable's name.
        """
        environ = os.environ if environ is None else environ
        defaults = {variable.name: variable.default for variable in VARIABLES}

        def value(name: str) -> str:
            return environ.get(name, "").strip() or defaults[name]

        home = _printable("HRIS_HOME", Path(value("HRIS_HOME")).expanduser().absolute())

        def placed(name: str) -> str:
            return value(name).replace("$HRIS_HOME", str(home))

        files_url = placed("HRIS_FILES_URL")
        if "://" not in files_url:
            files_url = str(Path(files_url).expanduser().absolute())
        return cls(
            home=home,
            store_url=_store_url(value("HRIS_STORE_URL").replace("$HRIS_HOME", quote(str(home), safe="/ "))),
            files_url=files_url,
            secret_keys=tuple(key.strip() for key in value("HRIS_SECRET_KEY").split(",") if key.strip()),
            api_url=_web_url("JUSTWORKS_API_URL", value("JUSTWORKS_API_URL")),
            authorize_url=_web_url("JUSTWORKS_AUTHORIZE_URL", value("JUSTWORKS_AUTHORIZE_URL")),
            client_id=value("JUSTWORKS_CLIENT_ID"),
            client_secret=value("JUSTWORKS_CLIENT_SECRET"),
            requests_per_second=_positive("JUSTWORKS_REQUESTS_PER_SECOND", value("JUSTWORKS_REQUESTS_PER_SECOND")),
            application_requests_per_second=_positive(
                "JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND", value("JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND")
            ),
            finch_requests_per_minute=_positive("FINCH_REQUESTS_PER_MINUTE", value("FINCH_REQUESTS_PER_MINUTE")),
            answer_seconds=_positive("HRIS_ANSWER_SECONDS", value("HRIS_ANSWER_SECONDS")),
            answer_megabytes=_positive("HRIS_ANSWER_MEGABYTES", value("HRIS_ANSWER_MEGABYTES")),
            reading_pages=max(1, int(_positive("HRIS_READING_PAGES", value("HRIS_READING_PAGES")))),
            reading_hours=_positive("HRIS_READING_HOURS", value("HRIS_READING_HOURS")),
            finch_api_url=_web_url("FINCH_API_URL", value("FINCH_API_URL")),
            dagster_home=_dagster_home(Path(placed("DAGSTER_HOME")).expanduser().absolute()),
            access=AccessEnvironment.read(value),
        )

    @property
    def keys_in_file(self) -> bool:
        """Whether the keys are in a file of ``home``, because none were given and the store is the embedded one."""
        return not self.secret_keys and self.embedded

    @property
    def embedded(self) -> bool:
        """Whether the store is the embedded SQLite one."""
        return self.store_url.startswith("sqlite")

    def __repr__(self) -> str:
        shown: dict[str, Any] = {"home": str(self.home), "embedded": self.embedded, "api_url": self.api_url}
        return f"Environment({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def _printable(name: str, path: Path) -> Path:
    if not str(path).isprintable():
        raise EnvironmentInvalid(f"{name} holds characters that cannot be shown, such as a line break: name another.")
    return path


def _dagster_home(path: Path) -> Path:
    """Dagster makes addresses of databases of it, in which ``?`` and ``%`` lead elsewhere."""
    if "?" in str(path) or "%" in str(path):
        raise EnvironmentInvalid(
            "DAGSTER_HOME, which is inside HRIS_HOME unless it is set, holds a ? or a %, by which Dagster would keep "
            "its databases elsewhere: let DAGSTER_HOME name a folder without them."
        )
    return _printable("DAGSTER_HOME", path)


def _store_url(text: str) -> str:
    scheme = text.partition("://")[0].partition("+")[0]
    if scheme == "sqlite" and "://" in text:
        return text
    if scheme in ("postgresql", "postgres") and "://" in text:
        return "postgresql+psycopg://" + text.partition("://")[2]
    raise EnvironmentInvalid(
        "HRIS_STORE_URL names no store this project knows: "
        "use sqlite:///path/to/store.db or postgresql://user@host/database."
    )


def _web_url(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # also of a port that is no number, or of one too large
        raise EnvironmentInvalid(
            f"{name} is no web address (is its port a number up to 65535?): give one as https://host:port."
        ) from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or _ODD_IN_ADDRESS.search(text):
        raise EnvironmentInvalid(f"{name} is no web address: give one that starts with https://.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise EnvironmentInvalid(
            f"{name} is plain http to another machine, where anybody on the way reads the tokens: give https://."
        )
    return text.rstrip("/")


_ODD_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\"<>\\^`{|}]")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _positive(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise EnvironmentInvalid(f"{name} must be a number above 0, such as 10.")
    return number


def _optional_web_url(name: str, text: str, *, keep: bool = False) -> str:
    """An issuer is compared letter by letter, so its slash at the end is kept."""
    if not text:
        return ""
    address = _web_url(name, text)
    return text if keep else address


def _roles(text: str) -> tuple[tuple[str, Role], ...]:
    entries: list[tuple[str, Role]] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        who, _, name = entry.rpartition("=")
        role = next((role for role in ROLES if role == name.strip()), None)
        if not who.strip() or role is None:
            raise EnvironmentInvalid(
                f"HRIS_ROLES: entry {len(entries) + 1} is no who=role; the roles are {', '.join(ROLES)}."
            )
        entries.append((who.strip(), role))
    return tuple(entries)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise EnvironmentInvalid(
            "HRIS_PROXY_ADDRESSES is no list of addresses or networks, such as 10.0.0.5, 10.1.0.0/16."
        ) from None
