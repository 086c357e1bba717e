"""Connecting an integration, disconnecting and deleting it."""

from typing import Annotated

import typer

from hris_pipeline.cli.common import IntegrationArgument, deciding, open_services
from hris_pipeline.cli.consent import CALLBACK, ask_consent, given_code
from hris_pipeline.cli.printing import CommandResult, cell
from hris_pipeline.operations import connection as connection_operations
from hris_pipeline.operations.deletion import delete_integration
from hris_pipeline.store.integrations import get_integration

__all__ = [
    "Code",
    "RedirectUri",
    "connect",
    "delete",
    "disconnect",
]


Code = Annotated[
    str | None,
    typer.Option(
        help="The code that the consent gave, or the whole address the browser was sent back to; - reads it from "
        "standard input."
    ),
]
RedirectUri = Annotated[str, typer.Option(help="Where the browser is sent back to, as registered with Justworks.")]


def connect(name: IntegrationArgument, code: Code = None, redirect_uri: RedirectUri = CALLBACK) -> CommandResult:
    """Prints an address (and opens it, where there is a browser) at which an administrator of the company logs in and
    agrees, and waits until the browser comes back. For an HRIS aggregator, `--code` is its access token.
    """
    with open_services() as services:
        with services.store.read() as connection:
            get_integration(connection, name)
        authorization_code = (
            ask_consent(services, name, redirect_uri) if code is None else given_code(services, name, code)
        )
        with deciding(services, name, "connect"):
            company = connection_operations.connect(services, name, authorization_code, redirect_uri=redirect_uri)
    payload = {"integration": name, "connection": "connected", "company": company.display_name}
    return CommandResult(payload, [cell(f"{name} is connected to {company.display_name}.", "bold green")])


def disconnect(name: IntegrationArgument) -> CommandResult:
    """Revokes the token at the source and forgets it. `hris connect` connects again."""
    with open_services() as services, deciding(services, name, "disconnect"):
        revoked = connection_operations.disconnect(services, name)
    payload = {"integration": name, "connection": "disconnected", "revoked": revoked}
    line = f"{name} is disconnected."
    if not revoked:
        line += " The source did not confirm that it revoked the token: remove the access there, too."
    return CommandResult(payload, [cell(line)])


def delete(
    name: IntegrationArgument, confirm: Annotated[str, typer.Option(help="The name again.")] = ""
) -> CommandResult:
    """Revokes the connection at the source and removes settings, credentials, stored extracts, frames and open plans.
    Users and their import history stay, unlinked and local.
    """
    from hris_pipeline.cli.dagster_side import forget_partition, frames_remover  # noqa: PLC0415 - others need no Dagster

    with open_services() as services:
        with deciding(services, name, "delete"):
            kept = delete_integration(services, name, confirm, remove_frames=frames_remover(services.environment))
        forget_partition(services.environment, name)
    line = f"{name} is deleted. Its {kept} users stay, as local ones."
    return CommandResult({"integration": name, "deleted": True, "users_kept": kept}, [cell(line)])
