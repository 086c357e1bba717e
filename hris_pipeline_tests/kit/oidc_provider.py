"""An OpenID Connect provider that can be made to say what no honest one says: signed by a key of its own, over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

__all__ = ["Provider", "provider"]

CLIENT_ID = "hris"


@dataclass
class Provider:
    """What it says: ``claims`` replace those of the next ID token (None leaves one out), ``signed_by`` its key,
    ``metadata`` what it tells of itself."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    signed_by: Any = None
    algorithm: str = "RS256"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False))
    nonces: dict[str, str] = field(default_factory=dict)
    """By code."""
    challenges: dict[str, str] = field(default_factory=dict)

    def grant(self, address: str, code: str) -> str:
        """Somebody logs in at the address that the console sent them to; gives where they are sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.nonces[code], self.challenges[code] = asked["nonce"], asked["code_challenge"]
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def token(self, code: str) -> dict[str, Any]:
        """The answer to a code, which is good once."""
        if code not in self.nonces:
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": "dana",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonces.pop(code),
            "groups": ["hr"],
            "email": "dana@acme.example",
            "email_verified": True,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        key = self.signed_by or self.key
        return {
            "token_type": "Bearer",
            "access_token": "x",
            "id_token": jwt.encode(header, claims, key, [self.algorithm]),
        }

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        """What is answered at a path."""
        if path == "/.well-known/openid-configuration":
            document = {"issuer": self.url, "authorization_endpoint": f"{self.url}/authorize"}
            return {**document, "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks", **self.metadata}
        if path == "/jwks":
            return dict(KeySet([self.key]).as_dict(private=False))
        return self.token(form.get("code", "")) if path == "/token" else None


@contextmanager
def provider() -> Iterator[Provider]:
    """One, served on this machine until the block ends."""
    served = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(served.answer(urlsplit(self.path).path, {}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._say(served.answer(self.path, {name: values[0] for name, values in parse_qs(body).items()}))

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _say(self, document: dict[str, Any] | None) -> None:
            content = json.dumps(document or {}).encode()
            self.send_response(400 if document is None or "error" in document else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
