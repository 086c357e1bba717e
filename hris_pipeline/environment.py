"""Every environment variable the project reads, typed, with its default and meaning: a variable is one field here.

Reading opens nothing and makes nothing. An error names the variable and never its value, which may be a secret.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from hris_pipeline.errors import EnvironmentInvalid

__all__ = ["ROLES", "VARIABLES", "AccessEnvironment", "Environment", "Role"]


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, its default as text, and what it means."""

    name: str
    default: str
    meaning: str


Role = Literal["viewer", "reviewer", "approver", "administrator"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "approver", "administrator")
"""What somebody may be, the least first."""

Number = Annotated[float, Field(gt=0, allow_inf_nan=False)]
WholeNumber = Annotated[int, Field(gt=0)]


def _require_printable(name: str, path: Path) -> Path:
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
    return _require_printable("DAGSTER_HOME", path)


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


def _parse_roles(text: str) -> tuple[tuple[str, Role], ...]:
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


def _parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise EnvironmentInvalid(
            "HRIS_PROXY_ADDRESSES is no list of addresses or networks, such as 10.0.0.5, 10.1.0.0/16."
        ) from None


def _declare_variable(name: str, default: str, meaning: str) -> Any:
    return Field(default, validation_alias=name, description=meaning)


class _Variables(BaseSettings):
    """Fields read from variables by name; what is not set, or blank, has its default, which is checked like a value."""

    model_config = SettingsConfigDict(
        frozen=True, case_sensitive=True, validate_default=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only ``read`` looks at an environment, and at the one that it is given."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @classmethod
    def variables(cls) -> tuple[Variable, ...]:
        """The variables of these fields."""
        fields = [field for field in cls.model_fields.values() if field.validation_alias]
        return tuple(Variable(str(field.validation_alias), field.default, field.description or "") for field in fields)

    @classmethod
    def values_of(cls, environ: Mapping[str, str]) -> dict[str, Any]:
        """What the variables of these fields are set to."""
        source = EnvSettingsSource(cls)
        names = [variable.name for variable in cls.variables()]
        source.env_vars = {name: text for name in names if (text := environ.get(name, "").strip())}
        return source()

    @classmethod
    def name_of(cls, info: ValidationInfo) -> str:
        """The variable of the field that is checked."""
        return str(cls.model_fields[info.field_name or ""].validation_alias)


def _in_words(error: ValidationError) -> EnvironmentInvalid:
    """Only numbers are left to pydantic to check; all else says itself what is wrong."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    kind = "whole " if problem["type"].startswith("int") else ""
    return EnvironmentInvalid(f"{problem['loc'][0]} must be a {kind}number above 0, such as 10.")


class AccessEnvironment(_Variables):
    """Who may use the console and how they show who they are; what is not configured is empty.

    ``roles`` pairs an identity, ``group:NAME`` or ``*`` with a role; ``proxy_addresses`` are networks.
    """

    console_url: str = _declare_variable(
        "HRIS_CONSOLE_URL", "", "Where people open the console, when it is not where it listens: https://…"
    )
    roles: Annotated[tuple[tuple[str, Role], ...], NoDecode] = _declare_variable(
        "HRIS_ROLES", "", "Who may do what: dana@acme.example=administrator, group:hr=reviewer; * is anybody."
    )
    session_minutes: Number = _declare_variable(
        "HRIS_SESSION_MINUTES", "60", "How long a log-in to the console lasts without being used."
    )
    oidc_issuer: str = _declare_variable(
        "HRIS_OIDC_ISSUER", "", "The OpenID Connect provider that logs people in to the console."
    )
    oidc_client_id: str = _declare_variable("HRIS_OIDC_CLIENT_ID", "", "Issued by that provider.")
    oidc_client_secret: str = _declare_variable("HRIS_OIDC_CLIENT_SECRET", "", "Issued by that provider.")
    oidc_groups_claim: str = _declare_variable(
        "HRIS_OIDC_GROUPS_CLAIM", "groups", "The claim that names a person's groups."
    )
    proxy_user_header: str = _declare_variable(
        "HRIS_PROXY_USER_HEADER", "", "The header in which a proxy names whom it has logged in."
    )
    proxy_groups_header: str = _declare_variable(
        "HRIS_PROXY_GROUPS_HEADER", "", "The header in which it names their groups, comma-separated."
    )
    proxy_addresses: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = _declare_variable(
        "HRIS_PROXY_ADDRESSES", "", "The addresses and networks whose proxy is believed, comma-separated."
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "AccessEnvironment":
        """Reads the variables by name.

        Raises:
            EnvironmentInvalid: one that cannot be used, or half of what belongs together.
        """
        try:
            return cls(**cls.values_of(environ))
        except ValidationError as error:
            raise _in_words(error) from None

    @field_validator("console_url", "oidc_issuer")
    @classmethod
    def _web_address(cls, text: str, info: ValidationInfo) -> str:
        """An issuer is compared letter by letter, so its slash at the end is kept."""
        address = _web_url(cls.name_of(info), text) if text else ""
        return text if info.field_name == "oidc_issuer" else address

    @field_validator("roles", mode="before")
    @classmethod
    def _parse_roles(cls, text: str) -> tuple[tuple[str, Role], ...]:
        return _parse_roles(text)

    @field_validator("proxy_user_header", "proxy_groups_header")
    @classmethod
    def _lower_header(cls, text: str) -> str:
        return text.lower()

    @field_validator("proxy_addresses", mode="before")
    @classmethod
    def _parse_networks(cls, text: str) -> tuple[IPv4Network | IPv6Network, ...]:
        return _parse_networks(text)

    @model_validator(mode="after")
    def _refuse_half_given(self) -> "AccessEnvironment":
        """Refuses what is given by halves."""
        if self.oidc_issuer and not self.oidc_client_id:
            raise EnvironmentInvalid("HRIS_OIDC_ISSUER is set without HRIS_OIDC_CLIENT_ID: register the console there.")
        if self.proxy_user_header and not self.proxy_addresses:
            raise EnvironmentInvalid(
                "HRIS_PROXY_USER_HEADER is set without HRIS_PROXY_ADDRESSES: name the addresses of the proxy, or "
                "anybody could send that header."
            )
        if self.oidc_issuer and self.proxy_user_header:
            raise EnvironmentInvalid("HRIS_OIDC_ISSUER and HRIS_PROXY_USER_HEADER are both set: use one of them.")
        return self

    def __repr__(self) -> str:
        return "AccessEnvironment()"

    __str__ = __repr__


class Environment(_Variables):
    """The environment, read once; relative paths are made absolute against the working directory.

    ``secret_keys`` is empty when none were given; ``client_id`` and ``client_secret`` are empty until needed.
    """

    home: Path = _declare_variable("HRIS_HOME", ".hris", "Folder for everything kept on this machine.")
    store_url: str = _declare_variable(
        "HRIS_STORE_URL", "sqlite:///$HRIS_HOME/store.db", "The user store: a SQLite or PostgreSQL address."
    )
    files_url: str = _declare_variable(
        "HRIS_FILES_URL", "$HRIS_HOME/files", "Extracts and frames: a folder or a bucket URL."
    )
    secret_keys: Annotated[tuple[str, ...], NoDecode] = _declare_variable(
        "HRIS_SECRET_KEY", "", "Fernet keys, comma-separated; the first encrypts. Made in HRIS_HOME with SQLite."
    )
    api_url: str = _declare_variable("JUSTWORKS_API_URL", "https://public-api.justworks.com", "The Partner API.")
    authorize_url: str = _declare_variable(
        "JUSTWORKS_AUTHORIZE_URL", "https://secure.justworks.com/oauth/authorize", "Where an admin consents."
    )
    client_id: str = _declare_variable("JUSTWORKS_CLIENT_ID", "", "Issued by Justworks with access to the Partner API.")
    client_secret: str = _declare_variable(
        "JUSTWORKS_CLIENT_SECRET", "", "Issued by Justworks with access to the Partner API."
    )
    requests_per_second: Number = _declare_variable(
        "JUSTWORKS_REQUESTS_PER_SECOND", "10", "Ceiling on calls to the Partner API for one integration."
    )
    application_requests_per_second: Number = _declare_variable(
        "JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND", "100", "The same for all together; no limit is published."
    )
    answer_seconds: Number = _declare_variable(
        "HRIS_ANSWER_SECONDS", "120", "Until an answer of a source must be there wholly."
    )
    answer_megabytes: Number = _declare_variable(
        "HRIS_ANSWER_MEGABYTES", "32", "The most that one answer of a source may hold, unpacked."
    )
    reading_pages: WholeNumber = _declare_variable(
        "HRIS_READING_PAGES", "50000", "The most pages that one reading of a company may take."
    )
    reading_hours: Number = _declare_variable(
        "HRIS_READING_HOURS", "12", "The longest that one reading of a company may take."
    )
    finch_api_url: str = _declare_variable(
        "FINCH_API_URL", "https://api.tryfinch.com", "The HRIS aggregator, for integrations with source finch."
    )
    finch_requests_per_minute: Number = _declare_variable(
        "FINCH_REQUESTS_PER_MINUTE", "20", "Ceiling on calls to each of its endpoints, for all integrations."
    )
    dagster_home: Path = _declare_variable("DAGSTER_HOME", "$HRIS_HOME/dagster", "Dagster's own instance.")
    access: AccessEnvironment = AccessEnvironment()

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Environment":
        """Reads ``environ`` (the process's own by default).

        Raises:
            EnvironmentInvalid: a value that cannot be used, by the variable's name.
        """
        environ = os.environ if environ is None else environ
        access = AccessEnvironment.read(environ)
        try:
            return cls(**cls.values_of(environ), access=access)
        except ValidationError as error:
            raise _in_words(error) from None

    @field_validator("home")
    @classmethod
    def _expand_home(cls, path: Path) -> Path:
        return _require_printable("HRIS_HOME", path.expanduser().absolute())

    @field_validator("store_url")
    @classmethod
    def _store_url(cls, text: str, info: ValidationInfo) -> str:
        return _store_url(text.replace("$HRIS_HOME", quote(str(info.data["home"]), safe="/ ")))

    @field_validator("files_url")
    @classmethod
    def _files_url(cls, text: str, info: ValidationInfo) -> str:
        url = text.replace("$HRIS_HOME", str(info.data["home"]))
        return url if "://" in url else str(Path(url).expanduser().absolute())

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _secret_keys(cls, text: str) -> tuple[str, ...]:
        return tuple(key.strip() for key in text.split(",") if key.strip())

    @field_validator("api_url", "authorize_url", "finch_api_url")
    @classmethod
    def _web_address(cls, text: str, info: ValidationInfo) -> str:
        return _web_url(cls.name_of(info), text)

    @field_validator("dagster_home")
    @classmethod
    def _dagster_home(cls, path: Path, info: ValidationInfo) -> Path:
        return _dagster_home(Path(str(path).replace("$HRIS_HOME", str(info.data["home"]))).expanduser().absolute())

    @property
    def keys_in_file(self) -> bool:
        """Whether the keys are in a file of ``home``, because none were given and the store is the embedded one."""
        return not self.secret_keys and self.embedded

    @property
    def embedded(self) -> bool:
        """Whether the store is the embedded SQLite one."""
        return self.store_url.startswith("sqlite")

    def __repr__(self) -> str:
        return f"Environment(home={str(self.home)!r}, embedded={self.embedded!r}, api_url={self.api_url!r})"

    __str__ = __repr__


VARIABLES: tuple[Variable, ...] = (*Environment.variables(), *AccessEnvironment.variables())
