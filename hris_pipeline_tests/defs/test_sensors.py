"""What happens when an import failed or did not happen, and when settings change."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from hris_pipeline.definitions import defs
from hris_pipeline.defs.assets.employees import observe_settings, out_of_date
from hris_pipeline.defs.automation import failed_imports, retention, settings_observation, stalled_imports
from hris_pipeline.errors import HrisError, ImportHeld
from hris_pipeline.operations.settings import change_settings, read_settings
from hris_pipeline.running import apply_config
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.automation import read_automations
from hris_pipeline_tests.kit.dagster_company import NAME, Company

DUE = datetime.now(UTC) + timedelta(days=1)
TAGS = {"hris/due": DUE.isoformat(), "hris/due_key": "k", "hris/attempt": "0"}


@pytest.fixture
def automatic(make_company: Callable[..., Company]) -> Company:
    """A company with one saved import and automatic imports running."""
    return make_company(12).saved()


def tell(company: Company) -> None:
    """Tells the sensor of the last run, as the daemon does."""
    run = company.last_run()
    records = company.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    event = records[-1].dagster_event
    assert event is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_imports",
        dagster_event=event,
        dagster_instance=company.instance,
        dagster_run=run,
        resources={"services": company.services},
    ).for_run_failure()
    failed_imports(context, services=company.services)


def attempts(company: Company) -> int:
    with company.services.store.read() as connection:
        return read_automations(connection, NAME)[0].attempts


def test_a_failed_automatic_import_is_counted_once_and_stands_in_the_store(automatic: Company) -> None:
    automatic.sandbox.fault("empty_list")
    with pytest.raises(HrisError):
        automatic.run("import_users", trigger="schedule", tags=TAGS)
    for _ in range(2):
        tell(automatic)
    assert attempts(automatic) == 1
    assert len(automatic.failed_imports()) == 1


def test_a_held_import_is_no_failure(automatic: Company) -> None:
    automatic.sandbox.company.add()
    automatic.sandbox.fault("short_list")
    with pytest.raises(ImportHeld):
        automatic.run("import_users", trigger="schedule", tags=TAGS)
    tell(automatic)
    assert attempts(automatic) == 0
    assert automatic.failed_imports() == []


def test_a_run_whose_process_died_leaves_a_failed_import_too(automatic: Company) -> None:
    run = automatic.instance.create_run_for_job(
        defs.resolve_job_def("import_users"),
        tags={"dagster/partition": NAME, "hris/trigger": "schedule", "hris/actor": "daily_imports", **TAGS},
    )
    automatic.instance.report_run_failed(run, "gone")
    tell(automatic)
    assert automatic.failed_imports() == ["the run ended without a word: its process died or never started"]
    assert attempts(automatic) == 1


def test_an_integration_without_good_imports_is_reported(automatic: Company) -> None:
    def look(days: int) -> str:
        later = replace(automatic.services, now=lambda: datetime.now(UTC) + timedelta(days=days))
        with dg.build_sensor_context(instance=automatic.instance) as context:
            return str(stalled_imports(context, services=later))

    assert "No integration is stalled" in look(0)
    assert f"Stalled: {NAME}." in look(3)


def test_changed_settings_mark_mapped_users_as_out_of_date_until_they_are_made_again(company: Company) -> None:
    company.run("preview_import")
    planned = company.open_import()
    assert planned is not None
    company.run("save_import", config=apply_config(planned.import_id))
    assert "mapped_users" not in out_of_date(defs, company.instance, NAME)
    change_settings(company.services, NAME, Settings(override_emails=True), "ann")
    observe_settings(company.instance, read_settings(company.services, NAME))
    assert "mapped_users" in out_of_date(defs, company.instance, NAME)
    assert company.materialize("mapped_users", "change_set").success
    assert "mapped_users" not in out_of_date(defs, company.instance, NAME)


def test_mapped_users_made_before_the_change_was_observed_are_not_taken_for_old(company: Company) -> None:
    company.run("preview_import")
    change_settings(company.services, NAME, Settings(override_emails=True), "ann")
    company.materialize("mapped_users")
    observe_settings(company.instance, read_settings(company.services, NAME))
    assert "mapped_users" not in out_of_date(defs, company.instance, NAME)


def test_the_sensor_observes_each_change_of_settings_once(company: Company) -> None:
    def look(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
        context = dg.build_sensor_context(instance=company.instance, cursor=cursor)
        seen = settings_observation(context, services=company.services)
        assert isinstance(seen, dg.SensorResult | dg.SkipReason)
        return seen

    first = look(None)
    assert isinstance(first, dg.SensorResult)
    assert [event.partition for event in first.asset_events] == [NAME]
    assert isinstance(look(first.cursor), dg.SkipReason)
    change_settings(company.services, NAME, Settings(override_emails=True), "ann")
    second = look(first.cursor)
    assert isinstance(second, dg.SensorResult)
    (event,) = second.asset_events
    assert isinstance(event, dg.AssetObservation)
    assert event.tags == {"dagster/data_version": Settings(override_emails=True).digest()}


def test_retention_leaves_what_is_young(company: Company) -> None:
    company.run("preview_import")
    with dg.build_sensor_context(instance=company.instance) as context:
        result = retention(context, services=company.services)
    assert "Removed 0 extracts and 0 frames" in str(result)
