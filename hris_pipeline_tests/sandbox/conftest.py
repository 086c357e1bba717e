"""One running sandbox a file, and a client of the tests' own to look at it with."""

from collections.abc import Iterator

import pytest

from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline_tests.kit.sandbox_client import Client


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(employees=250, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """A connected client; no fault outlives the test."""
    with Client(sandbox) as client:
        client.connect()
        yield client
    sandbox.clear_faults()
