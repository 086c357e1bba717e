"""The Partner API over real HTTP, faults included."""

import json
import threading

import pytest

from hris_pipeline.errors import SourceRefused, SourceUnavailable
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources.http import UNLIMITED, FixedBearer
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Page
from hris_pipeline_tests.sources.conftest import QUICK, MemoryKeeper, Scripted, connect, oauth_of, partner_api


def ids(pages: list[Page]) -> list[str]:
    return [record.hris_id for page in pages for record in page.records]


def test_all_members_come_in_pages_of_a_hundred(sandbox: Sandbox, justworks: PartnerApi) -> None:
    pages = list(justworks.pages(custom_fields=False))
    assert [len(page.records) for page in pages] == [100, 100, 50]
    assert ids(pages) == sandbox.company.member_ids
    assert sandbox.requests["GET /v1/members"] == 3
    assert sandbox.requests["GET /v1/members/{id}/custom-field-values"] == 0


def test_a_record_is_the_member_as_sent_without_pay_tax_and_sex(sandbox: Sandbox, justworks: PartnerApi) -> None:
    truth = {member["id"]: member for member in sandbox.ground_truth()}
    for page in justworks.pages(custom_fields=False):
        for record in page.records:
            sent = truth[record.hris_id]
            denied = {key for key in sent if any(word in key for word in ("pay", "tax", "sex"))}
            assert len(denied) >= 3
            assert json.loads(record.line) == {key: value for key, value in sent.items() if key not in denied}
            assert record.updated_at == sent["updated_at"]
            assert b"\n" not in record.line


def test_custom_values_come_with_each_member_when_asked_for(sandbox: Sandbox, justworks: PartnerApi) -> None:
    company = justworks.company()
    assert {field.label for field in company.custom_fields} >= {"Buddy"}
    pages = list(justworks.pages(custom_fields=True))
    assert sandbox.requests["GET /v1/members/{id}/custom-field-values"] == 250
    read = justworks.columns((record.line for page in pages for record in page.records), company)
    people = [sandbox.company.person(member_id) for member_id in sandbox.company.member_ids]
    for person, shown in zip(people, read["custom_fields"], strict=True):
        filled = {id_: list(values) for id_, values in person.custom.items() if values}
        assert (json.loads(str(shown)) if shown else {}) == {
            id_: values[0] if len(values) == 1 else values for id_, values in filled.items()
        }


def test_a_member_whose_custom_values_fail_is_a_hole(sandbox: Sandbox, justworks: PartnerApi) -> None:
    lost = sandbox.company.member_ids[5]
    sandbox.fault("failing_details", members=(lost,))
    pages = list(justworks.pages(custom_fields=True))
    assert [hole for page in pages for hole in page.holes] == [lost]
    assert lost not in ids(pages)
    assert len(ids(pages)) == 249


def test_when_the_details_of_everybody_fail_the_source_is_down(sandbox: Sandbox, justworks: PartnerApi) -> None:
    sandbox.fault("failing_details")
    with pytest.raises(SourceUnavailable, match="8 members in a row"):
        list(justworks.pages(custom_fields=True))
    assert sandbox.requests["GET /v1/members/{id}/custom-field-values"] < 60


@pytest.mark.parametrize(
    ("kind", "options"),
    [("rate_limited", {"retry_after": 0}), ("server_error", {"status": 503}), ("not_json", {})],
)
def test_transient_faults_are_outlived(
    sandbox: Sandbox, justworks: PartnerApi, kind: str, options: dict[str, float]
) -> None:
    sandbox.fault(kind, path="/v1/members", after=1, times=2, **options)
    assert len(ids(list(justworks.pages(custom_fields=False)))) == 250


def test_a_page_that_fails_for_good_comes_as_an_error_after_the_others(sandbox: Sandbox, justworks: PartnerApi) -> None:
    sandbox.fault("server_error", path="/v1/members", after=2)
    pages = justworks.pages(custom_fields=False)
    assert len(ids([next(pages), next(pages)])) == 200
    with pytest.raises(SourceUnavailable):
        next(pages)


def test_the_next_page_is_fetched_while_the_caller_works_and_none_after_it_stops(
    sandbox: Sandbox, justworks: PartnerApi
) -> None:
    pages = justworks.pages(custom_fields=False)
    next(pages)
    for _ in range(200):
        if sandbox.requests["GET /v1/members"] == 2:
            break
        threading.Event().wait(0.01)
    assert sandbox.requests["GET /v1/members"] == 2
    pages.close()  # type: ignore[attr-defined]
    assert sandbox.requests["GET /v1/members"] == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("ahead", "details"))]


def test_a_list_of_only_active_members_is_completed_by_the_terminated(scripted: Scripted) -> None:
    scripted.answer(
        (200, b'{"items":[{"id":"a","active":true}]}'),
        (200, b'{"items":[{"id":"t","active":false}],"next_cursor":""}'),
    )
    source = PartnerApi(scripted.url, FixedBearer("t", ""), integration_id="acme", pace=UNLIMITED, retries=QUICK)
    assert ids(list(source.pages(custom_fields=False))) == ["a", "t"]
    assert [seen[0] for seen in scripted.seen] == [
        "GET /v1/members?limit=100",
        "GET /v1/members?limit=100&status=terminated",
    ]
    source.close()


def test_an_unheeded_or_refused_status_adds_nobody(scripted: Scripted) -> None:
    everybody = (200, b'{"items":[{"id":"a","active":true}]}')
    source = PartnerApi(scripted.url, FixedBearer("t", ""), integration_id="acme", pace=UNLIMITED, retries=QUICK)
    for second in (everybody, (400, b"{}")):
        scripted.answer(everybody, second)
        assert ids(list(source.pages(custom_fields=False))) == ["a"]
    source.close()


def test_an_item_that_is_no_member_is_kept_for_quarantine(scripted: Scripted) -> None:
    scripted.answer((200, b'{"items":[7,{"id":5,"active":false},\n{"id":"a",\n"active":true}]}'))
    source = PartnerApi(scripted.url, FixedBearer("t", ""), integration_id="acme", pace=UNLIMITED, retries=QUICK)
    (page,) = source.pages(custom_fields=False)
    assert [(r.hris_id, r.line) for r in page.records] == [
        ("", b"{}"),
        ("5", b'{"id":5,"active":false}'),
        ("a", b'{"id":"a","active":true}'),
    ]
    source.close()


def test_people_are_asked_for_singly_and_only_as_far_as_wanted(sandbox: Sandbox, justworks: PartnerApi) -> None:
    members = {member["id"]: member["active"] for member in sandbox.ground_truth()}
    active = next(id_ for id_, is_active in members.items() if is_active)
    inactive = next(id_ for id_, is_active in members.items() if not is_active)
    asked = [inactive, "../who", active, "never asked"]
    answers = justworks.ask(asked)
    assert [next(answers).status for _ in range(3)] == ["inactive", "not_found", "active"]
    assert sandbox.requests["GET /v1/members/{id}"] <= 3


def test_an_answer_that_fails_is_an_error_of_that_person(sandbox: Sandbox, justworks: PartnerApi) -> None:
    first, second = sandbox.company.member_ids[:2]
    sandbox.fault("failing_details", members=(first,))
    assert [answer.status == "error" for answer in justworks.ask([first, second])] == [True, False]


@pytest.mark.parametrize("scope", ["company.detail:read", "member.detail:read"])
def test_a_missing_permission_is_named(sandbox: Sandbox, scope: str) -> None:
    scopes = [s for s in ("company.detail:read", "member.detail:read") if s != scope]
    redirect = "http://127.0.0.1:8765/callback"
    tokens = oauth_of(sandbox).exchange(sandbox.authorize(scopes=scopes, redirect_uri=redirect), redirect)
    source = partner_api(sandbox, MemoryKeeper(tokens))
    read = source.company if scope.startswith("company") else lambda: list(source.pages(custom_fields=False))
    with pytest.raises(SourceRefused, match=f"lacks the permission {scope}.*hris connect acme"):
        read()
    source.close()


def test_birth_dates_without_consent_are_just_absent(sandbox: Sandbox) -> None:
    source = partner_api(sandbox, connect(sandbox, consent_dob=False))
    lines = [record.line for page in source.pages(custom_fields=False) for record in page.records]
    assert set(source.columns(lines, source.company())["birth_date"]) == {None}
    source.close()
