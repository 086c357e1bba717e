"""The verdict: when an extract is complete, and who is gone, a hole, or proof that the list was short."""

import json
import random
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from hris_pipeline.errors import ConnectionInvalid, SourceError, SourceNotReady, SourceRefused, SourceUnavailable
from hris_pipeline.sandbox import Fault, Sandbox
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.extract import extract
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.pacing import Ceilings
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import (
    Company,
    CustomField,
    LookupResult,
    Manifest,
    Page,
    Record,
    ShapeReport,
    Source,
)
from hris_pipeline_tests.kit.source_connections import now
from hris_pipeline_tests.kit.wire_company import finch_columns, justworks_columns


def taken(source: Source, archive: Archive, expected: Iterable[str] = (), **options: object) -> Manifest:
    return extract(
        source,
        archive,
        integration_id="acme",
        expected=tuple(expected),
        custom_fields=bool(options.get("custom_fields")),
        now=now,
        shuffle=random.Random(1),
        ceilings=options.get("ceilings"),  # type: ignore[arg-type]
    )


def active_ids(sandbox: Sandbox) -> list[str]:
    return [member["id"] for member in sandbox.ground_truth() if member["active"]]


def test_a_whole_list_is_complete_and_nobody_is_asked(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    manifest = taken(justworks, archive, active_ids(sandbox))
    assert (manifest.complete, manifest.reasons, manifest.holes, manifest.missing) == (True, (), (), ())
    assert (manifest.records, manifest.source, manifest.company.display_name) == (250, "justworks", "Acme")
    assert sandbox.requests["GET /v1/members/{id}"] == 0
    assert archive.latest("acme") == manifest
    assert justworks_columns(archive.lines(manifest), manifest.company)["hris_id"] == sandbox.company.member_ids


def test_people_who_vanished_are_confirmed_missing(sandbox: Sandbox, justworks: PartnerApi, archive: Archive) -> None:
    gone = active_ids(sandbox)[:8]
    expected = active_ids(sandbox)
    for member_id in gone:
        sandbox.company.remove(member_id)
    manifest = taken(justworks, archive, expected)
    assert manifest.complete
    assert manifest.missing == tuple(sorted(gone))


def test_the_first_who_answers_active_proves_the_list_short(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("short_list", share=0.4)
    manifest = taken(justworks, archive, active_ids(sandbox))
    assert not manifest.complete
    assert "the list was short" in manifest.reasons[0]
    assert sandbox.requests["GET /v1/members/{id}"] == 2


def test_an_empty_list_is_short_when_somebody_was_expected(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("empty_list")
    manifest = taken(justworks, archive, active_ids(sandbox))
    assert not manifest.complete
    assert manifest.records == 0
    assert taken(justworks, archive).complete


def test_an_error_makes_a_hole_of_that_person(sandbox: Sandbox, justworks: PartnerApi, archive: Archive) -> None:
    gone = active_ids(sandbox)[0]
    sandbox.company.remove(gone)
    sandbox.fault("server_error", path=f"/v1/members/{gone}")
    manifest = taken(justworks, archive, [gone])
    assert (manifest.complete, manifest.holes, manifest.missing) == (True, (gone,), ())


def test_a_page_that_fails_for_good_makes_it_incomplete_and_nobody_is_asked(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("server_error", path="/v1/members$", after=2)
    manifest = taken(justworks, archive, active_ids(sandbox))
    assert not manifest.complete
    assert manifest.records == 200
    assert "reading stopped after 2 pages" in manifest.reasons[0]
    assert sandbox.requests["GET /v1/members/{id}"] == 0


def test_a_repeated_page_counts_once_and_an_endless_one_is_incomplete(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("repeated_page", after=1, times=2)
    manifest = taken(justworks, archive)
    assert (manifest.complete, manifest.records) == (True, 250)
    sandbox.clear_faults()
    sandbox.fault("repeated_page")
    manifest = taken(justworks, archive)
    assert not manifest.complete
    assert "goes round in circles" in manifest.reasons[0]


def test_a_cursor_seen_before_ends_the_reading_at_once(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("cursor_loop", path="/v1/members", after=1)
    manifest = taken(justworks, archive, active_ids(sandbox))
    assert not manifest.complete
    assert "gave a cursor that it had given before" in manifest.reasons[0]
    assert sandbox.requests["GET /v1/members"] <= 4


def test_definitions_of_custom_fields_that_go_round_in_circles_are_an_error(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("cursor_loop", path="/v1/company/custom-fields")
    with pytest.raises(SourceUnavailable, match="goes round in circles: GET /v1/company/custom-fields"):
        taken(justworks, archive)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 500, 204, 206, 301])
def test_a_member_whose_custom_values_fail_is_a_hole_with_whatever_status(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive, status: int
) -> None:
    lost = active_ids(sandbox)[0]
    sandbox.fault("failing_details", members=(lost,), status=status)
    manifest = taken(justworks, archive, active_ids(sandbox), custom_fields=True)
    assert (manifest.complete, manifest.holes, manifest.missing) == (True, (lost,), ())
    assert (manifest.asked, manifest.records) == (249, 249)


def test_details_that_fail_for_everybody_make_holes_of_all_and_are_soon_not_asked_for(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    sandbox.fault("failing_details")
    manifest = taken(justworks, archive, active_ids(sandbox), custom_fields=True)
    assert (manifest.complete, manifest.records, len(manifest.holes), manifest.asked) == (True, 0, 250, 0)
    assert sandbox.requests["GET /v1/members/{id}"] < 60


def test_a_sample_of_custom_values_is_read_where_nothing_needs_them_all(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    manifest = taken(justworks, archive)
    assert (manifest.with_custom_fields, manifest.asked, len(manifest.sampled)) == (False, 50, 50)
    lines = [json.loads(line) for line in archive.lines(manifest)]
    assert {line["id"] for line in lines if "custom_field_values" in line} == set(manifest.sampled)
    manifest = taken(justworks, archive, custom_fields=True)
    assert (manifest.with_custom_fields, manifest.asked, manifest.sampled) == (True, 250, ())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("server_error:path=/v1/company", SourceUnavailable),
        ("server_error:path=/v1/members", SourceUnavailable),
        ("not_json:path=/v1/members", SourceUnavailable),
        ("not_ready:path=/v1/members", SourceNotReady),
        ("revoked_token", ConnectionInvalid),
    ],
)
def test_a_source_that_gives_nothing_at_all_is_an_error_and_leaves_nothing(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive, fault: str, error: type[SourceError]
) -> None:
    sandbox.world.inject(Fault.parse(fault))
    with pytest.raises(error):
        taken(justworks, archive, active_ids(sandbox))
    assert archive.extracts("acme") == ()


def test_members_whose_details_failed_are_holes_and_not_missing(
    sandbox: Sandbox, justworks: PartnerApi, archive: Archive
) -> None:
    lost = active_ids(sandbox)[0]
    sandbox.fault("failing_details", members=(lost,))
    manifest = taken(justworks, archive, active_ids(sandbox), custom_fields=True)
    assert (manifest.complete, manifest.holes, manifest.missing) == (True, (lost,), ())
    assert manifest.with_custom_fields


def test_the_aggregator_becoming_unready_midway_is_incomplete(sandbox: Sandbox, finch: Finch, archive: Archive) -> None:
    sandbox.fault("not_ready", path="/finch/employer/directory", after=1)
    manifest = taken(finch, archive)
    assert (manifest.complete, manifest.records) == (False, 100)
    sandbox.clear_faults()
    sandbox.fault("not_ready")
    with pytest.raises(SourceNotReady):
        taken(finch, archive)


def test_the_aggregators_custom_fields_are_those_seen(finch: Finch, archive: Archive) -> None:
    manifest = taken(finch, archive)
    assert "Buddy" in {custom.label for custom in manifest.company.custom_fields}
    assert len(finch_columns(archive.lines(manifest))["hris_id"]) == 250


@dataclass
class Told:
    """A source that gives what it was told to; "a", when nothing else is said, is active."""

    name = "justworks"
    listed: Iterable[Page] = ()
    answers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    batches: int = 0

    def company(self) -> Company:
        return Company("c", "Acme", custom_fields=(CustomField("f", "F"),))

    def pages(self, *, custom_fields: bool) -> Iterator[Page]:
        yield from self.listed

    def lookup(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
        self.batches += 1
        for hris_id in hris_ids:
            self.asked.append(hris_id)
            status = self.answers.get(hris_id, "active" if hris_id == "a" else "error")
            yield LookupResult(hris_id, status)  # type: ignore[arg-type]

    def shape_report(self) -> ShapeReport:
        return ShapeReport()

    def close(self) -> None: ...


def page(*hris_ids: str, holes: tuple[str, ...] = ()) -> Page:
    return Page(tuple(Record(hris_id, "", b"{}", hris_id == "a") for hris_id in hris_ids), holes)


def test_somebody_seen_after_all_is_no_hole(archive: Archive) -> None:
    manifest = taken(Told([page("a", holes=("b", "c")), page("b")]), archive, ["a", "b", "c", "d"])
    assert manifest.holes == ("c", "d")
    assert manifest.records == 2


def test_inactive_and_not_found_confirm(archive: Archive) -> None:
    source = Told([page("a")], {"b": "inactive", "c": "not_found"})
    manifest = taken(source, archive, ["a", "b", "c"])
    assert (manifest.complete, manifest.missing) == (True, ("b", "c"))


def test_the_question_is_put_to_the_proof_first_and_again_once_it_has_confirmed(archive: Archive) -> None:
    source = Told([page("a")], {"b": "not_found"})
    assert taken(source, archive, ["b"]).missing == ("b",)
    assert source.asked == ["a", "b", "a"]
    source = Told([page("a")], {"b": "error"})
    taken(source, archive, ["b"])
    assert source.asked == ["a", "b"], "nothing was confirmed, so nothing needs proof"


@pytest.mark.parametrize("status", ["not_found", "inactive", "error"])
def test_a_source_that_denies_somebody_it_has_just_shown_active_confirms_nobody(archive: Archive, status: str) -> None:
    source = Told([page("a")], {"a": status, "b": "not_found"})
    manifest = taken(source, archive, ["b", "c"])
    assert not manifest.complete
    assert "nobody's absence can be confirmed: a is active in the list" in manifest.reasons[0]
    assert (manifest.missing, manifest.holes, source.asked) == ((), (), ["a"])


def test_a_source_that_breaks_while_it_is_asked_confirms_nobody(archive: Archive) -> None:
    class Breaking(Told):
        def lookup(self, hris_ids: Sequence[str]) -> Iterator[LookupResult]:
            for hris_id in hris_ids:
                self.asked.append(hris_id)
                works = len(self.asked) == 1
                yield LookupResult(hris_id, "active" if works else "not_found")

    manifest = taken(Breaking([page("a")]), archive, ["b", "c"])
    assert (manifest.complete, manifest.missing) == (False, ())


def test_without_anybody_active_to_ask_for_first_nobody_is_confirmed(archive: Archive) -> None:
    source = Told([page("x")], {"b": "not_found"})
    manifest = taken(source, archive, ["b"])
    assert (manifest.complete, manifest.missing, source.asked) == (False, (), [])
    assert "shows nobody who is active" in manifest.reasons[0]


def test_the_one_who_answers_active_takes_back_every_confirmation(archive: Archive) -> None:
    expected = [f"p{number:02}" for number in range(20)]
    source = Told([page("a")], dict.fromkeys(expected, "not_found") | {"p07": "active"})
    manifest = taken(source, archive, expected)
    assert not manifest.complete
    assert "the list was short: p07" in manifest.reasons[0]
    assert manifest.missing == ()


def test_after_many_errors_the_rest_are_left_untouched_without_asking(archive: Archive) -> None:
    source = Told([page("a")])
    expected = [f"p{number:02}" for number in range(50)]
    manifest = taken(source, archive, expected)
    assert len(source.asked) == 11
    assert manifest.holes == tuple(expected)
    assert manifest.complete


def test_people_are_asked_for_in_random_order(archive: Archive) -> None:
    expected = [f"p{number:02}" for number in range(50)]
    source = Told([page("a")], dict.fromkeys(expected, "not_found"))
    manifest = taken(source, archive, expected)
    assert source.asked[1:-1] != expected
    assert sorted(source.asked[1:-1]) == list(manifest.missing) == expected


def test_ten_pages_that_bring_nobody_new_are_a_circle_and_nameless_members_are_nobody_new(archive: Archive) -> None:
    def endless(*hris_ids: str) -> Iterator[Page]:
        while True:
            yield page(*hris_ids)

    for hris_ids in (("a", "b"), ("", ""), ()):
        manifest = taken(Told(endless(*hris_ids)), archive, ["b"])
        assert not manifest.complete
        assert "10 pages in a row brought nobody new" in manifest.reasons[0]


def test_a_reading_has_a_ceiling_of_pages_and_of_time(archive: Archive) -> None:
    def endless() -> Iterator[Page]:
        for number in count():
            yield page(f"p{number}")

    manifest = taken(Told(endless()), archive, ceilings=Ceilings(reading_pages=7))
    assert (manifest.complete, manifest.records) == (False, 7)
    assert "more than 7 pages (HRIS_READING_PAGES)" in manifest.reasons[0]
    manifest = taken(Told(endless()), archive, ceilings=Ceilings(reading_seconds=0.0))
    assert (manifest.complete, manifest.records) == (False, 1)
    assert "HRIS_READING_HOURS" in manifest.reasons[0]


@pytest.mark.parametrize("error", [SourceUnavailable, SourceNotReady, SourceRefused])
def test_a_page_that_fails_after_the_first_makes_it_incomplete(archive: Archive, error: type[SourceError]) -> None:
    def failing(good: int) -> Iterator[Page]:
        yield from [page("a")] * good
        raise error("no more")

    manifest = taken(Told(failing(1)), archive, ["b"])
    assert manifest.reasons == ("reading stopped after 1 pages: no more",)
    with pytest.raises(error):
        taken(Told(failing(0)), archive)


def test_progress_hears_how_many_records_have_come(archive: Archive) -> None:
    heard: list[int] = []
    extract(
        Told([page("a", "b"), page("c")]),
        archive,
        integration_id="acme",
        expected=(),
        custom_fields=False,
        now=now,
        progress=heard.append,
    )
    assert heard == [2, 3]


def test_memory_stays_flat_while_pages_stream(archive: Archive) -> None:
    def pages(number: int) -> Iterator[Page]:
        for first in range(0, number, 100):
            yield Page(
                tuple(Record(str(first + i), "", b'{"x":"%d%s"}' % (first + i, b"x" * 2000)) for i in range(100))
            )

    def peak(number: int) -> int:
        tracemalloc.start()
        taken(Told(pages(number)), archive)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(40_000) - peak(4_000) < 8_000_000  # their lines are 72 MB
