"""A member's JSON is decoded once in the run that reads it, and once more from the archive. Counted, never timed."""

import json
from typing import Any

import msgspec
import pytest

from hris_pipeline.errors import UnknownName
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources import decoding
from hris_pipeline.sources.archive import Archive, FreshExtract
from hris_pipeline.sources.extract import extract, read_columns
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Manifest, Source
from hris_pipeline.sources.raw_columns import ColumnBuilder
from hris_pipeline_tests.kit.source_connections import now


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


def taken(source: Source, archive: Archive, fresh: FreshExtract) -> Manifest:
    columns = ColumnBuilder()
    manifest = extract(
        source, archive, integration_id="acme", expected=(), custom_fields=False, now=now, columns=columns
    )
    fresh.keep(manifest, columns)
    return manifest


def test_of_the_partner_api(sandbox: Sandbox, justworks: PartnerApi, archive: Archive, decoded: list[bytes]) -> None:
    alone = next(
        p for p in sandbox.company.persons()[150:] if not any(p.id == q.manager for q in sandbox.company.persons())
    )
    fresh = FreshExtract()
    manifest = taken(justworks, archive, fresh)
    assert times(decoded, f'"id":"{alone.id}"') == 1
    assert fresh.take(manifest, archive) is not None
    assert times(decoded, f'"id":"{alone.id}"') == 1
    assert fresh.take(manifest, archive) is None
    read_columns(manifest, archive)
    assert times(decoded, f'"id":"{alone.id}"') == 2


def test_of_the_aggregator(sandbox: Sandbox, finch: Finch, archive: Archive, decoded: list[bytes]) -> None:
    fresh = FreshExtract()
    manifest = taken(finch, archive, fresh)
    arrived = len(decoded)
    gathered = fresh.take(manifest, archive)
    assert len(decoded) == arrived
    assert gathered == read_columns(manifest, archive)
    assert len(decoded) - arrived == manifest.records


@pytest.mark.parametrize("name", ["justworks", "finch"])
def test_what_is_gathered_while_reading_is_what_the_archive_gives(
    name: str, archive: Archive, request: pytest.FixtureRequest
) -> None:
    fresh = FreshExtract()
    manifest = taken(request.getfixturevalue(name), archive, fresh)
    assert fresh.take(manifest, archive) == read_columns(manifest, archive)


def test_what_was_gathered_is_not_taken_for_another_extract_nor_when_the_archive_is_damaged(
    justworks: PartnerApi, archive: Archive
) -> None:
    fresh = FreshExtract()
    manifest = taken(justworks, archive, fresh)
    assert fresh.take(msgspec.structs.replace(manifest, extract_id="another"), archive) is None
    archive.delete(manifest.integration_id)
    with pytest.raises(UnknownName):
        fresh.take(manifest, archive)
