"""What Dagster keeps of runs: old ones go by their outcome, the latest materializations stay, and so do the imports."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from hris_pipeline.defs.jobs import PruneConfig, prune_runs
from hris_pipeline_tests.kit.dagster_company import NAME, Company


def ids(company: Company) -> set[str]:
    return {run.run_id for run in company.instance.get_runs()}


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_old_runs_go_by_their_outcome_and_the_latest_materializations_stay(company: Company) -> None:
    company.run("preview_import")
    company.run("preview_import")
    latest = company.run("preview_import").run_id
    failed = company.instance.create_run_for_job(
        dg.GraphDefinition("gone", node_defs=[]).to_job(),
        tags={".dagster/repository": "__repository__@hris_pipeline"},
        status=dg.DagsterRunStatus.FAILURE,
    ).run_id
    foreign = company.instance.create_run_for_job(
        dg.GraphDefinition("other", node_defs=[]).to_job(), status=dg.DagsterRunStatus.SUCCESS
    ).run_id
    running = company.instance.create_run_for_job(
        dg.GraphDefinition("going", node_defs=[]).to_job(),
        tags={".dagster/repository": "__repository__@hris_pipeline"},
        status=dg.DagsterRunStatus.STARTED,
    ).run_id
    config = PruneConfig(success_days=10, failure_days=30)

    assert prune_runs(company.instance, config, in_days(9)) == 0
    assert prune_runs(company.instance, config, in_days(11)) == 2
    assert ids(company) == {latest, failed, foreign, running}
    assert prune_runs(company.instance, config, in_days(31)) == 1
    assert ids(company) == {latest, foreign, running}
    for asset in ("justworks_members", "employees", "mapped_users", "change_set", "user_file"):
        filters = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[NAME])
        assert [record.run_id for record in company.instance.fetch_materializations(filters, limit=9).records] == [
            latest
        ]
    assert company.open_import() is not None


def test_no_metadata_is_kept_twice(company: Company) -> None:
    run_id = company.run("import_users").run_id
    outputs = company.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)
    kept = {
        entry.step_key: len(entry.dagster_event.step_output_data.metadata or {})
        for entry in outputs
        if entry.dagster_event
    }
    assert {
        name: number for name, number in kept.items() if number and not str(name).startswith(("change", "appl"))
    } == {}


def test_on_sqlite_the_file_of_a_runs_events_goes_with_it(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        runs = [
            instance.create_run_for_job(
                dg.GraphDefinition("gone", node_defs=[]).to_job(),
                tags={".dagster/repository": "__repository__@hris_pipeline"},
                status=status,
            )
            for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED)
        ]
        for run in runs:
            instance.report_engine_event("said", run)
        old, running = (run.run_id for run in runs)

        def kept(run_id: str) -> list[Path]:
            return list(tmp_path.rglob(f"{run_id}.db*"))

        assert kept(old)
        assert prune_runs(instance, PruneConfig(), in_days(90)) == 1
        assert not kept(old)
        assert kept(running)
