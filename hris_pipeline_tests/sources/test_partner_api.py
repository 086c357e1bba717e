"""The Partner API over real HTTP, faults included."""

import json
import threading
from contextlib import closing
from typing import Any

import pytest

from hris_pipeline.errors import SourceRefused, SourceUnavailable
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources import partner_api as client
from hris_pipeline.sources.http import FixedToken
from hris_pipeline.sources.justworks_wire import SHAPE
from hris_pipeline.sources.pacing import UNLIMITED
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Company, Page
from hris_pipeline_tests.kit.source_connections import QUICK, MemoryKeeper, Scripted, connect, oauth_of, partner_api
from hris_pipeline_tests.kit.wire_company import justworks_columns


def ids(pages: list[Page]) -> list[str]:
    return [record.hris_id for page in pages for record in page.records]


def api(scripted: Scripted) -> PartnerApi:
    return PartnerApi(scripted.url, FixedToken("t"), integration_id="acme", rate_limiter=UNLIMITED, retries=QUICK)


NO_COMPANY = ((200, b"{}"), (200, b'{"items":[]}'))
"""What a reading asks first: the company and the definitions of its custom fields."""


def test_all_members_come_in_pages_of_a_hundred(sandbox: Sandbox, justworks: PartnerApi) -> None:
    pages = list(justworks.pages(custom_fields=False))
    assert [len(page.records) for page in pages] == [100, 100, 50]
    assert ids(pages) == sandbox.company.member_ids
    assert sandbox.requests["GET /v1/members"] == 3
    assert sandbox.requests["GET /v1/members/{id}/custom-field-values"] == 50, "a sample"


def test_a_record_is_what_a_mapping_can_read_of_the_member(sandbox: Sandbox, justworks: PartnerApi) -> None:
    truth = {member["id"]: member for member in sandbox.ground_truth()}
    for page in justworks.pages(custom_fields=True):
        for record in page.records:
            sent, line = truth[record.hris_id], json.loads(record.line)
            assert set(line) <= {*SHAPE.keys, "unread"}
            for key in ("id", "work_id", "name.given_name", "emails", "department", "manager", "job_title"):
                assert at(line, key) == at(sent, key)
            assert record.updated_at == sent["updated_at"]
            assert record.active is sent["active"]
            assert b"\n" not in record.line


def at(member: Any, path: str) -> Any:
    for key in path.split("."):
        member = member.get(key) if isinstance(member, dict) else None
    return member


def test_names_of_other_keys_are_counted_and_nothing_else_of_them_is_kept(
    sandbox: Sandbox, justworks: PartnerApi
) -> None:
    first = sandbox.company.member_ids[0]
    sandbox.company.edit(first, raw={"socialSecurityNumber": "078-05-1120", "payrate": {"account_number": 1}})
    lines = [record.line for page in justworks.pages(custom_fields=False) for record in page.records]
    assert not any(b"078-05-1120" in line or b"account_number" in line for line in lines)
    report = justworks.shape_report()
    assert report.other_keys["socialSecurityNumber"] == report.other_keys["payrate"] == 1
    assert report.other_keys["current_pay"] == 250
    assert report.other_keys["name.full_preferred_name"] > 0
    assert report.spellings["emails"] == {"email": report.spellings["emails"]["type"]} | report.spellings["emails"]
    assert {name: column.count for name, column in report.unread.items()} == {"latest_rehire_date": 1}


def test_custom_values_come_with_each_member_when_asked_for(sandbox: Sandbox, justworks: PartnerApi) -> None:
    company = justworks.company()
    assert {field.label for field in company.custom_fields} >= {"Buddy"}
    pages = list(justworks.pages(custom_fields=True))
    assert sandbox.requests["GET /v1/members/{id}/custom-field-values"] == 250
    read = justworks_columns((record.line for page in pages for record in page.records), company)
    people = [sandbox.company.person(member_id) for member_id in sandbox.company.member_ids]
    for person, custom in zip(people, read["custom_fields"], strict=True):
        filled = {id_: list(values) for id_, values in person.custom.items() if values}
        assert (json.loads(str(custom)) if custom else {}) == {
            id_: values[0] if len(values) == 1 else values for id_, values in filled.items()
        }


def test_a_member_whose_custom_values_fail_is_a_hole(sandbox: Sandbox, justworks: PartnerApi) -> None:
    lost = sandbox.company.member_ids[5]
    sandbox.fault("failing_details", members=(lost,))
    pages = list(justworks.pages(custom_fields=True))
    assert [hole for page in pages for hole in page.holes] == [lost]
    assert lost not in ids(pages)
    assert len(ids(pages)) == 249


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
    sandbox.fault("server_error", path="/v1/members$", after=2)
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
        *NO_COMPANY,
        (200, b'{"items":[{"id":"a","active":true}]}'),
        (200, b'{"items":[{"id":"t","active":false}],"next_cursor":""}'),
    )
    source = api(scripted)
    assert ids(list(source.pages(custom_fields=False))) == ["a", "t"]
    assert [seen[0] for seen in scripted.seen[2:]] == [
        "GET /v1/members?limit=100",
        "GET /v1/members?limit=100&status=terminated",
    ]
    source.close()


def test_an_unheeded_or_refused_status_adds_nobody(scripted: Scripted) -> None:
    everybody = (200, b'{"items":[{"id":"a","active":true}]}')
    for second in (everybody, (400, b"{}")):
        scripted.answer(*NO_COMPANY, everybody, second)
        source = api(scripted)
        assert ids(list(source.pages(custom_fields=False))) == ["a"]
        source.close()


def test_an_item_that_is_no_member_is_kept_for_quarantine(scripted: Scripted) -> None:
    scripted.answer(*NO_COMPANY, (200, b'{"items":[7,{"id":5,"active":false},\n{"id":"a",\n"active":true}]}'))
    source = api(scripted)
    (page,) = source.pages(custom_fields=False)
    assert [(r.hris_id, r.line, r.active) for r in page.records] == [
        ("", b"{}", False),
        ("5", b'{"active":false,"id":5}', False),
        ("a", b'{"active":true,"id":"a"}', True),
    ]
    source.close()


@pytest.mark.parametrize(
    "broken",
    [
        rb'"job_title":"half \ud83d"',
        b'"job_title":NaN',
        b'"job_title":-Infinity',
        b'"job_title":1e999',
        b'"job_title":"\xff\xfe"',
        b'"job_title":' + b"9" * 5000,
        b'"pay_history":' + b"[" * 50_000 + b"]" * 50_000,
        b'"custom_field_values":[{"id":"f","values":[' + b"[" * 50_000 + b"]" * 50_000 + b"]}]",
        b'"job_title":"a bare\nbreak\x00"',
    ],
    ids=["half-emoji", "nan", "infinity", "too-large", "broken-utf8", "long-number", "deep", "deep-kept", "control"],
)
def test_a_broken_value_of_one_member_costs_nobody_else(scripted: Scripted, broken: bytes) -> None:
    scripted.answer(
        *NO_COMPANY,
        (200, b'{"items":[{"id":"a","active":true},{"id":"b","active":false,%b},{"id":"c","active":false}]}' % broken),
    )
    source = api(scripted)
    (page,) = source.pages(custom_fields=False)
    assert [record.hris_id for record in page.records] == ["a", "b", "c"]
    read = justworks_columns([record.line for record in page.records], Company("", ""))
    assert read["hris_id"] == ["a", "b", "c"]
    assert read["active"] == [True, False, False]
    if b'"job_title"' in broken:
        is_kept = b"bare" in broken  # control characters are cleaned away later
        assert read["job_title"][1] == ("a bare\nbreak\x00" if is_kept else None)
        assert list(read["unread"][1]) == ([] if is_kept else ["job_title"])
    source.close()


def test_a_cursor_of_64_kilobytes_is_named_and_not_followed(sandbox: Sandbox, justworks: PartnerApi) -> None:
    sandbox.fault("long_cursor")
    pages = justworks.pages(custom_fields=False)
    next(pages)
    with pytest.raises(SourceRefused, match="a cursor of 65536 characters"):
        next(pages)


ANSWERS = [
    (200, b'{"id":"b","active":false}', "inactive"),
    (200, b'{"id":" b\\u200b","active":false}', "inactive"),
    (200, b'{"id":"b","active":true}', "active"),
    (404, b'{"error":"not_found"}', "not_found"),
    (404, b"{}", "not_found"),
    (404, b"", "error"),
    (404, b"<html>not found</html>", "error"),
    (404, b'{"error":', "error"),
    (404, b'"gone"', "error"),
    (404, b"null", "error"),
    (404, b'{"id":"\xff\xfe"}', "error"),
    (404, b'{"error":"\xff"}', "error"),
    (404, b'{"id":"b","active":true}', "error"),
    (410, b'{"error":"gone"}', "error"),
    (200, b'{"id":"c","active":false}', "error"),
    (200, b'{"active":false}', "error"),
    (200, b'{"id":"b"}', "error"),
    (200, b'{"id":"b","active":null}', "error"),
    (200, b'{"id":"b","active":0}', "error"),
    (200, b'{"id":"b","active":"false"}', "error"),
    (200, b'{"id":"b","active":[false]}', "error"),
    (200, b'{"data":{"id":"b","active":false}}', "error"),
    (200, b'[{"id":"b","active":false}]', "error"),
    (200, b'{"error":"try_again"}', "error"),
    (200, b"{}", "error"),
    (200, b"null", "error"),
    (200, b"", "error"),
    (204, b"", "error"),
    (206, b'{"id":"b","active":false}', "error"),
    (202, b'{"id":"b","active":false}', "error"),
    (203, b'{"id":"b","active":false}', "error"),
    (302, b'{"id":"b","active":false}', "error"),
    (400, b'{"error":"bad"}', "error"),
    (401, b'{"error":"invalid_token"}', "error"),
    (403, b'{"error":"insufficient_scope"}', "error"),
    (422, b'{"id":"b","active":false}', "error"),
    (429, b"", "error"),
    (500, b'{"id":"b","active":false}', "error"),
    (503, b"", "error"),
]


@pytest.mark.parametrize(("status", "body", "said"), ANSWERS)
def test_only_two_answers_confirm_that_somebody_is_gone(
    scripted: Scripted, status: int, body: bytes, said: str
) -> None:
    scripted.answer((status, body))
    source = api(scripted)
    assert [(answer.hris_id, answer.status) for answer in source.lookup(["b"])] == [("b", said)]
    source.close()


def test_people_are_asked_for_singly_and_only_as_far_as_wanted(sandbox: Sandbox, justworks: PartnerApi) -> None:
    members = {member["id"]: member["active"] for member in sandbox.ground_truth()}
    active = next(id_ for id_, is_active in members.items() if is_active)
    inactive = next(id_ for id_, is_active in members.items() if not is_active)
    asked = [inactive, "../who", active, "never asked"]
    answers = justworks.lookup(asked)
    assert [next(answers).status for _ in range(3)] == ["inactive", "error", "active"]
    assert sandbox.requests["GET /v1/members/{id}"] <= 3


def test_an_answer_that_fails_is_an_error_of_that_person(sandbox: Sandbox, justworks: PartnerApi) -> None:
    first, second = sandbox.company.member_ids[:2]
    sandbox.fault("failing_details", members=(first,))
    assert [answer.status == "error" for answer in justworks.lookup([first, second])] == [True, False]


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
    assert set(justworks_columns(lines, source.company())["birth_date"]) == {None}
    source.close()


def test_definitions_of_custom_fields_without_end_are_an_error(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "DEFINITION_PAGES", 3)
    pages = [(200, b'{"items":[{"id":"f%d"}],"next_cursor":"c%d"}' % (number, number)) for number in range(9)]
    scripted.answer((200, b'{"id":"c"}'), *pages)
    with (
        closing(api(scripted)) as source,
        pytest.raises(SourceUnavailable, match="more than 3 pages of GET /v1/company/custom-fields"),
    ):
        source.company()
    assert len(scripted.seen) == 4
