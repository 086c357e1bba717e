"""Everything one sandbox server holds: companies, tokens, faults, counters, time."""

from collections import Counter

from starlette.requests import Request

from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.faults import Fault, Faults
from hris_pipeline.sandbox.oauth import Clock, Tokens

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "FINCH_TOKEN",
    "PASSWORD",
    "USERNAME",
    "SandboxState",
    "bearer",
    "finch_token",
    "world",
]

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 (guards nothing but made-up people)
USERNAME = "admin"
PASSWORD = "sandbox"  # noqa: S105 (printed on the log-in page)


def finch_token(username: str) -> str:
    """The aggregator's token for the company of a user: entered at the provider, it never changes."""
    return f"finch-sandbox-{username}"


FINCH_TOKEN = finch_token(USERNAME)


class SandboxState:
    """One server's state. Whoever logs in with a username of ``companies`` gets that company's tokens."""

    def __init__(self, company: Company, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.companies = {USERNAME: company}
        self.tokens = Tokens(self.clock)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.reauthenticate: set[str] = set()

    def owner(self, token: str) -> str | None:
        """The username whose token this is or was, on either wire."""
        return self.finch_owner(token) or self.tokens.owner(token)

    def finch_owner(self, token: str) -> str | None:
        """The username of an aggregator's token."""
        return next((name for name in self.companies if finch_token(name) == token), None)

    def want(self, fault: Fault) -> None:
        """Puts a fault in force; those that strike tokens strike at once."""
        if fault.kind in ("expired_token", "expired_refresh"):
            self.tokens.expire(refresh=fault.kind == "expired_refresh", username=fault.username)
        elif fault.kind == "revoked_token":
            self.tokens.revoke_all(fault.username)
            self.reauthenticate |= {fault.username} if fault.username else set(self.companies)
        else:
            self.faults.want(fault)

    def clear_faults(self) -> None:
        """Nothing goes wrong any more; dead tokens of the Partner API stay dead."""
        self.faults.clear()
        self.reauthenticate.clear()


def bearer(request: Request) -> str:
    """The bearer token of a request, '' without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def world(request: Request) -> SandboxState:
    """The world a request came to."""
    state: SandboxState = request.app.state.world
    return state
