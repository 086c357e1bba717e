"""A member's JSON is decoded twice: when it arrives, and from the archive. Counted, never timed."""

import json
from typing import Any

import pytest

from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources import decoding
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.extract import extract
from hris_pipeline.sources.extract_reader import read_columns
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Source
from hris_pipeline_tests.sources.conftest import now


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    bodies: list[bytes] = []
    fast = decoding._decode

    def counting(body: bytes) -> Any:
        bodies.append(body)
        return fast(body)

    monkeypatch.setattr(decoding, "_decode", counting)
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("decoded once more"))
    return bodies


def times(decoded: list[bytes], hris_id: str) -> int:
    return sum(hris_id.encode() in body for body in decoded)


def taken(source: Source, archive: Archive) -> Any:
    return extract(source, archive, integration_id="acme", expected=(), custom_fields=False, now=now)


def test_of_the_partner_api(sandbox: Sandbox, justworks: PartnerApi, archive: Archive, decoded: list[bytes]) -> None:
    alone = next(
        p for p in sandbox.company.persons()[150:] if not any(p.id == q.manager for q in sandbox.company.persons())
    )
    manifest = taken(justworks, archive)
    assert times(decoded, f'"id":"{alone.id}"') == 1
    read_columns(manifest, archive)
    assert times(decoded, f'"id":"{alone.id}"') == 2


def test_of_the_aggregator(sandbox: Sandbox, finch: Finch, archive: Archive, decoded: list[bytes]) -> None:
    manifest = taken(finch, archive)
    arrived = len(decoded)
    read_columns(manifest, archive)
    assert len(decoded) - arrived == manifest.records
