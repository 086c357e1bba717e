"""A real Dagster instance over a home with many companies: its daemon, its webserver, and its clock.

Nothing waits for a quarter hour: before a daemon starts, its schedule is told that it was down when the last quarter
hour struck, so its first look at the clock is that tick.
"""

import dataclasses
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.run_status_sensor_definition import RunStatusSensorCursor
from dagster._core.remote_origin import RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    ScheduleInstigatorData,
    SensorInstigatorData,
)
from dagster._core.workspace.load_target import WorkspaceFileTarget

from hris_pipeline.defs.runs import add_partition
from hris_pipeline_tests.kit.automatic_companies import Companies
from hris_pipeline_tests.kit.processes import Group, until

__all__ = ["ENDED", "PROJECT", "Machine", "MakeMachine", "Webserver", "machine_of"]

PROJECT = Path(__file__).parents[2]
WORKSPACE = PROJECT / "workspace.yaml"
QUARTER_HOUR = 900
ENDED = frozenset({dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})


class Webserver:
    """The UI's own API."""

    def __init__(self, url: str, group: Group) -> None:
        self.url = url
        self.group = group
        self._client = httpx.Client(timeout=120)

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of one GraphQL operation."""
        answer = self._client.post(f"{self.url}/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def close(self) -> None:
        """Ends the connection, not the server."""
        self._client.close()


@dataclasses.dataclass
class Machine:
    """The companies, the instance that runs their imports, and where its processes print."""

    companies: Companies
    instance: dg.DagsterInstance
    logs: Path
    workspace: Path = WORKSPACE

    def know(self, *names: str) -> None:
        """Makes integrations partitions of this instance; every company by default."""
        for name in names or tuple(self.companies.by_name):
            add_partition(self.instance, name)

    @contextmanager
    def daemon(self, *strikes: str) -> Iterator[Group]:
        """The daemon, until the block ends; ``strikes``: the schedules whose last quarter hour it finds missed."""
        self._struck(strikes)
        group = self._start("dagster._daemon", "run", name="daemon")
        try:
            yield group
        finally:
            group.stop()

    @contextmanager
    def code_server(self, command: str) -> Iterator[Group]:
        """A code server, once it has the code and until the block ends; ``command`` as one types it."""
        group = Group(command.split(), self.companies.environ, self.logs / "code_server.log")
        try:
            until(lambda: "Started Dagster code proxy server" in group.output, what="the code server")
            yield group
        finally:
            group.stop()

    def webserver(self) -> AbstractContextManager[Webserver]:
        """The webserver, until the block ends."""
        return self._served("dagster_webserver", name="webserver")

    def dev(self, *strikes: str) -> AbstractContextManager[Webserver]:
        """``dagster dev``, webserver and daemon together, until the block ends; ``strikes`` as for the daemon."""
        self._struck(strikes)
        return self._served("dagster", "dev", name="dev")

    @contextmanager
    def _served(self, *command: str, name: str) -> Iterator[Webserver]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        group = self._start(*command, "-h", "127.0.0.1", "-p", str(port), name=name)
        server = Webserver(f"http://127.0.0.1:{port}", group)
        try:
            until(lambda: not group.alive or _answers(server.url), what="the webserver")
            assert group.alive, group.output[-2000:]
            yield server
        finally:
            server.close()
            group.stop()

    def runs(self, name: str | None = None, **tags: str) -> list[dg.DagsterRun]:
        """The runs of one integration, or all of them, oldest first."""
        partition = {"dagster/partition": name} if name else {}
        filters = dg.RunsFilter(tags={**partition, **tags})
        return list(reversed(self.instance.get_runs(filters)))

    def ended(self, runs: int, name: str | None = None, seconds: float = 240, **tags: str) -> list[dg.DagsterRun]:
        """So many runs, once there are as many and all have ended."""

        def find_runs() -> list[dg.DagsterRun]:
            there = self.runs(name, **tags)
            return there if len(there) >= runs and all(run.status in ENDED for run in there) else []

        return until(find_runs, seconds, what=f"the end of {runs} runs")

    def ticks(self, schedule: str, limit: int | None = None) -> Sequence[InstigatorTick]:
        """The schedule's ticks, newest first."""
        origin = self._origin(schedule)
        return self.instance.get_ticks(origin.get_id(), origin.get_selector().get_id(), limit=limit)

    def tick(self, schedule: str, seconds: float = 120, every: float = 0.1) -> InstigatorTick:
        """The schedule's latest tick, once it is over; looked for once in ``every`` seconds."""

        def over() -> InstigatorTick | None:
            ticks = self.ticks(schedule, limit=1)
            return ticks[0] if ticks and ticks[0].status.value not in ("STARTED", "FAILURE") else None

        tick = until(over, seconds, every, what=f"a tick of {schedule}")
        assert tick is not None
        return tick

    def sensor_looks_now(self, sensor: str) -> None:
        """The sensor's interval is over: the daemon asks it at its next turn."""
        selector = self._origin(sensor).get_selector().get_id()
        states = self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        for state in states:
            data = state.instigator_data
            if state.selector_id == selector and isinstance(data, SensorInstigatorData):
                early = data._replace(last_tick_timestamp=0.0, last_tick_start_timestamp=0.0)
                self.instance.update_instigator_state(state.with_data(early))

    def failures_watched(self) -> None:
        """The sensor of failed imports has looked before: what fails from now on is told to it."""
        origin = self._origin("failed_imports")
        now = time.time()
        nothing_yet = RunStatusSensorCursor(record_id=0)  # type: ignore[no-untyped-call]
        data = SensorInstigatorData(cursor=nothing_yet.to_json(), last_sensor_start_timestamp=now)
        self.instance.add_instigator_state(
            InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data)
        )

    def _struck(self, schedules: Iterable[str]) -> None:
        for schedule in schedules:
            origin = self._origin(schedule)
            origin_id, selector_id = origin.get_id(), origin.get_selector().get_id()
            self.instance.purge_ticks(origin_id, selector_id, time.time() + QUARTER_HOUR)
            if self.instance.get_instigator_state(origin_id, selector_id):
                self.instance.delete_instigator_state(origin_id, selector_id)
            data = ScheduleInstigatorData("*/15 * * * *", start_timestamp=time.time() - QUARTER_HOUR)
            self.instance.add_instigator_state(
                InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data)
            )

    def _origin(self, name: str) -> RemoteInstigatorOrigin:
        location = WorkspaceFileTarget([str(self.workspace)]).create_origins()[0]
        return RemoteRepositoryOrigin(location, "__repository__").get_instigator_origin(name)

    def _start(self, *command: str, name: str) -> Group:
        return Group([*command, "-w", str(self.workspace)], self.companies.environ, self.logs / f"{name}.log")


MakeMachine = Callable[..., Machine]
"""``make_machine(**changes of dagster.yaml)``."""


@contextmanager
def machine_of(
    companies: Companies, config_file: Path = PROJECT / "dagster.yaml", **changes: Mapping[str, Any] | None
) -> Iterator[Machine]:
    """An instance at the companies' DAGSTER_HOME with one of the project's dagster.yaml; ``changes`` replace what they
    name in one of its sections, None leaves the section out."""
    home = companies.environment.dagster_home
    home.mkdir(mode=0o700, parents=True)
    config = yaml.safe_load(config_file.read_text())
    for section, change in changes.items():
        if change is None:
            del config[section]
        else:
            part = config[section]
            part.get("config", part).update(change)
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Machine(companies, instance, companies.environment.home)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=10).is_success
    except httpx.TransportError:
        return False
