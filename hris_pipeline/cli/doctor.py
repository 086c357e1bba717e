"""What stands and what does not, for people and for probes."""

from typing import Annotated

import typer

from hris_pipeline.cli.common import open_services
from hris_pipeline.cli.printing import CommandResult, cell, table
from hris_pipeline.console.daemon import ask_for_daemon
from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.health import STORE_STANDS, Finding, Verdict, examine, examine_environment, needs_daemon

__all__ = ["doctor"]

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
        findings.append(_daemon(environment, needed=needed))
    failed = any(finding.verdict == "failed" for finding in findings)
    lines = [(cell(finding.verdict, STYLES[finding.verdict]), finding.what, finding.detail) for finding in findings]
    payload = {"ok": not failed, "findings": [vars(finding) for finding in findings]}
    return CommandResult(payload, [table(("", "what", ""), lines)], int(failed))


def _daemon(environment: Environment, *, needed: bool) -> Finding:
    verdict: Verdict = "failed" if needed else "warning"
    if not (environment.dagster_home / "dagster.yaml").exists():
        return Finding("daemon", verdict if needed else "ok", "Dagster has not been started here: `hris ui` starts it")
    if ask_for_daemon(environment):
        return Finding("daemon", "ok", "seen")
    return Finding("daemon", verdict, "not seen: nothing starts automatic imports; `hris ui` or dagster-daemon does")
