"""From members to users, the whole way: who left is seen to have left, whatever else is wrong; what would change is
what changes; what the source offers is shown as far as it is known."""

from datetime import timedelta
from typing import Any

import pytest

from hris_pipeline.contract import COUNTS
from hris_pipeline.errors import SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations.members import read_mapping
from hris_pipeline.operations.planning import what_if
from hris_pipeline.operations.users import reporting
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import add_metadata, rename_metadata
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.clock import MONDAY
from hris_pipeline_tests.kit.staged_rows import read_rows

YESTERDAY = MONDAY.date() - timedelta(days=1)
FAULTS: tuple[dict[str, Any], ...] = (
    {"birth_date": "31/12/1980"},
    {"work_id": None},
    {"last_name": None},
    {"home": None, "country": "Narnia"},
)


def test_a_leaver_is_archived_whatever_else_is_wrong_with_the_row(acme: Acme) -> None:
    leavers = acme.active()[: len(FAULTS)]
    for hris_id, fault in zip(leavers, FAULTS, strict=True):
        acme.company.edit(hris_id, **fault)
        acme.company.terminate(hris_id, YESTERDAY)
    done = acme.run()
    assert set(leavers) <= acme.archived()
    assert done.counts["archived"] == len(FAULTS)


def test_a_leavers_work_id_given_to_somebody_at_once_quarantines_nobody(acme: Acme) -> None:
    [leaver] = acme.active()[:1]
    acme.company.terminate(leaver, YESTERDAY)
    acme.company.add(work_id=acme.users()[leaver]["employee_id"])
    assert acme.run().counts["quarantined"] == 0


def test_a_termination_of_an_earlier_spell_ends_nothing(acme: Acme) -> None:
    [person] = acme.active()[:1]
    acme.company.edit(person, start_date="2020-01-01", termination_date="2024-05-01", rehire_dates=("2025-06-01",))
    assert acme.run().counts["archived"] == 0
    assert acme.users()[person]["status"] == "active"


def test_a_start_to_come_hides_nobody_and_moves_no_hire_date_before_its_day(acme: Acme) -> None:
    acme.switch("hire_date_priority=latest", "override_hire_date=true")
    acme.run()
    [person] = acme.active()[:1]
    tomorrow = MONDAY.date() + timedelta(days=1)
    before = acme.users()[person]["hire_date"]
    acme.company.edit(person, rehire_dates=(tomorrow.isoformat(),))
    acme.run()
    assert acme.users()[person]["hire_date"] == before
    assert acme.users()[person]["status"] == "active"
    acme.tomorrow()
    acme.run()
    assert acme.users()[person]["hire_date"] == tomorrow


RENAMED = [
    "metadata=[{name: Title, source: job_title}]",
    "exclude_fields=[phone_number]",
    "hire_date_priority=latest",
]


@pytest.mark.parametrize("change", RENAMED)
def test_what_if_is_the_plan_after_the_change(acme: Acme, change: str) -> None:
    [rehired] = acme.active()[:1]
    acme.company.edit(rehired, rehire_dates=("2026-02-01",))
    acme.extract()
    expected = what_if(acme.services, "acme", changes=[change])
    before = acme.users()
    assert acme.users() == before
    acme.switch(change)
    planned = acme.preview()
    assert {name: expected.then.counts[name] for name in COUNTS} == planned.counts
    assert len(expected.then.rows) == len(read_rows(acme.services, planned.import_id))


def test_a_metadata_rename_touches_nobody_as_the_plan_after_it_shows(acme: Acme) -> None:
    renamed = rename_metadata(acme.settings(), "JobTitle", "Title")
    looked_at = what_if(acme.services, "acme", settings=renamed)
    acme.change(renamed)
    assert len(looked_at.then.rows) == len(read_rows(acme.services, acme.preview().import_id)) == 0


def test_what_a_change_of_settings_touches_is_the_difference_it_makes(acme: Acme) -> None:
    waiting, other = acme.active()[:2]
    acme.company.edit(waiting, job_title="Astronaut")
    acme.preview()
    looked_at = what_if(acme.services, "acme", settings=rename_metadata(acme.settings(), "JobTitle", "Title"))
    assert (len(looked_at.then.rows), looked_at.touched) == (1, 0), "that row waits under the old name as well"
    assert looked_at.renamed > 1
    assert what_if(acme.services, "acme").touched == 0
    acme.company.edit(other, active=False)
    acme.preview()
    kept = what_if(acme.services, "acme", changes=["archive_employees=off"])
    assert (len(kept.today.rows), len(kept.then.rows), kept.touched) == (2, 1, 1)


def test_what_cannot_be_set_cannot_be_looked_at(acme: Acme) -> None:
    with pytest.raises(UsageError, match="cannot be switched to generated"):
        acme.switch("employee_ids=generated")
    with pytest.raises(UsageError, match="cannot be switched to generated"):
        what_if(acme.services, "acme", changes=["employee_ids=generated"])
    everybody = "do_not_import=[{name: All, any: [{field: last_name, operator: is_not_empty}]}]"
    with pytest.raises(SettingsInvalid, match="matches everybody"):
        what_if(acme.services, "acme", changes=[everybody])
    with pytest.raises(UsageError, match="was read from justworks"):
        what_if(acme.services, "acme", changes=["source=finch"])


def test_an_associated_supervisor_is_shown_among_the_approvers(acme: Acme) -> None:
    buddy, person = acme.active()[:2]
    acme.change(add_metadata(acme.settings(), "Buddy", "employment_subtype", "associated"))
    acme.company.edit(person, employment_type=acme.users()[buddy]["employee_id"])
    acme.run()
    lines, _ = reporting(acme.services, "acme")
    own_lines = lines[lines["employee_id"] == acme.users()[person]["employee_id"]]
    assert [list(approvers) for approvers in own_lines["approvers"]] == [[acme.users()[buddy]["employee_id"]]]


def test_headcount_by_department_survives_a_rename(acme: Acme) -> None:
    _, before = reporting(acme.services, "acme")
    acme.change(rename_metadata(acme.settings(), "Department", "Team"))
    _, after = reporting(acme.services, "acme")
    assert "department" in set(before["dimension"])
    assert after.equals(before)


def test_custom_fields_nobody_mapped_are_shown_of_the_sample_that_was_asked(make_lite: MakeAcme) -> None:
    acme = make_lite(employees=60)
    acme.run()
    fields = {field.source: field for field in read_mapping(acme.services, "acme")}
    badge = fields["custom:Badge Number"]
    assert badge.sampled
    assert badge.asked == 50
    assert badge.filled.endswith("of 50 asked")
    assert not fields["job_title"].sampled


def test_fields_and_rules_are_looked_at_before_there_is_an_import(make_lite: MakeAcme) -> None:
    acme = make_lite(employees=60)
    fields = {field.source: field for field in read_mapping(acme.services, "acme")}
    assert {"custom:Badge Number", "job_title"} <= fields.keys()
    assert fields["custom:Badge Number"].filled.endswith("% of 50 asked")
    assert fields["custom:Badge Number"].sample is not None
    badged = {"field": "custom:Badge Number", "operator": "not_equals", "value": "none"}
    employed = {"field": "last_name", "operator": "is_not_empty"}
    rules = [{"name": "Badged", "any": [badged]}, {"name": "Named", "any": [employed]}]
    change = acme.change(Settings.model_validate({"do_not_import": rules}))
    assert [warning.message for warning in change.warnings] == [
        "rule 'Badged' matches all 50 people asked so far",
        "rule 'Named' matches all 50 people asked so far",
    ]
    unknown = {"name": "Pets", "any": [badged | {"field": "custom:Pet"}]}
    with pytest.raises(SettingsInvalid, match="no custom field 'Pet'"):
        acme.change(Settings.model_validate({"do_not_import": [unknown]}))
    with pytest.raises(UnknownName, match="No extract of acme is kept"):
        what_if(acme.services, "acme")
    looked = acme.services.archive.latest_look("acme")
    assert looked is not None
    with pytest.raises(UnknownName, match="only the first page was read"):
        what_if(acme.services, "acme", extract_id=looked.extract_id)


def test_connecting_does_not_depend_on_the_look_at_fields(make_lite: MakeAcme) -> None:
    acme = make_lite(employees=12)
    acme.services.archive.delete("acme")
    acme.fault("server_error", path="/v1/members")
    acme.connect()
    with pytest.raises(UnknownName, match="No extract of acme is kept"):
        read_mapping(acme.services, "acme")


def test_a_rule_on_custom_fields_is_checked_as_soon_as_there_are_values(make_lite: MakeAcme) -> None:
    rule = {"name": "Badged", "any": [{"field": "custom:Badge Number", "operator": "not_equals", "value": "none"}]}
    acme = make_lite(employees=12, settings=Settings.model_validate({"do_not_import": [rule]}))
    with pytest.raises(SettingsInvalid, match="'Badged' matches everybody"):
        acme.preview()
