"""Every environment variable the project reads, typed, with its default and meaning."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hris_pipeline.errors import EnvironmentInvalid

__all__ = ["VARIABLES", "Environment"]


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
    Variable("JUSTWORKS_REQUESTS_PER_SECOND", "10", "Ceiling on calls to the Partner API; no limit is published."),
    Variable("FINCH_API_URL", "https://api.tryfinch.com", "The HRIS aggregator, for integrations with source finch."),
    Variable("DAGSTER_HOME", "$HRIS_HOME/dagster", "Dagster's own instance."),
)


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
    finch_api_url: str
    dagster_home: Path

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

        home = Path(value("HRIS_HOME")).expanduser().absolute()

        def placed(name: str) -> str:
            return value(name).replace("$HRIS_HOME", str(home))

        files_url = placed("HRIS_FILES_URL")
        if "://" not in files_url:
            files_url = str(Path(files_url).expanduser().absolute())
        return cls(
            home=home,
            store_url=_store_url(placed("HRIS_STORE_URL")),
            files_url=files_url,
            secret_keys=tuple(key.strip() for key in value("HRIS_SECRET_KEY").split(",") if key.strip()),
            api_url=_web_url("JUSTWORKS_API_URL", value("JUSTWORKS_API_URL")),
            authorize_url=_web_url("JUSTWORKS_AUTHORIZE_URL", value("JUSTWORKS_AUTHORIZE_URL")),
            client_id=value("JUSTWORKS_CLIENT_ID"),
            client_secret=value("JUSTWORKS_CLIENT_SECRET"),
            requests_per_second=_positive("JUSTWORKS_REQUESTS_PER_SECOND", value("JUSTWORKS_REQUESTS_PER_SECOND")),
            finch_api_url=_web_url("FINCH_API_URL", value("FINCH_API_URL")),
            dagster_home=Path(placed("DAGSTER_HOME")).expanduser().absolute(),
        )

    @property
    def embedded(self) -> bool:
        """Whether the store is the embedded SQLite one."""
        return self.store_url.startswith("sqlite")

    def __repr__(self) -> str:
        shown: dict[str, Any] = {"home": str(self.home), "embedded": self.embedded, "api_url": self.api_url}
        return f"Environment({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


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
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise EnvironmentInvalid(f"{name} is no web address: give one that starts with https://.")
    return text.rstrip("/")


def _positive(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise EnvironmentInvalid(f"{name} must be a number above 0, such as 10.")
    return number
