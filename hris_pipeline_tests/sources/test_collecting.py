"""The garbage collector while members pass: it leaves what was there before alone, and is as it was afterwards."""

import gc
from collections.abc import Iterator

import pytest

from hris_pipeline.errors import SourceUnavailable
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.extract import extract, keep_frozen
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline_tests.kit.source_connections import now

Collector = tuple[tuple[int, int, int], int]


def collector() -> Collector:
    return gc.get_threshold(), gc.get_freeze_count()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Collector]]:
    """The collector whenever a page is read."""
    monkeypatch.setattr("hris_pipeline.sources.extract._keeps_frozen", False)
    gc.unfreeze()
    moments: list[Collector] = []
    page = PartnerApi._build_page

    def noting(*arguments: object) -> object:
        moments.append(collector())
        return page(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PartnerApi, "_build_page", noting)
    yield moments
    gc.freeze()  # as before


def read(source: PartnerApi, archive: Archive) -> None:
    extract(source, archive, integration_id="acme", expected=(), custom_fields=False, now=now)


def test_what_was_there_before_is_frozen_while_members_pass(
    justworks: PartnerApi, archive: Archive, seen: list[Collector]
) -> None:
    before = collector()
    read(justworks, archive)
    assert collector() == before
    assert len(seen) == 3
    assert all(frozen > 10_000 and thresholds[0] > before[0][0] for thresholds, frozen in seen)


def test_so_it_is_when_reading_fails(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive, seen: list[Collector]
) -> None:
    before = collector()
    sandbox.fault("server_error", path="/v1/members")
    with pytest.raises(SourceUnavailable):
        read(justworks, archive)
    assert collector() == before
    assert not seen


def test_a_process_that_keeps_its_objects_frozen_goes_on_doing_so(
    justworks: PartnerApi, archive: Archive, seen: list[Collector]
) -> None:
    keep_frozen()
    thresholds, frozen = collector()
    read(justworks, archive)
    assert collector()[0] == thresholds
    assert all(0 < count <= frozen for _, count in [*seen, collector()])  # the frozen die too, and no other comes
