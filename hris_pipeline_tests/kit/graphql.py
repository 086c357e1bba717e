"""A person at the UI: what its pages send to the webserver's API."""

from typing import Any

import dagster as dg

from hris_pipeline_tests.kit.machine import Machine, Webserver

__all__ = ["Ui"]

LAUNCH = """mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message } } }"""
BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message } } }"""
ASSETS = "{ assetNodes { assetKey { path } isMaterializable } }"


class Ui:
    """A person at the UI of a machine."""

    def __init__(self, machine: Machine, webserver: Webserver) -> None:
        self.machine, self.webserver = machine, webserver

    def launch(self, job: str, name: str, *assets: str) -> dg.DagsterRun:
        """Launches a job for one integration, and waits for its end; no config, as the UI sends none."""
        selector: dict[str, Any] = {
            "repositoryLocationName": "hris_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        if assets:
            selector["assetSelection"] = [{"path": [asset]} for asset in assets]
        tags = [{"key": "dagster/partition", "value": name}]
        params = {"selector": selector, "mode": "default", "runConfigData": {}, "executionMetadata": {"tags": tags}}
        run_id = self.webserver.ask(LAUNCH, params=params)["launchPipelineExecution"]["run"]["runId"]
        self.machine.ended(len(self.machine.runs(name)), name)
        run = self.machine.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def backfill(self, assets: tuple[str, ...], names: tuple[str, ...]) -> list[dg.DagsterRun]:
        """Backfills the assets over the integrations, and waits for the end of their runs."""
        params = {"assetSelection": [{"path": [asset]} for asset in assets], "partitionNames": list(names)}
        backfill_id = self.webserver.ask(BACKFILL, params=params)["launchPartitionBackfill"]["backfillId"]
        return self.machine.ended(len(names), seconds=60 + 20 * len(names), **{"dagster/backfill": backfill_id})

    def materializable(self) -> list[str]:
        """Everything that "materialize all" materializes."""
        nodes = self.webserver.ask(ASSETS)["assetNodes"]
        return [node["assetKey"]["path"][0] for node in nodes if node["isMaterializable"]]
