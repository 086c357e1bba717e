"""The smallest client of the Partner API that the sandbox's own tests need; it shares no code with the pipeline's."""

from collections.abc import Iterable
from typing import Any, Self

import httpx

from hris_pipeline.sandbox import CLIENT_ID, CLIENT_SECRET, USERNAME, Sandbox
from hris_pipeline.sandbox.world import SCOPES

__all__ = ["CALLBACK", "Client"]

CALLBACK = "http://127.0.0.1:8765/callback"


class Client:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.url, timeout=60)
        self.tokens: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def token(self, **form: str) -> httpx.Response:
        """One call of the token address, with the right client unless told otherwise."""
        return self.http.post("/oauth/token", data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | form)

    def exchange(self, code: str, redirect_uri: str = CALLBACK) -> httpx.Response:
        return self.token(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)

    def refresh(self, token: str = "") -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=token or self.tokens["refresh_token"])

    def connect(
        self, *, consent_dob: bool = True, scopes: Iterable[str] = tuple(SCOPES), username: str = USERNAME
    ) -> None:
        """Logs in as a person would and uses the tokens from now on."""
        code = self.sandbox.authorize(redirect_uri=CALLBACK, scopes=scopes, consent_dob=consent_dob, username=username)
        self.use(self.exchange(code))

    def use(self, answer: httpx.Response) -> None:
        self.tokens = answer.raise_for_status().json()
        self.http.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query)

    def members(self, limit: int = 100, most_pages: int = 50, **query: Any) -> list[dict[str, Any]]:
        """Everyone the list shows, page after page."""
        cursor: dict[str, str] = {}
        members: list[dict[str, Any]] = []
        for _ in range(most_pages):
            page = self.get("/v1/members", limit=limit, **query, **cursor).raise_for_status().json()
            members += page["items"]
            if not page.get("next_cursor"):
                break
            cursor = {"cursor": page["next_cursor"]}
        return members
