"""The rules of the door, pure: which Host, Origin and address are answered, and what a browser must say to change
something. Nothing here knows sessions or pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal
from urllib.parse import urlsplit

from hris_pipeline.environment import AccessEnvironment
from hris_pipeline.errors import EnvironmentInvalid, UsageError

__all__ = ["Access", "Asked", "Refusal", "access_of", "is_loopback", "refusal", "trusted_address"]

Mode = Literal["link", "oidc", "proxy"]

SAFE_METHODS = frozenset({"GET", "HEAD"})
METHODS = SAFE_METHODS | {"POST"}


@dataclass(frozen=True)
class Access:
    """What the door lets in: the console's own origins (``http://127.0.0.1:3000``), and how people log in."""

    origins: tuple[str, ...]
    mode: Mode
    environment: AccessEnvironment

    @property
    def origin(self) -> str:
        """Where people open it."""
        return self.origins[0]

    @property
    def secure(self) -> bool:
        """Whether it is reached through TLS."""
        return self.origin.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """The values of Host that are answered."""
        return frozenset(urlsplit(origin).netloc for origin in self.origins)


@dataclass(frozen=True)
class Asked:
    """What matters of a request: ``headers`` by lower-case name, each with all its values; ``kind`` is a scheme."""

    kind: Literal["http", "websocket"]
    method: str
    path: str
    headers: Mapping[str, Sequence[str]]

    def header(self, name: str) -> str:
        """The one value of a header, empty when there is none or several."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str


def access_of(environment: AccessEnvironment, host: str, port: int) -> Access:
    """The door of a server that listens at ``host`` and ``port``.

    Raises:
        UsageError: it would listen beyond this machine without knowing who asks.
        EnvironmentInvalid: a log-in of production without saying where people open the console.
    """
    mode: Mode = "oidc" if environment.oidc_issuer else "proxy" if environment.proxy_user_header else "link"
    if mode == "link" and not is_loopback(host):
        raise UsageError(
            f"Listening on {host} would let in whoever reaches it: set HRIS_OIDC_ISSUER or HRIS_PROXY_USER_HEADER "
            "(docs/security.md), or listen on 127.0.0.1."
        )
    if mode != "link" and not environment.console_url:
        raise EnvironmentInvalid("HRIS_CONSOLE_URL is not set: where do people open the console? As https://….")
    if environment.console_url:
        parts = urlsplit(environment.console_url)
        if parts.path:
            raise EnvironmentInvalid("HRIS_CONSOLE_URL has a path: the console needs a host name of its own.")
        return Access((f"{parts.scheme}://{parts.netloc}",), mode, environment)
    names = dict.fromkeys([f"[{host}]" if ":" in host else host, "127.0.0.1", "localhost", "[::1]"])
    return Access(tuple(f"http://{name}:{port}" for name in names), mode, environment)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(access: Access, asked: Asked) -> Refusal | None:
    """Why a request must not be looked at any further, whoever sends it; None when it may be.

    The Host must be the console's own, or a name that somebody else controls could be pointed here. What changes
    something must come from the console's own pages, as the browser itself says; so must a websocket. From elsewhere
    only a link may be followed.
    """
    if asked.header("host") not in access.hosts:
        return Refusal(421, "This address is not one of the console's.")
    if asked.kind == "websocket":
        return None if asked.header("origin") in access.origins else Refusal(403, "Not from a page of the console.")
    if asked.method not in METHODS:
        return Refusal(405, "Only GET and POST are answered.")
    if asked.method in SAFE_METHODS:
        return None if _followed(asked) else Refusal(403, "From another site only a link may be followed.")
    return None if _same_origin(access, asked) else Refusal(403, "Only a page of the console may send this.")


def _followed(asked: Asked) -> bool:
    """Whether the console itself asks, a person typed the address, or followed a link."""
    navigated = asked.header("sec-fetch-mode") == "navigate" and asked.header("sec-fetch-dest") == "document"
    return navigated or asked.header("sec-fetch-site") in ("", "same-origin", "none")


def _same_origin(access: Access, asked: Asked) -> bool:
    """Whether browser or program says that the console itself sends; saying nothing is not enough."""
    origin_given, site_given = "origin" in asked.headers, "sec-fetch-site" in asked.headers
    own_origin = asked.header("origin") in access.origins
    own_site = asked.header("sec-fetch-site") == "same-origin"
    return (own_origin or not origin_given) and (own_site or not site_given) and (origin_given or site_given)


def trusted_address(networks: Sequence[IPv4Network | IPv6Network], peer: str) -> bool:
    """Whether that peer is one of the proxies that are believed."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
