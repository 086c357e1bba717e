"""Running jobs from the command line and the console, on the instance that the UI shows: what one starts, the other
sees; and Dagster's own processes behind that UI."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from filelock import FileLock, Timeout

from hris_pipeline.contract import OPEN
from hris_pipeline.definitions import defs
from hris_pipeline.defs.runs import (
    ACTOR_TAG,
    APPLIED_TAG,
    FROM_HERE,
    PLANNED_TAG,
    SKIPPED_TAG,
    TRIGGER_TAG,
    Progress,
    add_partition,
    current_tags,
    hold_run,
    known_partitions,
    living_runs,
)
from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, HrisError, MachineError, RunInterrupted
from hris_pipeline.files import explaining_machine
from hris_pipeline.operations.overview import imports_of_run
from hris_pipeline.operations.services import open_services
from hris_pipeline.settings.validating import to_yaml
from hris_pipeline.store.engine import translating
from hris_pipeline.store.integrations import get_integration

__all__ = [
    "JobResult",
    "apply_config",
    "daemon_seen",
    "dagster_pages",
    "dagster_ui",
    "members_config",
    "open_instance",
    "reap_dead_runs",
    "run_job",
]

LOOK_AGAIN_SECONDS = 2.0
OPENING_WAIT_SECONDS = 60.0

_PACKAGE = Path(__file__).parent
WORKSPACE = _PACKAGE / "workspace.yaml"
DAEMON_ENDS_WITHIN_SECONDS = 2.0
"""Then it is killed, which it takes as it would a power cut: what it was about to start is started by the next."""
_WHERE = "Dagster's storage (DAGSTER_HOME)"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class JobResult:
    """How a run ended well: the import it planned or applied, if any, or why it was skipped."""

    run_id: str
    import_id: str | None
    skipped: str | None


def members_config(extract: str) -> dict[str, Any]:
    """Config of jobs that read members: ``fresh``, ``latest`` or the id of a kept extract."""
    return _ops_config(justworks_members={"config": {"extract": extract}})


def apply_config(import_id: str) -> dict[str, Any]:
    """Config of ``save_import``: which import."""
    return _ops_config(applied_changes={"ops": {"apply_change_set": {"config": {"import_id": import_id}}}})


def open_instance(environment: Environment) -> dg.DagsterInstance:
    """The Dagster instance at ``DAGSTER_HOME``, which is made when missing, with the project's dagster.yaml.

    Opening it creates its tables, so that webserver and daemon, started after it, do not both try to.
    """
    home = environment.dagster_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock_home(home):
        if not (home / "dagster.yaml").exists():
            shutil.copy(_PACKAGE / "dagster.yaml", home / "dagster.yaml")
        _make_private(home)
        os.environ["DAGSTER_HOME"] = str(home)
        with translating(_WHERE), _explaining_configuration(home / "dagster.yaml"):
            return dg.DagsterInstance.get()


@contextmanager
def _explaining_configuration(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not (isinstance(error, dg.DagsterError | ImportError) or type(error).__module__.startswith("yaml")):
            raise
        raise EnvironmentInvalid(
            f"{path} cannot be used ({type(error).__name__}): correct it, or take it away (ours is put there)."
        ) from None


@contextmanager
def _lock_home(home: Path) -> Iterator[None]:
    """One process of this machine at a time: Dagster makes its tables as if there were no other.

    Raises:
        MachineError: another one does not end, or there can be no lock.
    """
    lock = FileLock(home / "opening.lock", mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        with explaining_machine(f"Locking in {home}"):
            lock.acquire(timeout=OPENING_WAIT_SECONDS)
    except Timeout:
        raise MachineError(
            f"Another process has been opening {home} for a minute: look whether it hangs, then run this again."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _make_private(home: Path) -> None:
    """Also where somebody made them, Dagster's folders are their owner's alone: logs and events name ids of people."""
    for folder in (home, *(path for path in home.iterdir() if path.is_dir() and not path.is_symlink())):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


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
        tags: Further tags of the run; ``hris/decided`` says that the decision is written down by the caller.
        config: As the ``…_config`` functions here give it.
        assets: Only these of the job's assets; all by default.
        progress: Is told how many members were read so far.
        run_id: The run's id, a UUID; a new one by default.
        environment: The process's own by default.
        instance: The one at ``DAGSTER_HOME`` by default.

    Raises:
        HrisError: what made the run fail, as if no Dagster were between.
        RunInterrupted: somebody stopped it.
    """
    with translating(_WHERE), _use_instance(environment, instance) as opened:
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
    """Ends the runs of an integration whose process is gone, for which its next one would wait; gives how many. A run
    lets its lock go a moment before it says how it ended, so one that holds none is looked at twice."""
    if not _runs_without_process(instance, integration_id):
        return 0
    time.sleep(LOOK_AGAIN_SECONDS)
    dead = _runs_without_process(instance, integration_id)
    for run in dead:
        instance.report_run_failed(run, "The process of the run is gone.")
    return len(dead)


def _runs_without_process(instance: dg.DagsterInstance, integration_id: str) -> list[dg.DagsterRun]:
    started = dg.RunsFilter(tags={"dagster/partition": integration_id}, statuses=[dg.DagsterRunStatus.STARTED])
    runs = instance.get_runs(started)
    if not runs:
        return []
    services = open_services()
    try:
        living = living_runs(services.store, [run.run_id for run in runs])
    finally:
        services.close()
    return [run for run in runs if run.run_id not in living]


def daemon_seen(instance: dg.DagsterInstance) -> bool:
    """Whether the daemon that starts automatic imports is alive: without it nothing is ever due."""
    statuses = instance.get_daemon_statuses(["SCHEDULER"])
    return bool(statuses) and all(status.healthy for status in statuses.values())


@contextmanager
def dagster_ui(instance: dg.DagsterInstance, path_prefix: str, log: Path) -> Iterator[Any]:
    """Dagster as ``dagster dev`` runs it, but its webserver given as an ASGI application, below ``path_prefix``, so
    that it listens nowhere by itself; the daemon and the code server run beside it, and print into ``log``."""
    from dagster._cli.proxy_server_manager import ProxyServerManager  # noqa: PLC0415 - only a server needs these
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415

    with ExitStack() as stack:
        code = stack.enter_context(
            ProxyServerManager(instance, WorkspaceFileTarget([str(WORKSPACE)]), code_server_log_level="critical")
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hris-ui-")))
        workspace = folder / "workspace.yaml"
        specs = code.get_code_server_specs()
        workspace.write_text(to_yaml({"load_from": [{key: dict(spec[key]) for key in spec} for spec in specs]}))
        stack.enter_context(_run_daemon(workspace, log))
        yield stack.enter_context(dagster_pages(instance, path_prefix, workspace))


@contextmanager
def dagster_pages(instance: dg.DagsterInstance, path_prefix: str, workspace: Path) -> Iterator[Any]:
    """Dagster's webserver over the code of a workspace file, as an ASGI application below ``path_prefix``: it listens
    nowhere by itself, and whoever serves it stands in front of it. Daemon and code server run elsewhere."""
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415 - only a server needs these
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: PLC0415
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415

    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as context:
        yield create_app_from_workspace_process_context(context, path_prefix, live_data_poll_rate=2000)


@contextmanager
def _run_daemon(workspace: Path, log: Path) -> Iterator[None]:
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
def _use_instance(environment: Environment | None, instance: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    if instance is not None:
        yield instance
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
        with _hold_run_lock(run_id), _stacks_afterwards():
            job.execute_in_process(
                run_config={**config, **_QUIET},
                instance=instance,
                partition_key=integration_id if job.partitions_def else None,
                run_id=run_id,
                tags={**tags, **FROM_HERE},
                resources=resources,
            )
    except dg.DagsterExecutionInterruptedError:
        raise RunInterrupted(_describe_stopped_run(integration_id, run_id)) from None
    except Exception as error:
        raise _own_error(error, name, run_id) from None
    tags = current_tags(instance, run_id)
    return JobResult(run_id, tags.get(APPLIED_TAG) or tags.get(PLANNED_TAG), tags.get(SKIPPED_TAG))


def _describe_stopped_run(integration_id: str, run_id: str) -> str:
    """What of a run was done that somebody stopped: its import was applied wholly, or not at all."""
    try:
        services = open_services()
        try:
            made = imports_of_run(services, integration_id, run_id)
        finally:
            services.close()
    except HrisError as error:
        return (
            f"Stopped. Whether anything was applied is not known ({error}): `hris history {integration_id}` tells it."
        )
    for record in made:
        if record.applied_run_id == run_id and record.status == "applied":
            return f"Stopped. Import {record.import_id} of {integration_id} was applied all the same, wholly."
    waiting = next((record for record in made if record.status in OPEN), None)
    if waiting is None:
        return f"Stopped. Nothing was applied, nothing is left by halves: run it again for {integration_id}."
    return (
        f"Stopped. Nothing was applied; import {waiting.import_id} of {integration_id} is {waiting.status}: "
        f"`hris show {waiting.import_id}`."
    )


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
def _hold_run_lock(run_id: str) -> Iterator[None]:
    """Holds the run's lock from before it starts until it has ended, as a worker does."""
    services = open_services()
    try:
        with hold_run(services.store, run_id):
            yield
    finally:
        services.close()


@contextmanager
def _stacks_afterwards() -> Iterator[None]:
    """A run that is held leaves stacks out of errors from then on; this process goes on after it."""
    limit = getattr(sys, "tracebacklimit", None)
    try:
        yield
    finally:
        if limit is not None:
            sys.tracebacklimit = limit
        elif hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit


def _own_error(error: BaseException, job: str, run_id: str) -> HrisError:
    """The project's own error inside whatever Dagster wrapped around it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, HrisError):
            return inner
        if isinstance(inner, sa.exc.DBAPIError):  # of Dagster's own storage: ours is in words by then
            try:
                with translating(_WHERE):
                    raise inner
            except HrisError as in_words:
                return in_words
            except sa.exc.DBAPIError:
                break
        inner = inner.__cause__ or inner.__context__
    return HrisError(f"The job {job} failed ({type(error).__name__}): look at run {run_id} with `hris ui`.")


def _ops_config(**ops: Any) -> dict[str, Any]:
    return {"ops": ops}
