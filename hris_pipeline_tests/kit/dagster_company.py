"""A company whose jobs run in Dagster, in this process: what a test does to it, and what it looks at afterwards."""

import warnings
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import resume
from hris_pipeline.operations.decisions import open_import, save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.store.imports import Import
from hris_pipeline.store.tables import imports
from hris_pipeline_tests.kit.planning import plan_extract

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Dagster looks at its config classes in a way that pydantic has deprecated
    from hris_pipeline.definitions import defs
    from hris_pipeline.running import JobResult, run_job

__all__ = ["NAME", "Company"]

NAME = "acme"


@dataclass
class Company:
    """A connected integration with everything a test wants to do to it."""

    sandbox: Sandbox
    environment: Environment
    services: Services
    instance: dg.DagsterInstance

    def run(self, job: str, **options: Any) -> JobResult:
        """Runs a job as the command line does."""
        return self.run_for(NAME, job, **options)

    def run_for(self, integration_id: str, job: str, **options: Any) -> JobResult:
        """Runs a job for an integration of any name."""
        return run_job(job, integration_id, **{"actor": "ann", "instance": self.instance, **options})

    def saved(self) -> "Company":
        """Has one saved manual import, made without Dagster, and automatic imports running."""
        plan_extract(self.services, extract_members(self.services, NAME), actor="ann")
        save_import(self.services, NAME, actor="ann")
        self.resume()
        return self

    def resume(self) -> None:
        """Starts automatic imports."""
        resume(self.services, NAME, "ann", "go")

    def failed_imports(self) -> list[str]:
        """The messages of the failed imports, oldest first."""
        failed = sa.select(imports.c.message).where(imports.c.status == "failed").order_by(imports.c.planned_at)
        with self.services.store.read() as connection:
            return list(connection.execute(failed).scalars())

    def materialize(self, *assets: str, **options: Any) -> dg.ExecuteInProcessResult:
        """Materializes assets as the UI does; none named: all of them."""
        return defs.resolve_job_def("__ASSET_JOB").execute_in_process(
            instance=self.instance,
            partition_key=NAME,
            asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            **options,
        )

    def import_(self, import_id: str | None) -> Import:
        """An import as the store has it."""
        assert import_id is not None
        return read_import(self.services, import_id)

    def open_import(self) -> Import | None:
        """The one open import."""
        return open_import(self.services, NAME)

    def metadata(self, asset: str) -> dict[str, Any]:
        """What the asset's latest materialization says."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return dict(event.asset_materialization.metadata)

    def checks(self, run_id: str) -> dict[str, dg.AssetCheckEvaluation]:
        """The check results of a run, by ``asset:check``."""
        records = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        evaluations = [entry.dagster_event.asset_check_evaluation_data for entry in records if entry.dagster_event]
        return {
            f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}": evaluation for evaluation in evaluations
        }

    def last_run(self) -> dg.DagsterRun:
        """The newest run."""
        return self.instance.get_runs(limit=1)[0]
