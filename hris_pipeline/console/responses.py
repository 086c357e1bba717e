"""What every answer of the console carries beside its page: nobody else may keep, frame or script it."""

from collections.abc import Iterable, Mapping
from html import escape

from starlette.responses import HTMLResponse, Response

__all__ = ["HEADERS", "plain_page", "security_headers"]

Headers = list[tuple[bytes, bytes]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

YEAR = 31_536_000


def security_headers(given: Iterable[tuple[bytes, bytes]], *, own: bool, kept: bool, secure: bool) -> Headers:
    """The headers of an answer with those that protect it.

    Args:
        given: What the page or Dagster says.
        own: Whether it is a page of the console; Dagster's own say what scripts they need.
        kept: Whether it is a file without anybody's data, which a browser may keep.
        secure: Whether it goes through TLS.
    """
    protecting = dict(HEADERS)
    if own:
        protecting["content-security-policy"] = POLICY
    if kept:
        protecting["cache-control"] = f"public, max-age={YEAR}, immutable"
    elif own:
        protecting["cache-control"] = "no-store"
    if secure:
        protecting["strict-transport-security"] = f"max-age={YEAR}"
    names = {name.encode() for name in protecting}
    others = [(name, value) for name, value in given if name.lower() not in names]
    return [*others, *((name.encode(), value.encode()) for name, value in protecting.items())]


def plain_page(status: int, title: str, words: str) -> Response:
    """A page for whoever is not logged in: it says one thing, and shows nothing of anybody."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title><link rel="stylesheet" href="/static/console.css">'
        f'</head><body class="bare"><main><h1>{escape(title)}</h1><p>{escape(words)}</p></main></body></html>',
        status,
    )
