"""Running jobs from the command line and the console, on the instance that the UI shows: what one starts, the other
sees; and Dagster's own processes behind that UI."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance import InstanceRef
from dagster._core.launcher import WorkerStatus

from hris_pipeline.definitions import defs
from hris_pipeline.defs.partitions import add_partition, known_partitions
from hris_pipeline.defs.resources import Progress
from hris_pipeline.defs.runs import ACTOR_TAG, APPLIED_TAG, PLANNED_TAG, SKIPPED_TAG, TRIGGER_TAG, current_tags
from hris_pipeline.defs.sqlite_storage import kept_open
from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.services import open_services
from hris_pipeline.store.integrations import get_integration

__all__ = [
    "CODE_LOCATION",
    "JobResult",
    "apply_config",
    "approval_config",
    "daemon_seen",
    "dagster_ui",
    "members_config",
    "open_instance",
    "reap_dead_runs",
    "reason_config",
    "run_job",
]

CODE_LOCATION = "hris_pipeline"
"""As workspace.yaml names it."""

_PACKAGE = Path(__file__).parent
WORKSPACE = _PACKAGE / "workspace.yaml"
DAEMON_ENDS_WITHIN_SECONDS = 30
_REPOSITORY_TAG = ".dagster/repository"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class JobResult:
    """How a run ended well: the import it planned or applied, if any, or why it was skipped."""

    run_id: str
    import_id: str | None
    skipped: str | None


def members_config(extract: str) -> dict[str, Any]:
    """Config of jobs that read members: ``fresh``, ``latest`` or the id of a kept extract."""
    return _ops(justworks_members={"config": {"extract": extract}})


def apply_config(import_id: str) -> dict[str, Any]:
    """Config of ``save_import``: which import."""
    return _ops(applied_changes={"ops": {"apply_change_set": {"config": {"import_id": import_id}}}})


def approval_config(import_id: str, digest: str, by: str, reason: str) -> dict[str, Any]:
    """Config of ``approve_import``."""
    config = {"import_id": import_id, "digest": digest, "by": by, "reason": reason}
    return _ops(approve={"config": config})


def reason_config(job: str, by: str, reason: str) -> dict[str, Any]:
    """Config of ``pause_imports`` and ``resume_imports``."""
    return _ops(**{job.removesuffix("_imports"): {"config": {"by": by, "reason": reason}}})


def open_instance(environment: Environment) -> dg.DagsterInstance:
    """The Dagster instance at ``DAGSTER_HOME``, which is made when missing, with the project's dagster.yaml.

    Opening it creates its tables, so that webserver and daemon, started after it, do not both try to.
    """
    home = environment.dagster_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copy(_PACKAGE / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.from_ref(kept_open(InstanceRef.from_dir(str(home))))


def run_job(
    name: str,
    integration_id: str,
    *,
    actor: str,
    trigger: str = "manual",
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    assets: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
    run_id: str | None = None,
    environment: Environment | None = None,
    instance: dg.DagsterInstance | None = None,
) -> JobResult:
    """Runs a job for one integration in this process.

    Args:
        name: The job.
        integration_id: The integration; it becomes a partition of the instance if it is none yet.
        actor: Who started it.
        trigger: What started it, as imports record it.
        tags: Further tags of the run.
        config: As the ``…_config`` functions here give it.
        assets: Only these of the job's assets; all by default.
        progress: Is told how many members were read so far.
        run_id: The run's id, a UUID; a new one by default.
        environment: The process's own by default.
        instance: The one at ``DAGSTER_HOME`` by default.

    Raises:
        HrisError: what made the run fail, as if no Dagster were between.
    """
    with _instance(environment, instance) as opened:
        _ensure_partition(opened, integration_id)
        reap_dead_runs(opened, integration_id)
        return _run(
            name,
            integration_id,
            opened,
            tags={TRIGGER_TAG: trigger, ACTOR_TAG: actor, **(tags or {})},
            config=config or {},
            assets=assets,
            resources={"progress": Progress(progress)} if progress else {},
            run_id=run_id or str(uuid.uuid4()),
        )


def reap_dead_runs(instance: dg.DagsterInstance, integration_id: str) -> int:
    """Ends the runs of an integration whose process is gone, for which Dagster would wait for ever; gives how many."""
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return 0
    alive = {WorkerStatus.RUNNING, WorkerStatus.SUCCESS}
    started = dg.RunsFilter(tags={"dagster/partition": integration_id}, statuses=[dg.DagsterRunStatus.STARTED])
    dead = [run for run in instance.get_runs(started) if launcher.check_run_worker_health(run).status not in alive]
    for run in dead:
        instance.report_run_failed(run, "The process of the run is gone.")
    return len(dead)


def daemon_seen(instance: dg.DagsterInstance) -> bool:
    """Whether the daemon that starts automatic imports is alive: without it nothing is ever due."""
    statuses = instance.get_daemon_statuses(["SCHEDULER"])
    return bool(statuses) and all(status.healthy for status in statuses.values())


@contextmanager
def dagster_ui(instance: dg.DagsterInstance, path_prefix: str, log: Path) -> Iterator[Any]:
    """Dagster as ``dagster dev`` runs it, but its webserver given as an ASGI application, below ``path_prefix``, so
    that it listens nowhere by itself; the daemon and the code server run beside it, and print into ``log``."""
    from dagster._cli.proxy_server_manager import ProxyServerManager  # noqa: PLC0415 - only a server needs these
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415

    with ExitStack() as stack:
        code = stack.enter_context(
            ProxyServerManager(instance, WorkspaceFileTarget([str(WORKSPACE)]), code_server_log_level="critical")
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hris-ui-")))
        workspace = folder / "workspace.yaml"
        specs = code.get_code_server_specs()
        workspace.write_text(yaml.safe_dump({"load_from": [{key: dict(spec[key]) for key in spec} for spec in specs]}))
        stack.enter_context(_daemon(workspace, log))
        context = stack.enter_context(WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])))
        yield create_app_from_workspace_process_context(context, path_prefix, live_data_poll_rate=2000)


@contextmanager
def _daemon(workspace: Path, log: Path) -> Iterator[None]:
    """The daemon, until the block ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what it starts behind itself
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        daemon = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(DAEMON_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


@contextmanager
def _instance(environment: Environment | None, given: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    if given is not None:
        yield given
        return
    with open_instance(environment or Environment.read()) as opened:
        yield opened


def _run(
    name: str,
    integration_id: str,
    instance: dg.DagsterInstance,
    *,
    tags: Mapping[str, str],
    config: Mapping[str, Any],
    assets: Sequence[str],
    resources: Mapping[str, object],
    run_id: str,
) -> JobResult:
    job = defs.resolve_job_def(name)
    if assets:
        job = job.get_subset(asset_selection={dg.AssetKey(asset) for asset in assets})
    try:
        with _hold_worker_file(instance, run_id):
            job.execute_in_process(
                run_config={**config, **_QUIET},
                instance=instance,
                partition_key=integration_id if job.partitions_def else None,
                run_id=run_id,
                tags={**tags, _REPOSITORY_TAG: f"__repository__@{CODE_LOCATION}"},
                resources=resources,
            )
    except Exception as error:
        raise _own_error(error, name, run_id) from None
    tags = current_tags(instance, run_id)
    return JobResult(run_id, tags.get(APPLIED_TAG) or tags.get(PLANNED_TAG), tags.get(SKIPPED_TAG))


def _ensure_partition(instance: dg.DagsterInstance, integration_id: str) -> None:
    if integration_id in known_partitions(instance):
        return
    services = open_services()
    try:
        with services.store.read() as connection:
            get_integration(connection, integration_id)
    finally:
        services.close()
    add_partition(instance, integration_id)


@contextmanager
def _hold_worker_file(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the file by which run monitoring knows that a run's process lives, as the launcher's workers do."""
    path = Path(instance.storage_directory()) / "run_workers" / run_id
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()} {os.uname().nodename}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _own_error(error: BaseException, job: str, run_id: str) -> HrisError:
    """The project's own error inside whatever Dagster wrapped around it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, HrisError):
            return inner
        inner = inner.__cause__ or inner.__context__
    return HrisError(f"The job {job} failed ({type(error).__name__}): look at run {run_id} with `hris ui`.")


def _ops(**ops: Any) -> dict[str, Any]:
    return {"ops": ops}
