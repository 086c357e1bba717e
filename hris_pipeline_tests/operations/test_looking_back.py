"""Undo, verify, the past as it was, and explanations."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import ImportStale, UnknownName, UsageError
from hris_pipeline.operations.automation import resume
from hris_pipeline.operations.decisions import plan_undo
from hris_pipeline.operations.explanation import directory_as_of, explain, user_as_of
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import protect
from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, USER_STATE
from hris_pipeline.settings.mapping import rename_metadata
from hris_pipeline.sources.extract import MEMBER_FIELDS
from hris_pipeline.store.automation import automation
from hris_pipeline.store.tables import import_rows
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.staged_rows import read_rows


def states(acme: Acme) -> dict[str, dict[str, Any]]:
    return {key: {name: row[name] for name in USER_STATE} for key, row in acme.users().items()}


def test_undo_gives_back_every_field_and_archives_who_was_created(acme: Acme) -> None:
    gone, changed, back = acme.active()[:3]
    [person] = acme.lose([back])
    acme.run()
    before = states(acme)
    acme.bring_back([person])
    acme.lose([gone])
    acme.company.edit(changed, job_title="Astronaut", last_name="Nova", work_email="nova@acme.example")
    new = acme.company.add()
    done = acme.run()
    assert [done.counts[name] for name in ("created", "updated", "archived", "restored")] == [1, 1, 1, 1]

    undo = plan_undo(acme.services, done.import_id, actor="lee")
    assert (undo.status, undo.trigger, undo.undoes) == ("planned", "undo", done.import_id)
    assert [row.action for row in read_rows(acme.services, undo.import_id)] == [
        "archive",
        "archive",
        "restore",
        "update",
    ]
    assert acme.save(undo.import_id).status == "applied"
    after = states(acme)
    created = after.pop(new)
    assert after == before
    assert (created["status"], created["archived_by"]) == ("archived", "import")
    assert verify(acme.services, "acme").ok
    assert acme.run().counts["restored"] == 2, "the next import does it again"


def test_undo_leaves_what_was_changed_since(acme: Acme) -> None:
    first, second = acme.active()[:2]
    titles = {key: acme.users()[key]["metadata"]["JobTitle"] for key in (first, second)}
    for member_id in (first, second):
        acme.company.edit(member_id, job_title="Astronaut", last_name="Nova")
    done = acme.run()
    acme.edit_user(first, last_name="Mine")
    undo = plan_undo(acme.services, done.import_id, actor="lee")
    assert undo.counts["updated"] == 2
    assert undo.diagnostics == {"warning:changed_since:last_name": (acme.users()[first]["employee_id"],)}
    acme.save(undo.import_id)
    after = acme.users()
    assert {key: after[key]["metadata"]["JobTitle"] for key in (first, second)} == titles
    assert (after[first]["last_name"], after[second]["last_name"] == "Nova") == ("Mine", False)


def test_undo_follows_a_metadata_name_that_was_changed_since(acme: Acme) -> None:
    [member_id] = acme.active()[:1]
    title = acme.users()[member_id]["metadata"]["JobTitle"]
    acme.company.edit(member_id, job_title="Astronaut")
    done = acme.run()
    acme.change(rename_metadata(acme.settings(), "JobTitle", "Title"))
    acme.change(rename_metadata(acme.settings(), "Title", "Role"))
    undo = plan_undo(acme.services, done.import_id, actor="lee")
    assert (undo.counts["updated"], undo.diagnostics) == (1, {})
    acme.save(undo.import_id)
    metadata = acme.users()[member_id]["metadata"]
    assert (metadata["Role"], "JobTitle" in metadata, "Title" in metadata) == (title, False, False)
    assert verify(acme.services, "acme").ok


def test_undo_pauses_running_automatic_imports(acme_lite: Acme) -> None:
    acme = acme_lite
    resume(acme.services, "acme", "dana", "go")
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    plan_undo(acme.services, acme.run().import_id, actor="lee")
    with acme.services.store.read() as connection:
        state = automation(connection, "acme")
    assert (state.automatic, state.automatic_by, state.automatic_reason) == ("paused", "lee", "undo")


def test_only_an_applied_import_that_changed_somebody_can_be_undone(acme_lite: Acme) -> None:
    acme = acme_lite
    with pytest.raises(UsageError, match="changed nobody"):
        plan_undo(acme.services, acme.preview().import_id, actor="lee")
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    with pytest.raises(UsageError, match="planned"):
        plan_undo(acme.services, acme.preview().import_id, actor="lee")
    with pytest.raises(UnknownName):
        plan_undo(acme.services, "20200101-000000-abcdef12", actor="lee")


def test_a_planned_undo_goes_stale_like_any_other(acme_lite: Acme) -> None:
    acme = acme_lite
    [changed] = acme.active()[:1]
    acme.company.edit(changed, job_title="Astronaut")
    undo = plan_undo(acme.services, acme.run().import_id, actor="lee")
    acme.edit_user(changed, phone_number="+12125550100")
    with pytest.raises(ImportStale):
        acme.save(undo.import_id)


def test_verify_names_who_was_written_behind_the_pipelines_back(acme: Acme) -> None:
    assert verify(acme.services, "acme").ok
    [written] = acme.active()[:1]
    acme.edit_user(written, phone_number="+12125550100")
    assert verify(acme.services, "acme").ok, "whoever bumps the version says so"
    acme.run()
    last = acme.preview().import_id
    acme.write_behind(written, last_name="Mallory", birth_date=None)
    verification = verify(acme.services, "acme")
    assert not verification.ok
    [divergence] = verification.divergences
    assert divergence.user_id == acme.users()[written]["user_id"]
    assert divergence.fields == ("last_name", "birth_date")
    assert divergence.import_id != last
    assert verification.first == (
        f"user {divergence.user_id}: last_name, birth_date changed behind the pipeline's back "
        f"since import {divergence.import_id}"
    )


def test_verify_names_an_import_whose_rows_were_altered(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    done = acme.run()
    with acme.services.store.begin() as connection:
        of_import = import_rows.c.import_id == done.import_id
        after = connection.execute(sa.select(import_rows.c.after).where(of_import)).scalar_one()
        connection.execute(sa.update(import_rows).where(of_import).values(after=after | {"last_name": "Mallory"}))
    verification = verify(acme.services, "acme")
    assert verification.altered == {done.import_id: ("its rows",)}
    assert done.import_id in str(verification.first)


def test_a_user_and_a_directory_as_of_a_day(acme: Acme) -> None:
    [member_id] = acme.active()[:1]
    user = acme.users()[member_id]
    old, day = user["metadata"]["JobTitle"], acme.clock()
    acme.clock.advance(days=3)
    acme.company.edit(member_id, job_title="Astronaut")
    done = acme.run()
    then = user_as_of(acme.services, "acme", user["employee_id"], day)
    assert then is not None
    assert then["metadata"]["JobTitle"] == old
    now = user_as_of(acme.services, "acme", user["employee_id"], acme.clock())
    assert now is not None
    assert now["metadata"]["JobTitle"] == "Astronaut"
    assert user_as_of(acme.services, "acme", user["employee_id"], day - timedelta(days=9)) is None
    with pytest.raises(UnknownName):
        user_as_of(acme.services, "acme", "nobody", day)
    frame = directory_as_of(acme.services, "acme", done.import_id).set_index("hris_id")
    assert len(frame) == 12
    assert json.loads(str(frame.at[member_id, "metadata"]))["JobTitle"] == "Astronaut"


def test_explain_goes_from_the_stored_value_back_to_the_members_field(acme_lite: Acme) -> None:
    acme = acme_lite
    [member_id] = acme.active()[:1]
    first = acme.users()[member_id]
    acme.clock.advance(days=1)
    acme.company.edit(member_id, job_title="  Astronaut ", work_email="nova@acme.example")
    done = acme.run()
    explanation = explain(acme.services, "acme", first["employee_id"])
    assert (explanation.user_id, explanation.hris_id, explanation.status) == (first["user_id"], member_id, "active")
    assert explanation.extract_id == done.extract_id
    assert explanation.outcome == ("unchanged",)
    stories = {story.field: story for story in explanation.fields}
    title = stories["#JobTitle"]
    assert (title.stored, title.source, title.normalised) == ("Astronaut", "job_title", "Astronaut")
    assert title.member == {"job_title": "  Astronaut "}
    assert title.written_by is not None
    assert (title.written_by.import_id, title.written_by.action) == (done.import_id, "update")
    assert (title.written_by.extract_id, title.written_by.settings_version) == (done.extract_id, 1)
    name = stories["first_name"]
    assert name.member == {"name.given_name": first["first_name"]}
    assert name.written_by is not None
    assert name.written_by.action == "create"
    [email] = explain(acme.services, "acme", first["employee_id"], "email").fields
    assert email.stored == "nova@acme.example"
    assert "nova" not in repr(email)
    with pytest.raises(UnknownName):
        explain(acme.services, "acme", first["employee_id"], "shoe_size")
    with pytest.raises(UnknownName):
        explain(acme.services, "acme", "nobody")


def test_explain_says_why_somebody_was_not_imported(acme_lite: Acme) -> None:
    acme = acme_lite
    future = acme.company.add(start_date="2026-06-01", work_id="F1")
    acme.company.add(active=False, termination_date="2020-01-01", work_id="F2")
    acme.company.add(last_name=None, work_id="F3")
    acme.company.add(work_email=acme.company.person(acme.active()[0]).work_email, work_id="F4")
    acme.company.add(work_id="F5")
    acme.preview()
    outcomes = {name: explain(acme.services, "acme", name).outcome for name in ("F1", "F2", "F3", "F4", "F5")}
    assert outcomes["F1"] == ("excluded:not_started",)
    assert explain(acme.services, "acme", future).outcome == ("excluded:not_started",)
    assert outcomes["F2"] == ("excluded:inactive",)
    assert outcomes["F3"][0] == "quarantined"
    assert outcomes["F3"][1].startswith("last_name: missing")
    assert outcomes["F4"] == ("conflict",)
    assert outcomes["F5"] == ("create",)


def test_explain_of_a_shared_id_names_everybody_who_carries_it(acme_lite: Acme) -> None:
    acme = acme_lite
    first, second = (acme.company.add(work_id="S1", first_name=name) for name in ("Ann", "Bo"))
    acme.preview()
    explanation = explain(acme.services, "acme", "S1")
    assert {explanation.hris_id, *explanation.others} == {first, second}
    assert len(set(explanation.outcome)) == len(explanation.outcome)
    for hris_id, name in ((first, "Ann"), (second, "Bo")):
        [story] = explain(acme.services, "acme", hris_id, "first_name").fields
        assert story.normalised == name
    assert explain(acme.services, "acme", first).others == ()


def test_explain_shows_what_the_source_sent_of_somebody_in_quarantine(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.company.add(last_name="x" * 51, job_title="Pilot", work_id="Q1")
    acme.preview()
    stories = {story.field: story.normalised for story in explain(acme.services, "acme", "Q1").fields}
    assert (stories["employee_id"], stories["#JobTitle"], stories["last_name"]) == ("Q1", "Pilot", "x" * 51)


WORDS = {
    "active": {"hire_date": None},
    "unknown": {"active": None},
    "inactive": {"active": False},
    "ended": {"employment_termination_date": "2026-01-31"},
}


def test_explain_says_how_the_source_has_somebody(acme_lite: Acme) -> None:
    acme = acme_lite
    people = dict(zip(WORDS, acme.active(), strict=False))
    for word, hris_id in people.items():
        acme.company.edit(hris_id, raw=WORDS[word])
    back, gone, hole = acme.active()[4:7]
    history = [{"start_date": "2020-01-01", "end_date": "2024-05-01"}, {"start_date": "2025-06-01"}]
    acme.company.edit(back, raw={"employment_termination_date": "2024-05-01", "employment_history": history})
    acme.lose([gone])
    acme.lose([hole])
    acme.fault("failing_details", members=(hole,))
    acme.preview()
    words = {name: explain(acme.services, "acme", name).employment for name in (*people.values(), back, gone, hole)}
    assert words == {
        **{hris_id: word for word, hris_id in people.items()},
        back: "active",
        gone: "missing",
        hole: "unknown",
    }


def test_explain_says_why_somebody_was_not_archived(acme_lite: Acme) -> None:
    acme = acme_lite
    gone, guarded, hole = acme.active()[:3]
    names = {member_id: acme.users()[member_id]["employee_id"] for member_id in (gone, guarded, hole)}
    protect(acme.services, "acme", names[guarded], protected=True)
    acme.lose([gone, guarded, hole])
    acme.fault("failing_details", members=(hole,))
    acme.extract()

    def outcome(member_id: str) -> tuple[str, ...]:
        return explain(acme.services, "acme", names[member_id]).outcome

    assert [outcome(member_id) for member_id in (gone, guarded, hole)] == [("archive",), ("protected",), ("hole",)]
    acme.switch("archive_employees=false")
    assert outcome(gone) == ("missing, and archive_employees is off",)
    acme.switch("archive_employees=true")
    acme.sandbox.clear_faults()
    acme.fault("short_list", share=0.3)
    acme.extract()
    assert outcome(gone) == ("missing from an incomplete extract, which archives nobody",)


def test_explain_of_a_reused_work_id_is_about_the_user_who_has_it(acme_lite: Acme) -> None:
    acme = acme_lite
    [old] = acme.active()[:1]
    employee_id = acme.users()[old]["employee_id"]
    acme.lose([old])
    acme.run()
    new = acme.company.add(work_id=employee_id, job_title="Astronaut")
    acme.preview()
    explanation = explain(acme.services, "acme", employee_id)
    assert (explanation.hris_id, explanation.status) == (old, "archived")
    assert all(story.normalised is None for story in explanation.fields)
    assert explain(acme.services, "acme", new).hris_id == new


def test_explain_shows_custom_fields_by_their_own_value(make_lite: MakeAcme) -> None:
    acme = make_lite(12)
    acme.switch("metadata=[{name: Badge, source: 'custom:Badge Number', type: hidden}]")
    acme.run()
    [member_id] = acme.active()[:1]
    badge = acme.company.person(member_id).custom["cf-badge"][0]
    [story] = explain(acme.services, "acme", member_id, "#Badge").fields
    assert (story.stored, story.normalised) == (badge, badge)
    assert {"id": "cf-badge", "values": [badge]} in story.member["custom_field_values"]


@pytest.mark.parametrize("source", ["justworks", "finch"])
def test_every_employee_column_names_the_members_fields_behind_it(source: str) -> None:
    missing = {name for name in EMPLOYEE_COLUMNS if name not in MEMBER_FIELDS[source]}
    assert missing == ({"class_code"} if source == "justworks" else set())
