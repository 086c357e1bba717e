"""Connecting an integration, disconnecting and deleting it."""

from collections.abc import Callable
from typing import Annotated

import typer

from hris_pipeline.cli.common import Name, opened
from hris_pipeline.cli.consent import CALLBACK, ask_consent, code_in
from hris_pipeline.cli.printing import Answer, text
from hris_pipeline.defs.io_manager import frames_root, remove_frames
from hris_pipeline.defs.partitions import remove_partition
from hris_pipeline.environment import Environment
from hris_pipeline.operations import connection as connection_operations
from hris_pipeline.operations.deletion import delete_integration
from hris_pipeline.running import open_instance
from hris_pipeline.store.integrations import get_integration

__all__ = [
    "Code",
    "RedirectUri",
    "connect",
    "delete",
    "disconnect",
    "frames_remover",
]


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
        company = connection_operations.connect(services, name, found, redirect_uri=redirect_uri)
    told = {"integration": name, "connection": "connected", "company": company.display_name}
    return Answer(told, [text(f"{name} is connected to {company.display_name}.", "bold green")])


def disconnect(name: Name) -> Answer:
    """Revokes the token at the source and forgets it. `hris connect` connects again."""
    with opened() as services:
        revoked = connection_operations.disconnect(services, name)
    told = {"integration": name, "connection": "disconnected", "revoked": revoked}
    line = f"{name} is disconnected."
    if not revoked:
        line += " The source did not confirm that it revoked the token: remove the access there, too."
    return Answer(told, [text(line)])


def delete(name: Name, confirm: Annotated[str, typer.Option(help="The name again.")] = "") -> Answer:
    """Revokes the connection at the source and removes settings, credentials, stored extracts, frames and open plans.
    Users and their import history stay, unlinked and local.
    """
    with opened() as services:
        environment = services.environment
        kept = delete_integration(services, name, confirm, remove_frames=frames_remover(environment))
        if (environment.dagster_home / "dagster.yaml").exists():
            with open_instance(environment) as instance:
                remove_partition(instance, name)
    line = f"{name} is deleted. Its {kept} users stay, as local ones."
    return Answer({"integration": name, "deleted": True, "users_kept": kept}, [text(line)])


def frames_remover(environment: Environment) -> Callable[[str], None]:
    """Removes the frames of the integration it is told."""
    return lambda integration_id: remove_frames(frames_root(environment.files_url), integration_id)
