"""The line in Dagster, over a real company: what each job does, what its run shows, what it never does unasked."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import dagster as dg
import pytest

from hris_pipeline.contract import COUNTS
from hris_pipeline.definitions import defs
from hris_pipeline.defs.assets.change_set import apply_change_set
from hris_pipeline.defs.metadata import import_markdown
from hris_pipeline.defs.runs import FAILURE_TAG, HELD_TAG, PLANNED_TAG
from hris_pipeline.errors import FrameInvalid, ImportHeld, SourceUnavailable, UnknownName, UsageError
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.settings import change_settings, read_settings
from hris_pipeline.operations.users import reporting
from hris_pipeline.reports.reporting_lines import SMALLEST_GROUP
from hris_pipeline.running import apply_config, members_config
from hris_pipeline_tests.kit.dagster_company import NAME, Company
from hris_pipeline_tests.kit.job_configs import approval_config, reason_config

GUARDS = 10


def approve_op() -> Any:
    """The one op of ``approve_import``."""
    return defs.resolve_job_def("approve_import").nodes[0].definition


def test_a_preview_plans_and_changes_nobody_and_save_applies_that_very_change_set(company: Company) -> None:
    previewed = company.run("preview_import")
    planned = company.import_(previewed.import_id)
    assert planned.status == "planned"
    assert planned.counts["created"] > 20
    assert planned.actor == "ann"
    metadata = company.metadata("change_set")
    assert {name: metadata[name].value for name in COUNTS} == planned.counts
    assert metadata["digest"].value == planned.digest
    assert metadata["summary"].value == import_markdown(planned)
    checks = company.checks(previewed.run_id)
    assert sum(key.startswith("change_set:") for key in checks) == GUARDS
    assert all(check.passed for check in checks.values())
    assert {check.metadata["integration"].value for check in checks.values()} == {NAME}

    saved = company.run("save_import", config=apply_config(planned.import_id))
    assert saved.import_id == planned.import_id
    assert company.import_(saved.import_id).status == "applied"
    assert company.metadata("applied_changes")["status"].value == "applied"


def test_a_leaver_whose_row_is_quarantined_is_archived_by_a_whole_import(company: Company) -> None:
    company.saved()
    people = company.sandbox.company
    managers = {person.manager for person in people.persons()}
    leaver = next(person.id for person in people.persons() if person.active and person.id not in managers)
    people.edit(leaver, birth_date="31/12/1980", active=False)
    done = company.run("import_users")
    assert company.import_(done.import_id).status == "applied"
    assert company.import_(done.import_id).counts["archived"] == 1


def test_a_run_stands_under_its_job_with_who_started_it(company: Company) -> None:
    company.run("preview_import", tags={"team": "hr"})
    run = company.last_run()
    assert run.job_name == "preview_import"
    assert run.tags[".dagster/repository"] == "__repository__@hris_pipeline"
    assert (run.tags["hris/actor"], run.tags["hris/trigger"], run.tags["team"]) == ("ann", "manual", "hr")
    assert run.tags["dagster/partition"] == NAME


def test_materializing_everything_plans_and_applies_nothing_however_often(company: Company) -> None:
    for _ in range(2):
        assert company.materialize().success
    planned = company.open_import()
    assert planned is not None
    assert planned.status == "planned"
    assert company.instance.get_latest_materialization_event(dg.AssetKey("applied_changes")) is None

    assert company.materialize("applied_changes").success
    assert company.import_(planned.import_id).status == "applied"


def test_a_whole_import_applies_and_a_second_one_finds_nothing_to_do(company: Company) -> None:
    first = company.import_(company.run("import_users").import_id)
    assert first.status == "applied"
    for asset in ("upcoming_milestones", "reporting_lines", "user_file"):
        assert company.metadata(asset)["dagster/row_count"].value >= 0
    second = company.import_(company.run("import_users", config=members_config("latest")).import_id)
    assert second.status == "applied"
    assert second.changes == 0
    assert second.counts["unchanged"] > 20


def test_the_reports_are_tables_of_ids_and_counts(company: Company) -> None:
    company.run("import_users")
    reporting, milestones = company.metadata("reporting_lines"), company.metadata("upcoming_milestones")
    lines = [record.data for record in reporting["lines"].records]
    people = {member.work_id for member in company.sandbox.company.persons()}
    assert {str(line["EmployeeId"]) for line in lines} <= people
    assert any(" → " in str(line["reports to"]) for line in lines)
    assert {record.data["dimension"] for record in reporting["headcount"].records} == {"department", "location", "role"}
    weeks = [record.data for record in milestones["by_week"].records]
    for kind in ("service_anniversary", "onboarding", "birthday"):
        assert sum(int(week[kind]) for week in weeks) == milestones[kind].value
    check_that_nobody_is_alone_in_a_headcount(company)


def check_that_nobody_is_alone_in_a_headcount(company: Company) -> None:
    counted = [record.data for record in company.metadata("reporting_lines")["headcount"].records]
    groups = [line for line in counted if line["value"] != "other"]
    assert groups
    assert all(int(line["active_count"]) >= SMALLEST_GROUP for line in groups)
    heads = reporting(company.services, NAME)[1]
    assert (heads["active_count"] < SMALLEST_GROUP).any(), "what the console shows has them"
    for dimension, total in heads.groupby("dimension")["active_count"].sum().items():
        assert sum(int(line["active_count"]) for line in counted if line["dimension"] == dimension) == total


def test_a_held_import_ends_red_with_the_figures_and_an_approval_lets_it_through(company: Company) -> None:
    company.saved()
    company.sandbox.company.add()
    company.sandbox.fault("short_list")
    with pytest.raises(ImportHeld, match="incomplete_extract: incomplete, limit a complete extract") as raised:
        company.run("import_users")
    run = company.last_run()
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert run.tags[HELD_TAG] == "incomplete_extract"
    held = company.import_(run.tags[PLANNED_TAG])
    assert held.status == "held"
    assert held.digest in str(raised.value)
    checks = company.checks(run.run_id)
    assert {key for key, evaluation in checks.items() if not evaluation.passed} == {"change_set:incomplete_extract"}
    assert checks["change_set:incomplete_extract"].severity is dg.AssetCheckSeverity.ERROR
    assert company.metadata("change_set")["held_by"].value == "incomplete_extract"

    with pytest.raises(ImportHeld):
        company.run("save_import")
    company.run("approve_import", config=approval_config(held.import_id, held.digest, "ann", "known"))
    company.run("import_users")
    assert company.import_(held.import_id).status == "applied"


def test_a_held_run_says_so_first_and_what_it_planned_is_there_to_be_looked_at(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRIS_CONSOLE_URL", "https://console.example")
    company.saved()
    company.sandbox.company.add()
    company.sandbox.fault("short_list")
    with pytest.raises(ImportHeld, match="HELD, not broken: import"):
        company.run("import_users")
    run = company.last_run()
    (failure,) = company.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert failure.step_key is not None
    assert failure.step_key.startswith("applied_changes")
    event = failure.dagster_event
    assert event is not None
    data = event.step_failure_data
    assert data.error is not None
    assert data.error.cause is None
    assert data.error.stack == [], "nothing of Dagster's insides below the text"
    assert data.user_failure_data is not None
    page = f"https://console.example/i/{NAME}/imports/{run.tags[PLANNED_TAG]}"
    assert data.user_failure_data.metadata["review"].value == page
    assert not hasattr(sys, "tracebacklimit"), "errors after it show where they were raised"
    text = str(data.user_failure_data.description)
    assert text.index(page) < text.index("approve_import") < text.index("hris approve")


def test_a_held_run_of_the_daemon_makes_everything_but_what_is_held(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)  # the run's process would end here
    company.saved()
    company.sandbox.company.add()
    company.sandbox.fault("short_list")
    ended = defs.resolve_job_def("import_users").execute_in_process(
        instance=company.instance,
        partition_key=NAME,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert not ended.success
    made = company.instance.all_logs(ended.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assets = {
        entry.dagster_event.asset_key.to_user_string()
        for entry in made
        if entry.dagster_event and entry.dagster_event.asset_key
    }
    reports = {"upcoming_milestones", "reporting_lines"}
    assert assets == {"justworks_members", "employees", "mapped_users", "change_set", "user_file"} | reports
    for report in reports:
        entry = company.instance.get_latest_materialization_event(dg.AssetKey(report))
        assert entry is not None
        assert (entry.run_id, entry.dagster_event and entry.dagster_event.partition) == (ended.run_id, NAME)
        assert int(str(company.metadata(report)["dagster/row_count"].value)) >= 0


@pytest.mark.parametrize(("op_of", "required"), [(approve_op, True), (lambda: apply_change_set, False)])
def test_the_launchpad_shows_who_and_why_and_nothing_else(op_of: Callable[[], Any], required: bool) -> None:
    fields = op_of().config_schema.config_type.fields.items()
    displayed = {name: field.is_required for name, field in fields if field.is_required or field.default_provided}
    assert displayed == {"by": required, "reason": required, **({"digest": True} if required else {})}


def test_an_approval_from_the_launchpad_asks_for_name_reason_and_exactly_what(company: Company) -> None:
    company.saved()
    company.sandbox.company.add()
    company.sandbox.fault("short_list")
    with pytest.raises(ImportHeld):
        company.run("import_users")
    held = company.last_run().tags[PLANNED_TAG]
    approval = {"by": "ann", "reason": "known", "digest": company.import_(held).digest}
    with pytest.raises(UsageError):
        company.run("approve_import", config={"ops": {"approve": {"config": approval | {"digest": "another"}}}})
    company.run("approve_import", config={"ops": {"approve": {"config": approval}}})
    company.run(
        "save_import",
        config={
            "ops": {"applied_changes": {"ops": {"apply_change_set": {"config": {"by": "bea", "reason": "looked"}}}}}
        },
    )
    assert company.import_(held).status == "applied"
    save, approve = decisions_of(company.services, NAME)[:2]
    assert (save.action, save.name, save.method, save.reason, save.outcome) == (
        "save",
        "bea",
        "dagster",
        "looked",
        "done",
    )
    assert (approve.action, approve.name, approve.reason) == ("approve", "ann", "known")


def test_saving_what_is_held_says_so_in_the_same_words(company: Company) -> None:
    company.saved()
    company.sandbox.company.add()
    company.sandbox.fault("short_list")
    company.run("preview_import")
    with pytest.raises(ImportHeld, match="HELD, not broken: import"):
        company.run("save_import")
    (failure,) = company.instance.all_logs(company.last_run().run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert failure.dagster_event is not None
    assert failure.dagster_event.step_failure_data.error is not None
    assert failure.dagster_event.step_failure_data.error.stack == []
    assert decisions_of(company.services, NAME)[0].outcome == "ImportHeld"


@pytest.mark.parametrize("job", ["save_import", "pause_imports", "refresh_connection"])
def test_a_job_without_a_partition_says_so(company: Company, job: str) -> None:
    config = {"ops": {"pause": {"config": {"reason": "x"}}}} if job == "pause_imports" else {}
    with pytest.raises(UsageError, match=f"{job} was launched for no integration: choose one as the partition"):
        defs.resolve_job_def(job).execute_in_process(
            instance=company.instance,
            run_config={**config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def test_a_held_preview_is_no_failure(company: Company) -> None:
    company.saved()
    company.sandbox.fault("short_list")
    assert company.import_(company.run("preview_import").import_id).status == "held"
    assert company.last_run().status is dg.DagsterRunStatus.SUCCESS


def test_bad_rows_can_be_followed_from_the_check_to_the_people(make_company: Callable[..., Company]) -> None:
    company = make_company(60)
    run_id = company.run("preview_import").run_id
    check = company.checks(run_id)["employees:rows_valid"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    table = check.metadata["failed_rows"]
    assert isinstance(table, dg.TableMetadataValue)
    ids = {str(name) for record in table.records for name in str(record.data["EmployeeIds"]).split(", ")}
    planned = company.open_import()
    assert planned is not None
    assert ids == set(planned.diagnostics["quarantined"])
    assert check.metadata["quarantined"].value == planned.counts["quarantined"]


def test_an_unusable_extract_fails_the_check_and_leaves_a_failed_import(company: Company) -> None:
    company.sandbox.fault("empty_list")
    with pytest.raises(FrameInvalid, match="holds no members"):
        company.run("preview_import")
    run = company.last_run()
    check = company.checks(run.run_id)["employees:extract_usable"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "holds no members" in run.tags[FAILURE_TAG]
    assert company.failed_imports() == [run.tags[FAILURE_TAG]]
    [failed] = history(company.services, NAME, ["failed"])
    assert failed.extract_id == company.metadata("justworks_members")["extract_id"].value


def test_settings_that_change_while_users_are_mapped_are_not_those_that_the_frame_names(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_settings(company.services, NAME)
    module = import_module("hris_pipeline.defs.assets.employees")  # the package gives the asset under that name
    build = module.build_mapped_users

    def change_and_build(*arguments: Any) -> Any:
        others = before.settings.model_copy(update={"exclude_fields": ("birth_date",)})
        change_settings(company.services, NAME, others, "bea")
        return build(*arguments)

    monkeypatch.setattr(module, "build_mapped_users", change_and_build)
    assert company.materialize("justworks_members", "employees", "mapped_users").success
    assert read_settings(company.services, NAME).digest != before.digest
    assert company.metadata("mapped_users")["settings_digest"].value == before.digest
    assert not company.materialize("change_set").success
    assert "materialize mapped_users for acme again" in company.last_run().tags[FAILURE_TAG]


def test_the_commands_error_is_the_pipelines_own(company: Company) -> None:
    company.sandbox.fault("not_json")
    with pytest.raises(SourceUnavailable) as raised:
        company.run("preview_import")
    assert raised.value.__cause__ is None
    with pytest.raises(UnknownName, match="no integration 'acne'"):
        company.run_for("acne", "preview_import")
    assert "acne" not in company.instance.get_dynamic_partitions("integration")


def test_the_columns_lineage_goes_from_the_members_field_to_the_users(company: Company) -> None:
    company.run("preview_import")
    members = {column.name for column in company.metadata("justworks_members")["dagster/column_schema"].schema.columns}
    employees = company.metadata("employees")["dagster/column_lineage"].lineage.deps_by_column
    users = company.metadata("mapped_users")["dagster/column_lineage"].lineage.deps_by_column
    assert users["supervisor_id"] == [dg.TableColumnDep(dg.AssetKey("employees"), "supervisor_hris_id")]
    assert users["#JobTitle"] == [dg.TableColumnDep(dg.AssetKey("employees"), "job_title")]
    assert employees["justworks_id"] == [dg.TableColumnDep(dg.AssetKey("justworks_members"), "work_id")]
    assert {dep.column_name for deps in employees.values() for dep in deps} <= members
    columns = {column.name for column in company.metadata("employees")["dagster/column_schema"].schema.columns}
    assert {dep.column_name for deps in users.values() for dep in deps} <= columns


def test_a_kept_extract_is_planned_without_a_call_to_the_source(company: Company) -> None:
    company.run("preview_import")
    asked = company.sandbox.requests.total()
    company.run("preview_import", config=members_config("latest"))
    assert company.materialize("employees", "mapped_users", "change_set").success
    assert company.sandbox.requests.total() == asked


def test_frames_of_another_extract_are_refused_by_name(company: Company) -> None:
    company.run("preview_import")
    company.materialize("justworks_members")
    assert not company.materialize("change_set").success
    assert "materialize mapped_users for acme again" in company.last_run().tags[FAILURE_TAG]
    assert not company.materialize("mapped_users").success
    assert "materialize employees for acme again" in company.last_run().tags[FAILURE_TAG]
    assert company.materialize("employees", "mapped_users", "change_set").success


def test_an_automatic_run_of_a_paused_integration_ends_as_skipped(company: Company) -> None:
    company.saved()
    company.run("pause_imports", config=reason_config("pause_imports", "", "audit"))
    asked = company.sandbox.requests.total()
    ended = company.run("import_users", trigger="schedule", actor="daily_imports")
    assert ended.skipped is not None
    assert "paused by ann" in ended.skipped
    assert company.last_run().status is dg.DagsterRunStatus.SUCCESS
    assert company.sandbox.requests.total() == asked
    assert company.run("import_users").skipped is None
