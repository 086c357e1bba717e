"""Setting up, changing settings with their checks, and what would change if."""

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations.members import read_mapping
from hris_pipeline.operations.planning import what_if
from hris_pipeline.operations.services import open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.automation import automation, read_automations
from hris_pipeline.store.integrations import current_settings, get_integration, settings_history
from hris_pipeline.store.tables import integration_settings
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.staged_rows import read_rows

CHANNEL = "json://user:hunter2@hooks.example/acme"


def test_setting_up_twice_is_setting_up_once(acme_lite: Acme) -> None:
    services = acme_lite.services
    first = set_up(services, "acme", actor="dana", accept=True)
    assert set_up(services, "acme", settings=Settings(), actor="lee") == first
    with services.store.read() as connection:
        assert len(settings_history(connection, "acme")) == 1
    assert first.terms_accepted_by == "dana"
    with pytest.raises(UsageError):
        set_up(services, "No Slug", actor="dana")


def test_every_change_is_a_version_with_who_and_when(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.clock.advance(hours=1)
    assert acme.switch("override_emails=true").version == 2
    assert acme.switch("override_emails=true").version == 2
    with acme.services.store.read() as connection:
        newest, oldest = settings_history(connection, "acme")
    assert (newest.version, newest.actor, newest.created_at) == (2, "dana", acme.clock())
    assert newest.digest == newest.settings.digest() != oldest.digest


def test_notification_addresses_are_secrets_at_rest(acme: Acme) -> None:
    settings = settings_from({"notify": [{"to": CHANNEL}]})
    acme.change(settings)
    with acme.services.store.read() as connection:
        stored = connection.execute(sa.select(sa.cast(integration_settings.c.document, sa.Text))).scalars().all()
        assert current_settings(connection, "acme").settings == settings
        assert current_settings(connection, "acme").digest == settings.digest()
        assert automation(connection, "acme").settings == settings
    assert not any("hunter2" in text or "hooks.example" in text for text in stored)
    assert acme.change(settings).version == 2, "the same document is no new version, however it was encrypted"
    again = open_services(acme.services.environment)
    with again.store.read() as connection:
        assert [state.settings.notify[0].to for state in read_automations(connection, "acme")] == [CHANNEL]
    again.close()


def test_what_cannot_be_meant_for_this_company_is_refused_and_nothing_changes(acme_lite: Acme) -> None:
    acme = acme_lite
    everybody = {"name": "All", "all": [{"field": "active", "operator": "equals", "value": True}]}
    bad = settings_from({"do_not_import": [everybody], "metadata": [{"name": "Pet", "source": "custom:Pet"}]})
    with pytest.raises(SettingsInvalid) as failure:
        acme.change(bad)
    assert {problem.where for problem in failure.value.problems} == {"do_not_import.All", "metadata.Pet.source"}
    assert acme.settings() == Settings()


def test_a_rule_that_matches_everybody_is_refused_behind_another_too(acme_lite: Acme) -> None:
    some = {"name": "Some", "all": [{"field": "employment_type", "operator": "equals", "value": "employee"}]}
    everybody = {"name": "All", "all": [{"field": "first_name", "operator": "is_not_empty"}]}
    with pytest.raises(SettingsInvalid):
        acme_lite.change(settings_from({"do_not_import": [some, everybody]}))


def test_an_associated_field_that_names_nobody_is_warned_about(acme_lite: Acme) -> None:
    change = acme_lite.change(
        settings_from({"metadata": [{"name": "Buddy", "source": "job_title", "type": "associated"}]})
    )
    assert [problem.where for problem in change.warnings] == ["metadata.Buddy"]


def test_settings_can_be_changed_after_an_extract_that_cannot_be_used(acme_lite: Acme) -> None:
    for member_id in acme_lite.company.member_ids[:6]:
        acme_lite.company.edit(member_id, last_name=None)
    acme_lite.extract()
    assert acme_lite.switch("override_emails=true").version == 2


def test_renaming_metadata_moves_the_stored_values(acme: Acme) -> None:
    [member_id] = acme.active()[:1]
    title = acme.users()[member_id]["metadata"]["JobTitle"]
    entries = [entry.model_dump() for entry in acme.settings().metadata]
    entries[0]["name"] = "Role"
    acme.company.edit(member_id, department="Space")
    acme.preview()
    acme.change(settings_from({"metadata": entries}))
    metadata = acme.users()[member_id]["metadata"]
    assert metadata["Role"] == title
    assert "JobTitle" not in metadata
    assert acme.run().counts["updated"] == 1, "nothing but the department"


def test_employee_ids_and_the_directory_cannot_be_switched_once_users_exist(make_lite: MakeAcme) -> None:
    acme = make_lite(8)
    assert acme.switch("employee_ids=generated").version == 2
    assert acme.switch("employee_ids=justworks").version == 3
    acme.run()
    with pytest.raises(UsageError, match="employee_ids"):
        acme.switch("employee_ids=generated")
    with pytest.raises(UsageError, match="directory"):
        acme.switch("directory=elsewhere")
    assert acme.settings().employee_ids == "justworks"


def test_another_source_never_sees_the_token_of_the_one_before(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.switch("source=finch")
    with acme.services.store.read() as connection:
        assert get_integration(connection, "acme").connection == "disconnected"
    assert acme.sandbox.requests["POST /v1/oauth/revoke"] >= 1


def test_the_first_saved_import_starts_automatic_imports_when_asked(make_lite: MakeAcme) -> None:
    acme = make_lite(8, settings=Settings(start_automatic_imports=True))
    with acme.services.store.read() as connection:
        assert automation(connection, "acme").automatic == "off"
    acme.run()
    with acme.services.store.read() as connection:
        state = automation(connection, "acme")
    assert state.automatic == "running"
    assert state.last_due_at is not None


def test_what_if_shows_both_change_sets_and_stores_nothing(acme: Acme) -> None:
    [edited, rehired] = acme.active()[:2]
    acme.edit_user(edited, email="own@home.example", email_key="own@home.example", email_edited_by_user=True)
    acme.company.edit(rehired, rehire_dates=("2026-02-01",))
    acme.run()
    before = acme.users(), acme.counted()
    comparison = what_if(acme.services, "acme", changes=["override_emails=true", "hire_date_priority=latest"])
    assert comparison.today.counts["updated"] == 0
    assert comparison.then.counts["updated"] == 2
    assert comparison.settings.override_emails
    assert (acme.users(), acme.counted()) == before
    assert not acme.settings().override_emails
    with pytest.raises(SettingsInvalid):
        what_if(acme.services, "acme", changes=["override_emials=true"])


def test_an_earlier_extract_can_be_looked_at(acme_lite: Acme) -> None:
    acme = acme_lite
    first = acme.extract()
    acme.clock.advance(minutes=1)
    [changed] = acme.active()[:1]
    acme.company.edit(changed, job_title="Astronaut")
    acme.run()
    earlier = what_if(acme.services, "acme", extract_id=first.extract_id)
    assert earlier.today.counts["updated"] == 1
    with pytest.raises(UnknownName):
        what_if(acme.services, "acme", extract_id="20200101T000000Z-000000")


def test_every_source_field_is_listed_with_its_fill_rate_and_what_it_feeds(acme_lite: Acme) -> None:
    fields = {field.source: field for field in read_mapping(acme_lite.services, "acme")}
    assert fields["justworks_id"].feeds == ("employee_id",)
    assert fields["job_title"].feeds == ("#JobTitle",)
    assert fields["last_name"].fill_rate == 1
    assert fields["class_code"].fill_rate == 0
    assert fields["class_code"].sample is None
    assert fields["custom:Badge Number"].title == "Badge Number"


def test_settings_that_name_custom_fields_need_an_extract_with_their_values(make_lite: MakeAcme) -> None:
    acme = make_lite(employees=60)
    acme.run()
    changes = ["metadata=[{name: Badge, source: 'custom:Badge Number'}]"]
    with pytest.raises(UsageError, match="custom fields"):
        what_if(acme.services, "acme", changes=changes)
    acme.switch(*changes)
    done = acme.run()
    assert done.counts["updated"] > 20
    assert {row.changed for row in read_rows(acme.services, done.import_id)} == {("#Badge",)}
