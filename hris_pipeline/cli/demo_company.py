"""The made-up company of `hris demo` and `hris ui`, served by a sandbox in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hris_pipeline.cli.common import actor
from hris_pipeline.cli.consent import CALLBACK
from hris_pipeline.operations.connecting import connect, consent_url
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.setting_up import set_up
from hris_pipeline.sandbox.run import Sandbox, running
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.registry import Integration, list_integrations

__all__ = ["DISPLAY_NAME", "EMPLOYEES", "add_company", "connect_company", "integrations_of", "sandbox_running"]

EMPLOYEES = 500
DISPLAY_NAME = "Acme (made up)"


@contextmanager
def sandbox_running() -> Iterator[Sandbox]:
    """A sandbox with the company; the environment of this process, and of those it starts, points at it."""
    with running(EMPLOYEES) as sandbox:
        os.environ.update(sandbox.environment())
        yield sandbox


def integrations_of(services: Services) -> tuple[Integration, ...]:
    """Every integration of the store."""
    with services.store.read() as connection:
        return list_integrations(connection)


def add_company(services: Services) -> str:
    """Sets up a new integration for it, `acme` or the next free name: nothing that is there is touched."""
    taken = {one.integration_id for one in integrations_of(services)}
    names = ("acme", *(f"acme-{number}" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    set_up(services, name, settings=Settings(display_name=DISPLAY_NAME), actor=actor(), accept=True)
    return name


def connect_company(services: Services, sandbox: Sandbox, name: str) -> str:
    """Connects as a person does, through the log-in form; gives the company's name."""
    address = consent_url(services, name, redirect_uri=CALLBACK, state="demo")
    _, code = sandbox.consent(address)
    return connect(services, name, code, redirect_uri=CALLBACK).display_name
