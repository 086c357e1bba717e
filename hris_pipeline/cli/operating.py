"""What whoever operates it starts and asks: the store's tables, keys and history, the doctor, a worker of the run
queue, the console, and `hris ui`, the console and Dagster together, behind one door.

Each command loads what it needs when it runs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hris_pipeline.cli.common import IntegrationArgument, actor, open_services
from hris_pipeline.cli.printing import CommandResult, cell, status, table
from hris_pipeline.console.jobs import ask_for_daemon
from hris_pipeline.contract import is_made_up
from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError, UsageError
from hris_pipeline.operations.health import STORE_STANDS, Finding, examine, examine_environment, needs_daemon
from hris_pipeline.settings.text import plural
from hris_pipeline.store.automation import read_automations
from hris_pipeline.store.engine import upgrade_store

if TYPE_CHECKING:
    import socket

    from hris_pipeline.console.gateway import Access

__all__ = [
    "Host",
    "Port",
    "console",
    "doctor",
    "log_file",
    "name_console",
    "rotate_key",
    "show_link",
    "ui",
    "upgrade",
    "verify",
    "worker",
]


def upgrade() -> CommandResult:
    """Makes the tables, or brings older ones up to date, in one transaction; does nothing when they are. The store is
    what HRIS_STORE_URL names: `sqlite:///path/to/store.db` or `postgresql://user@host/database`.
    """
    environment = Environment.read()
    upgrade_store(environment)
    kind = "sqlite" if environment.embedded else "postgresql"
    return CommandResult({"store": kind, "status": "ready"}, [cell(f"The store ({kind}) is ready.")])


def rotate_key() -> CommandResult:
    """Put the new key first in HRIS_SECRET_KEY, the old ones after it, and run this; afterwards the old ones are not
    needed any more; restart whatever is running. Where the key is a file in HRIS_HOME, a new one is made, and whatever
    is running takes it up by itself.
    """
    from hris_pipeline.cli.jobs import frames_resealer  # noqa: PLC0415 - frames are Dagster's to know
    from hris_pipeline.operations.upkeep import rotate_key as rotate  # noqa: PLC0415 - reads frames

    with open_services() as services:
        counts = rotate(services, frames_resealer(services.environment))
    lines = [(kind, number) for kind, number in counts.items() if number]
    return CommandResult({"rotated": counts}, [table(("encrypted or sealed anew", ">"), lines)])


def verify(name: IntegrationArgument) -> CommandResult:
    """Computes every import's digest again from its rows, and compares the users with what the imports left. Exit 1
    when something was written behind the pipeline's back.
    """
    from hris_pipeline.operations.upkeep import describe  # noqa: PLC0415 - reads frames
    from hris_pipeline.operations.upkeep import verify as check  # noqa: PLC0415

    with open_services() as services:
        verification = check(services, name)
    payload = {
        "integration": name,
        "ok": verification.ok,
        "imports_checked": verification.imports_checked,
        "altered": verification.altered,
        "erased": verification.erased,
        "divergences": [vars(divergence) for divergence in verification.divergences],
        "settings": verification.settings,
        "decided": verification.decided,
        "first": verification.first,
    }
    if verification.ok:
        return CommandResult(
            payload,
            [cell(f"{plural(verification.imports_checked, 'import')} and every user agree with the history.", "green")],
        )
    lines = [("settings", f"version {version}", "changed") for version in verification.settings]
    lines += [("decided", what, "changed") for what in verification.decided]
    lines += [("import", import_id, f"{', '.join(parts)} changed") for import_id, parts in verification.altered.items()]
    lines += [("user", divergence.user_id, describe(divergence)) for divergence in verification.divergences]
    return CommandResult(payload, [cell(verification.first, "bold red"), table(("what", "which", "how"), lines)], 1)


STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def doctor(
    process: Annotated[
        bool,
        typer.Option("--process", help="Only what a process needs: store, keys, disk. For the probes of containers."),
    ] = False,
) -> CommandResult:
    """The store (reachable, of this version), the keys (whether they open every token), the connections and their age,
    how old the newest good import of each company is, whether the daemon that starts automatic imports has been seen,
    and disk space. Exit 1 when something has failed; warnings leave it at 0. One company whose connection has expired
    is such a failure, and none of the processes: with `--process` they are not looked at.
    """
    environment = Environment.read()
    findings = list(examine_environment(environment))
    needed = False
    try:
        with open_services() as services:
            findings += [STORE_STANDS] if process else examine(services)
            needed = not process and needs_daemon(services)
    except HrisError as error:
        findings.append(Finding("store", "failed", str(error)))
    if not process:
        findings.append(_check_daemon(environment, needed=needed))
    failed = any(finding.verdict == "failed" for finding in findings)
    lines = [(cell(finding.verdict, STYLES[finding.verdict]), finding.what, finding.detail) for finding in findings]
    payload = {"ok": not failed, "findings": [vars(finding) for finding in findings]}
    return CommandResult(payload, [table(("", "what", ""), lines)], int(failed))


def _check_daemon(environment: Environment, *, needed: bool) -> Finding:
    """Dagster's daemon starts automatic imports; as long as no company imports automatically nothing is amiss."""
    if (environment.dagster_home / "dagster.yaml").exists() and ask_for_daemon(environment):
        return Finding("daemon", "ok", "running: it starts automatic imports when they are due")
    if needed:
        words = (
            "not running, so no automatic import starts: keep `hris ui` running, or `dagster-daemon run` as a service"
        )
        return Finding("daemon", "failed", words)
    return Finding("daemon", "ok", "not running, and not needed: no company imports automatically yet")


MetricsPort = Annotated[
    int, typer.Option(min=0, max=65535, help="Serves Prometheus metrics there, on all addresses; 0: nowhere.")
]


def worker(
    slots: Annotated[
        int, typer.Option(min=1, max=256, help="So many runs at a time; one for each core by default.")
    ] = 0,
    queue: Annotated[
        list[str] | None, typer.Option(help="Only this queue: imports or large; may be given twice. Default: both.")
    ] = None,
    name: Annotated[str, typer.Option(help="Tells this worker from others on the machine.")] = "",
    metrics_port: MetricsPort = 0,
) -> CommandResult:
    """Executes runs that Dagster's queue hands out through Celery, each in a process of its own, until it is told to
    stop: then those under way are finished. The instance at DAGSTER_HOME must launch through Celery
    (deploy/celery/dagster.yaml).
    """
    try:
        from hris_pipeline.defs.celery import QUEUES  # noqa: PLC0415 - Dagster, only for this command
    except ModuleNotFoundError as missing:
        raise UsageError(f"A worker needs the extra `celery` ({missing.name} is missing): install it.") from None
    queues = tuple(queue or QUEUES)
    unknown = [name for name in queues if name not in QUEUES]
    if unknown:
        raise UsageError(f"There is no queue {unknown[0]!r}: choose from {', '.join(QUEUES)}.")
    count = slots or os.cpu_count() or 1
    return CommandResult(
        {"slots": count, "queues": list(queues)},
        [cell(f"A worker for {count} runs at a time of {', '.join(queues)} is starting; Ctrl-C stops it.")],
        after=partial(_serve, count, queues, name, metrics_port),
    )


def _serve(slots: int, queues: tuple[str, ...], name: str, metrics_port: int) -> None:
    from hris_pipeline.defs.celery import serve_runs  # noqa: PLC0415
    from hris_pipeline.environment import Environment  # noqa: PLC0415
    from hris_pipeline.running import open_instance  # noqa: PLC0415

    with _serve_metrics(metrics_port):
        serve_runs(open_instance(Environment.read()), slots=slots, queues=queues, name=name)


@contextmanager
def _serve_metrics(port: int) -> Iterator[None]:
    """A process of its own: the worker opens no connection before it forks, and starts no thread; and what Prometheus
    asks stands behind no log-in of the console, which others reach."""
    if not port:
        yield
        return
    application = ("--factory", "hris_pipeline.operations.health:metrics_app")
    address = ("--host", "0.0.0.0", "--port", str(port), "--log-level", "warning")  # noqa: S104 - Prometheus is elsewhere
    server = subprocess.Popen([sys.executable, "-m", "uvicorn", *application, *address])  # noqa: S603
    try:
        yield
    finally:
        server.terminate()
        server.wait()


Port = Annotated[int, typer.Option(min=1, max=65535, help="Where it is served.")]

Host = Annotated[str, typer.Option(help="On which address; beyond this machine only with a log-in (docs/security.md).")]


def console(
    port: Port = 3000,
    host: Host = "127.0.0.1",
    dagster_url: Annotated[str, typer.Option(help="Where Dagster's own pages are, for links to runs.")] = "",
    workspace: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Serves Dagster's pages too, below /dagster and behind the same log-in."
        ),
    ] = None,
    metrics_port: MetricsPort = 0,
) -> CommandResult:
    """The pages for whoever decides: integrations, setup, reviews, settings, mapping, history and people. Until Ctrl-C.
    Who may do what, and how people log in, says docs/security.md; by default a link for the person at this machine is
    printed, which works once.

    With `--workspace` (the file that names the code servers) Dagster's own pages need no other webserver, and each
    request to them is checked as those to the console are.
    """
    if workspace is not None and dagster_url:
        raise UsageError("Give --workspace or --dagster-url: Dagster's pages are served here, or linked to elsewhere.")
    from hris_pipeline.console.app import listen  # noqa: PLC0415
    from hris_pipeline.console.gateway import access_of  # noqa: PLC0415 - only a server needs a web framework

    with open_services(create=True) as services:
        access = access_of(services.environment.access, host, port)
    listener = listen(host, port)
    line = cell(f"The console is at {access.origin}; Ctrl-C stops it.")
    return CommandResult(
        {"url": access.origin},
        [line],
        after=partial(_serve_console, access, listener, dagster_url, workspace, metrics_port),
    )


def _serve_console(
    access: "Access", listener: "socket.socket", dagster_url: str, workspace: Path | None, metrics_port: int
) -> None:
    from hris_pipeline.console.app import build_console, serve  # noqa: PLC0415
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.console.jobs import DaemonWatch, ask_for_daemon  # noqa: PLC0415

    name_console(access)
    with ExitStack() as stack:
        stack.enter_context(_serve_metrics(metrics_port))
        services = stack.enter_context(open_services())
        dagster = stack.enter_context(_open_dagster_pages(services.environment, workspace)) if workspace else None
        address = DAGSTER_PATH if dagster else dagster_url.rstrip("/")
        watch = DaemonWatch(partial(ask_for_daemon, services.environment))
        served = build_console(services, access, dagster_url=address, daemon_seen=watch)
        serve(served, listener, account=actor(), show_link=show_link, dagster=dagster)


@contextmanager
def _open_dagster_pages(environment: Environment, workspace: Path) -> Iterator[Any]:
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.running import dagster_pages, open_instance  # noqa: PLC0415 - Dagster is only loaded to serve it

    with open_instance(environment) as instance, dagster_pages(instance, DAGSTER_PATH, workspace) as dagster:
        yield dagster


def name_console(access: "Access") -> None:
    """Tells every run that is started from here where the console is, so that it links to its import's page."""
    os.environ.setdefault("HRIS_CONSOLE_URL", access.origin)


def show_link(link: str) -> None:
    """Prints the link by which the person at this machine logs in."""
    status(cell("Open this link; it works once, and the next is printed then:"), cell(f"  {link}", "bold underline"))


def log_file(home: Path) -> Path:
    """Where the processes behind the UI print."""
    return home / "ui.log"


def ui(port: Port = 3000, host: Host = "127.0.0.1") -> CommandResult:
    """The console for whoever decides, and Dagster below `/dagster` for engineers, with the daemon that starts
    automatic imports; until Ctrl-C. A link for the person at this machine is printed, which works once. When there
    is no integration but made-up ones, a sandbox serves the made-up company meanwhile."""
    from hris_pipeline.console.app import listen  # noqa: PLC0415
    from hris_pipeline.console.gateway import access_of  # noqa: PLC0415 - only a server needs a web framework

    with open_services(create=True) as services:
        access = access_of(services.environment.access, host, port)
    listener = listen(host, port)
    return CommandResult(
        {"url": access.origin},
        [cell(f"The console is starting at {access.origin}, Dagster at {access.origin}/dagster; Ctrl-C stops both.")],
        after=partial(_serve_both, access, listener),
    )


def _serve_both(access: "Access", listener: "socket.socket") -> None:
    from hris_pipeline.cli.demo import integrations_of  # noqa: PLC0415 - Dagster takes seconds; the page is told before
    from hris_pipeline.console.app import build_console, serve  # noqa: PLC0415
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.defs.runs import add_partition  # noqa: PLC0415
    from hris_pipeline.running import daemon_seen, dagster_ui, open_instance  # noqa: PLC0415

    name_console(access)
    with ExitStack() as stack:
        _made_up_company(stack)
        services = stack.enter_context(open_services())
        instance = stack.enter_context(open_instance(services.environment))
        for integration in integrations_of(services):
            add_partition(instance, integration.integration_id)
        log = log_file(services.environment.home)
        dagster = stack.enter_context(dagster_ui(instance, DAGSTER_PATH, log))
        console = build_console(services, access, dagster_url=DAGSTER_PATH, daemon_seen=partial(daemon_seen, instance))
        serve(console, listener, account=actor(), show_link=show_link, dagster=dagster)


def _made_up_company(stack: ExitStack) -> None:
    """Serves the made-up company, when there is none but made-up ones."""
    from hris_pipeline.cli.demo import (  # noqa: PLC0415 - so does the demo
        add_company,
        connect_company,
        integrations_of,
        sandbox_running,
    )

    with open_services() as services:
        integrations = integrations_of(services)
    if not all(is_made_up(integration.display_name) for integration in integrations):
        return
    sandbox = stack.enter_context(sandbox_running())
    with open_services() as services:
        name = integrations[-1].integration_id if integrations else add_company(services)
        connect_company(services, sandbox, name)
        with services.store.read() as connection:
            if read_automations(connection, name)[0].saved:
                sandbox.week_passes()
    status(cell(f"The made-up company {name} is ready."))
