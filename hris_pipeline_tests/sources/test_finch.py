"""The aggregator over real HTTP; its own published client reads the same answers."""

import json
from contextlib import closing
from typing import Any

import pytest
from finch import Finch as PublishedClient

from hris_pipeline.errors import ConnectionInvalid, SourceNotReady, SourceUnavailable
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.finch_wire import Reception, is_called_employed
from hris_pipeline.sources.pacing import UNLIMITED
from hris_pipeline_tests.kit.source_connections import QUICK, Scripted
from hris_pipeline_tests.kit.wire_company import finch_columns


def lines_of(finch: Finch) -> list[bytes]:
    return [record.line for page in finch.pages(custom_fields=True) for record in page.records]


def test_it_reads_what_the_published_client_reads(sandbox: Sandbox, finch: Finch) -> None:
    read = finch_columns(lines_of(finch))
    with PublishedClient(access_token=sandbox.finch_token, base_url=sandbox.finch_url) as client:
        ids = [individual.id for individual in client.hris.directory.list(limit=1000).individuals]
        requests: Any = [{"individual_id": individual_id} for individual_id in ids]
        people: list[Any] = list(client.hris.individuals.retrieve_many(requests=requests))
        works: list[Any] = list(client.hris.employments.retrieve_many(requests=requests))
    assert read["hris_id"] == ids
    assert read["birth_date"] == [person.body.dob for person in people]
    assert read["first_name"] == [person.body.first_name for person in people]
    assert read["justworks_id"] == [work.body.source_id for work in works]
    assert read["job_title"] == [work.body.title for work in works]
    assert read["active"] == [work.body.is_active for work in works]
    assert read["latest_rehire_date"] == [work.body.latest_rehire_date for work in works]
    assert read["employment_subtype"] == [work.body.employment.subtype for work in works]


def test_income_gender_and_ethnicity_are_never_kept(finch: Finch) -> None:
    for line in lines_of(finch):
        record = json.loads(line)
        assert not {"gender", "ethnicity"} & record["individual"].keys()
        assert not {"income", "income_history"} & record["employment"].keys()


def test_the_company_says_how_old_the_data_is(finch: Finch) -> None:
    company = finch.company()
    assert company.display_name == "Acme, Inc."
    assert company.data_as_of is not None


def test_custom_fields_are_known_by_name_from_those_who_have_them(finch: Finch) -> None:
    field_ids = {field.id for page in finch.pages(custom_fields=True) for field in page.custom_fields}
    assert "Buddy" in field_ids


@pytest.mark.parametrize(
    ("items", "unread"),
    [
        ([{"name": "Buddy", "value": "7"}], False),
        ([{"name": "Buddy", "value": None}], False),
        ({"name": "Buddy", "value": "7"}, False),
        ([{"name": "Buddy", "content": "7"}], True),
        ([{"label": "Buddy", "value": "7"}], True),
        ([{"name": "Buddy", "value": "7"}, "Size: M"], True),
        ({"Buddy": "7"}, True),
    ],
)
def test_custom_fields_spelled_otherwise_are_unread_and_not_empty(items: object, unread: bool) -> None:
    record = Reception().record("a", {}, {}, {"is_active": True, "custom_fields": items})
    assert ("custom_fields" in record.unread) is unread
    assert ("custom_fields" in (finch_columns([record.line])["unread"][0] or ())) is unread


def test_an_object_where_a_value_belongs_is_unread_and_not_empty() -> None:
    individual = {"residence": {"city": {"name": "Ely"}, "country": "US"}, "first_name": ["A"]}
    employment = {"is_active": True, "employment": {"type": "employee", "subtype": {"code": 1}}}
    record = Reception().record("a", {}, individual, employment)
    assert set(record.unread) == {"residence_city", "first_name", "employment_subtype"}
    assert set(finch_columns([record.line])["unread"][0]) == set(record.unread)


@pytest.mark.parametrize("path", ["/finch/employer/individual", "/finch/employer/employment"])
def test_an_item_that_failed_is_a_hole(sandbox: Sandbox, finch: Finch, path: str) -> None:
    lost = sandbox.company.member_ids[3]
    sandbox.fault("failing_details", path=path, members=(lost,))
    pages = list(finch.pages(custom_fields=False))
    assert sum(len(page.records) for page in pages) == 249
    assert sum(len(page.holes) for page in pages) == 1


@pytest.mark.parametrize(
    "path", ["/finch/employer/directory", "/finch/employer/individual", "/finch/employer/employment"]
)
def test_202_is_never_an_extract(sandbox: Sandbox, finch: Finch, path: str) -> None:
    sandbox.fault("not_ready", path=path)
    with pytest.raises(SourceNotReady):
        list(finch.pages(custom_fields=False))


def test_a_reconnection_needs_a_person(sandbox: Sandbox, finch: Finch) -> None:
    sandbox.fault("revoked_token")
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        finch.company()


def test_people_are_asked_for_in_batches(sandbox: Sandbox, finch: Finch) -> None:
    listed = {json.loads(line)["id"]: json.loads(line)["employment"]["is_active"] for line in lines_of(finch)}
    before = sandbox.requests["POST /finch/employer/employment"]
    answers = {answer.hris_id: answer.status for answer in finch.lookup([*listed, "nobody"])}
    assert answers == {
        **{id_: "active" if is_active else "inactive" for id_, is_active in listed.items()},
        "nobody": "not_found",
    }
    assert sandbox.requests["POST /finch/employer/employment"] - before == 6


def scripted_finch(scripted: Scripted) -> Finch:
    return Finch("t", integration_id="acme", api_url=scripted.url, rate_limiter=UNLIMITED, retries=QUICK, page_size=1)


def test_an_item_that_is_not_ready_makes_the_whole_not_ready(scripted: Scripted) -> None:
    scripted.answer(
        (200, b'{"paging":{"count":1,"offset":0},"individuals":[{"id":"a"}]}'),
        (200, b'{"responses":[{"individual_id":"a","code":202,"body":{}}]}'),
    )
    finch = scripted_finch(scripted)
    with pytest.raises(SourceNotReady):
        list(finch.pages(custom_fields=False))
    finch.close()


NOT_FOUND = {"code": 404, "name": "not_found_error", "finch_code": "individual_not_found"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (NOT_FOUND, "not_found"),
        ({"message": "no such individual"}, "not_found"),
        ({**NOT_FOUND, "code": 403, "finch_code": "insufficient_scope_error"}, "error"),
        ({**NOT_FOUND, "code": 500}, "error"),
        ({**NOT_FOUND, "code": "404"}, "error"),
        ({**NOT_FOUND, "code": None}, "error"),
        ({**NOT_FOUND, "finch_code": "connection_not_found"}, "error"),
    ],
)
def test_only_words_for_that_very_error_confirm_that_somebody_is_gone(
    scripted: Scripted, words: dict[str, object], status: str
) -> None:
    item = {"individual_id": "a", "code": 404, "body": words}
    scripted.answer((200, json.dumps({"responses": [item]}).encode()))
    finch = scripted_finch(scripted)
    assert [answer.status for answer in finch.lookup(["a"])] == [status]
    finch.close()


def test_a_directory_that_ends_before_its_count_is_an_error(scripted: Scripted) -> None:
    scripted.answer((200, b'{"paging":{"count":5,"offset":0},"individuals":[]}'))
    finch = scripted_finch(scripted)
    with pytest.raises(SourceUnavailable, match="0 of 5 people"):
        list(finch.pages(custom_fields=False))
    finch.close()


def responses(*items: object) -> tuple[int, bytes]:
    return 200, json.dumps({"responses": items}).encode()


def item(hris_id: object, body: object, code: object = 200) -> dict[str, object]:
    return {"individual_id": hris_id, "code": code, "body": body}


AGAIN = {"finch_code": "reauthenticate_user", "message": "The employer must connect again."}
DIRECTORY = 200, b'{"paging":{"count":2,"offset":0},"individuals":[{"id":"a"},{"id":"b"}]}'


@pytest.mark.parametrize(
    "answer",
    [
        *((status, json.dumps(AGAIN).encode()) for status in (400, 401, 403)),
        responses(item("a", AGAIN, 401), item("b", AGAIN, 401)),
    ],
    ids=["400", "401", "403", "each item"],
)
def test_who_must_connect_again_is_noted_wherever_it_is_said(scripted: Scripted, answer: tuple[int, bytes]) -> None:
    expired: list[bool] = []
    scripted.answer(DIRECTORY, answer)
    finch = Finch(
        "t",
        integration_id="acme",
        api_url=scripted.url,
        rate_limiter=UNLIMITED,
        retries=QUICK,
        on_expired=lambda: expired.append(True),
    )
    with closing(finch), pytest.raises(ConnectionInvalid, match=r"reauthenticate_user.*hris connect acme"):
        list(finch.pages(custom_fields=False))
    assert expired == [True]


LEFT = {"is_active": False, "employment_status": "terminated"}
FINE = item("a", {"id": "a", "is_active": True, "last_name": "A"})
SOMEBODY_ELSES: dict[str, list[object]] = {
    "another id": [item("m14", {"id": "m15", **LEFT})],
    "another individual_id": [item("m14", {"id": "m14", "individual_id": "m15", **LEFT})],
    "another id beside the right individual_id": [item("m14", {"id": "m15", "individual_id": "m14", **LEFT})],
    "an id in a list": [item("m14", {"id": ["m14"], **LEFT})],
    "an id in other case": [item("m14", {"id": "M14", **LEFT})],
    "an item without individual_id": [{"code": 200, "body": {"id": "m14", **LEFT}}],
    "an item of null": [item(None, {"id": "m14", **LEFT})],
    "an item that was not asked for": [item("m15", {"id": "m14", **LEFT})],
    "two that differ": [item("m14", {"id": "m14", **LEFT}), item("m14", {"id": "m14", "is_active": True})],
    "an empty body": [item("m14", {})],
}


@pytest.mark.parametrize("items", SOMEBODY_ELSES.values(), ids=SOMEBODY_ELSES)
@pytest.mark.parametrize("part", ["individual", "employment"])
def test_details_of_somebody_else_are_a_hole(scripted: Scripted, part: str, items: list[object]) -> None:
    good, odd = responses(FINE, item("m14", {"id": "m14"})), responses(FINE, *items)
    listed = b'{"paging":{"count":2,"offset":0},"individuals":[{"id":"a"},{"id":"m14","is_active":false}]}'
    scripted.answer((200, listed), *((odd, good) if part == "individual" else (good, odd)))
    finch = scripted_finch(scripted)
    [page] = finch.pages(custom_fields=False)
    finch.close()
    assert ([record.hris_id for record in page.records], page.holes) == (["a"], ("m14",))


@pytest.mark.parametrize("id_", ["m14", " m14\u200b", None, ""])
def test_details_with_the_trimmed_id_or_none_are_the_persons(scripted: Scripted, id_: object) -> None:
    listed = b'{"paging":{"count":1,"offset":0},"individuals":[{"id":"m14"}]}'
    scripted.answer((200, listed), responses(item("m14", {"id": id_, "dob": None})))
    finch = scripted_finch(scripted)
    [page] = finch.pages(custom_fields=False)
    finch.close()
    assert ([record.hris_id for record in page.records], page.holes) == (["m14"], ())


def test_details_that_are_all_somebody_elses_end_the_page(scripted: Scripted) -> None:
    listed = b'{"paging":{"count":2,"offset":0},"individuals":[{"id":"a"},{"id":"b"}]}'
    scripted.answer((200, listed), responses(item("a", {"id": "b"}), item("b", {"id": "a"})))
    finch = scripted_finch(scripted)
    with pytest.raises(SourceUnavailable, match=r"came as somebody else \(codes: 200\)"):
        list(finch.pages(custom_fields=False))
    finch.close()


@pytest.mark.parametrize(
    ("is_active", "status", "listed", "expected"),
    [
        *(
            (False, status, False, False)
            for status in ("terminated", "retired", "deceased", " Terminated\u200b", None, "")
        ),
        *((False, status, None, False) for status in ("terminated", None)),
        *((None, status, False, False) for status in ("terminated", None)),
        (None, "retired", None, False),
        *((False, status, True, None) for status in ("terminated", "retired", "deceased", None)),
        *((False, "terminated", listed, None) for listed in ("true", 0, "false", [True])),
        (None, "terminated", True, None),
        *(
            (False, status, False, None)
            for status in ("active", "onboarding", "prehire", "on_leave", "furlough", 7, True)
        ),
        *((False, status, False, None) for status in (["leave"], {"word": "terminated"})),
        *((flag, "terminated", False, None) for flag in ("false", 0, [False])),
        (None, "on_leave", False, None),
        (None, None, None, None),
        *((flag, "leave", listed, True) for flag in (False, None) for listed in (True, False, None)),
        *((True, status, False, True) for status in ("terminated", "active", "on_leave", None)),
        *((None, status, False, True) for status in ("active", "onboarding")),
        (None, None, True, True),
    ],
)
def test_only_answers_that_agree_say_that_somebody_left(
    is_active: object, status: object, listed: object, expected: bool | None
) -> None:
    assert is_called_employed({"is_active": is_active, "employment_status": status}, {"is_active": listed}) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"id": "m14", **LEFT}, "inactive"),
        ({"id": "m15", **LEFT}, "error"),
        ({"id": "m14", "individual_id": "m15", **LEFT}, "error"),
        ({"id": "m14", "is_active": False, "employment_status": "active"}, "error"),
        ({"id": "m14", "is_active": False, "employment_status": "on_leave"}, "error"),
        ({"id": "m14", "is_active": False, "employment_status": ["leave"]}, "error"),
        ({"id": "m14", "is_active": None, "employment_status": "terminated"}, "error"),
    ],
)
def test_asked_for_singly_only_the_very_person_who_left_is_confirmed(
    scripted: Scripted, body: object, expected: str
) -> None:
    scripted.answer(responses(item("m14", body)))
    finch = scripted_finch(scripted)
    assert [answer.status for answer in finch.lookup(["m14"])] == [expected]
    finch.close()


@pytest.mark.parametrize("first", [True, False])
def test_listed_twice_as_left_and_as_unknown_is_unknown(first: bool) -> None:
    left = {"id": "a", "employment": {"is_active": False, "employment_status": "terminated"}}
    odd = {"id": "a", "employment": {"is_active": False, "employment_status": "on_leave"}}
    lines = [json.dumps(line).encode() for line in ((left, odd) if first else (odd, left))]
    assert finch_columns(lines)["active"] == [None]


def test_every_call_names_version_and_limit(scripted: Scripted) -> None:
    scripted.answer((200, b'{"paging":{"count":0,"offset":0},"individuals":[]}'))
    finch = scripted_finch(scripted)
    assert list(finch.pages(custom_fields=False)) == []
    ((request, headers, _),) = scripted.seen
    assert request == "GET /employer/directory?limit=1&offset=0"
    assert headers["Finch-API-Version"] == "2020-09-17"
    finch.close()


def test_nulls_and_fallbacks() -> None:
    line = (
        b'{"id":"a","directory":{"first_name":"Ada","is_active":false,"manager":{"id":"m"}},'
        b'"individual":{"first_name":null,"phone_numbers":[null,{"data":"1","type":"work"}],"emails":null,"residence":{"country":"US"}},'
        b'"employment":{"last_name":"L","location":null,"is_active":null,'
        b'"custom_fields":[{"name":"A","value":1.5},{"name":"B","value":["x",true]},{"name":"C","value":null}]}}'
    )
    read = {name: values[0] for name, values in finch_columns([line]).items() if values[0]}
    assert read == {
        "hris_id": "a",
        "supervisor_hris_id": "m",
        "first_name": "Ada",
        "last_name": "L",
        "phone_number": "1",
        "country_code": "US",
        "residence_country": "US",
        "custom_fields": '{"A":"1.5","B":["x","true"]}',
    }
    assert finch_columns([line])["active"] == [False]
