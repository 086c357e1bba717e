"""Ids stored as another text than the source's: whoever is not in the list is asked for by the source's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hris_pipeline.sandbox import Sandbox, running, wire
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.extract import extract
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Manifest, Source
from hris_pipeline.sources.raw_columns import clean_id
from hris_pipeline_tests.kit.source_connections import now

ODD = ["e\u03017", "x\u200b13", "x16\t", " x20"]
NO_NAMES = [".", ".."]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Few people: each test reads them all, several times."""
    with running(30, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def odd_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def member(sandbox: Sandbox, odd_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody last in the list who works, with that id on either wire."""
    monkeypatch.setattr(wire, "finch_id", lambda member_id: member_id)
    person = sandbox.company.people.plain(None, start_date="2020-01-01")
    person.id = odd_id
    return sandbox.company.add(person)


@pytest.fixture
def source(request: pytest.FixtureRequest, member: str) -> Source:
    source: Source = request.getfixturevalue(request.param)
    return source


def read(source: Source, archive: Archive, *expected: str, custom_fields: bool = False) -> Manifest:
    def earlier() -> dict[str, tuple[str, ...]]:
        latest = archive.latest("acme")
        return latest.wire_ids if latest else {}

    return extract(
        source,
        archive,
        integration_id="acme",
        expected=expected,
        custom_fields=custom_fields,
        now=now,
        earlier_wire_ids=earlier,
    )


def shorten(sandbox: Sandbox) -> None:
    sandbox.fault("short_list", share=0.001)


@pytest.mark.parametrize("odd_id", ODD, indirect=True)
@pytest.mark.parametrize("source", ["justworks", "finch"], indirect=True)
class TestOddIds:
    def test_who_works_proves_the_list_short(
        self, sandbox: Sandbox, source: Source, member: str, archive: Archive
    ) -> None:
        hris_id = clean_id(member)
        assert read(source, archive).wire_ids == {hris_id: (member,)}
        shorten(sandbox)
        manifest = read(source, archive, hris_id)
        assert (manifest.complete, manifest.missing) == (False, ())
        assert manifest.reasons == (f"the list was short: {hris_id} is missing from it and answered active",)

    def test_who_is_gone_is_confirmed_and_the_spelling_is_known_as_long_as_somebody_is_expected(
        self, sandbox: Sandbox, source: Source, member: str, archive: Archive
    ) -> None:
        hris_id = clean_id(member)
        read(source, archive)
        sandbox.company.remove(member)
        for _ in range(2):
            manifest = read(source, archive, hris_id)
            assert (manifest.complete, manifest.missing) == (True, (hris_id,))
            assert manifest.wire_ids == {hris_id: (member,)}
        assert read(source, archive).wire_ids == {}

    def test_their_details_are_read(self, source: Source, member: str, archive: Archive) -> None:
        manifest = read(source, archive, clean_id(member), custom_fields=True)
        assert (manifest.complete, manifest.holes) == (True, ())


@pytest.mark.parametrize("odd_id", NO_NAMES, indirect=True)
@pytest.mark.parametrize("source", ["justworks"], indirect=True)
def test_an_id_that_no_address_can_hold_confirms_nothing(
    sandbox: Sandbox, source: PartnerApi, member: str, archive: Archive
) -> None:
    shorten(sandbox)
    manifest = read(source, archive, member)
    assert (manifest.missing, manifest.holes) == ((), (member,))


@pytest.mark.parametrize("odd_id", ["x-1 "], indirect=True)
def test_of_two_spellings_of_one_id_both_are_asked_for(
    sandbox: Sandbox, justworks: PartnerApi, finch: Finch, member: str, tmp_path: Path
) -> None:
    twin = sandbox.company.people.plain(None, start_date="2020-01-01")
    twin.id = "x-1"
    sandbox.company.add(twin)
    for source in (justworks, finch):
        archive = Archive(str(tmp_path / source.name))
        read(source, archive)
        sandbox.fault("short_list", share=0.06)
        manifest = read(source, archive, "x-1")
        assert not manifest.complete
        sandbox.clear_faults()
    sandbox.company.remove(member)
    sandbox.company.edit("x-1", active=False)
    for source in (justworks, finch):
        archive = Archive(str(tmp_path / source.name))
        shorten(sandbox)
        manifest = read(source, archive, "x-1")
        assert (manifest.complete, manifest.missing) == (True, ("x-1",))
        sandbox.clear_faults()
