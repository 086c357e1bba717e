"""Connecting an integration to its company, and ending the connection."""

from typing import Annotated

import typer

from hris_pipeline.cli.common import Name, opened
from hris_pipeline.cli.consent import CALLBACK, ask_consent, code_in
from hris_pipeline.cli.printing import Answer, text
from hris_pipeline.operations import connecting
from hris_pipeline.store.registry import get_integration

__all__ = ["Code", "RedirectUri", "connect", "disconnect"]

Code = Annotated[
    str | None, typer.Option(help="The code that the consent gave, or the whole address the browser was sent back to.")
]
RedirectUri = Annotated[str, typer.Option(help="Where the browser is sent back to, as registered with Justworks.")]


def connect(name: Name, code: Code = None, redirect_uri: RedirectUri = CALLBACK) -> Answer:
    """Prints an address (and opens it, where there is a browser) at which an administrator of the company logs in and
    agrees, and waits until the browser comes back. For an HRIS aggregator, `--code` is its access token.
    """
    with opened() as services:
        with services.store.read() as connection:
            get_integration(connection, name)
        found = code_in(code) if code is not None else ask_consent(services, name, redirect_uri)
        company = connecting.connect(services, name, found, redirect_uri=redirect_uri)
    told = {"integration": name, "connection": "connected", "company": company.display_name}
    return Answer(told, [text(f"{name} is connected to {company.display_name}.", "bold green")])


def disconnect(name: Name) -> Answer:
    """Revokes the token at the source and forgets it. `hris connect` connects again."""
    with opened() as services:
        revoked = connecting.disconnect(services, name)
    told = {"integration": name, "connection": "disconnected", "revoked": revoked}
    line = f"{name} is disconnected."
    if not revoked:
        line += " The source did not confirm that it revoked the token: remove the access there, too."
    return Answer(told, [text(line)])
