"""The guided setup in a real terminal: from nothing to automatic imports, and resumed after quitting anywhere."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import StringIO
from typing import Any

import pexpect
import pytest

from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit import terminals
from hris_pipeline_tests.kit.command_line import PROCESS, Hris
from hris_pipeline_tests.kit.forked_processes import Processes, processes
from hris_pipeline_tests.kit.terminals import SIZE, terminal_of

TIMEOUT = 90

CALLBACK = "http://127.0.0.1:18765/callback"
SETUP = ("setup", "acme", "--redirect-uri", CALLBACK)

Terminal = Any
Terminals = Callable[[], AbstractContextManager[Terminal]]


@pytest.fixture(scope="module")
def ready() -> Iterator[Processes]:
    """Where processes come from that need not import anything any more."""
    with processes("hris_pipeline.cli.setup", "hris_pipeline.cli.jobs", terminals.__name__) as started:
        yield started


@pytest.fixture
def environ(sandbox: Sandbox, child_environment: dict[str, str]) -> dict[str, str]:
    """Without a browser to open."""
    return {name: value for name, value in child_environment.items() if name not in ("DISPLAY", "BROWSER")}


@pytest.fixture
def terminal(ready: Processes, environ: dict[str, str]) -> Terminals:
    """Starts `hris setup acme` in a terminal."""
    return partial(terminal_of, ready, SETUP, environ, TIMEOUT)


@contextmanager
def whole_process(environ: dict[str, str]) -> Iterator[Terminal]:
    """Starts it as a person does, from nothing."""
    child = pexpect.spawn(
        PROCESS[0], [*PROCESS[1:], *SETUP], env=environ, encoding="utf-8", timeout=TIMEOUT, dimensions=SIZE
    )
    try:
        yield child
    finally:
        child.close(force=True)


def terms(child: Terminal, _: Sandbox) -> None:
    child.expect("Terms and privacy")
    child.expect("Do you agree")
    child.sendline("y")


def permissions(child: Terminal, sandbox: Sandbox) -> None:
    for scope in ("company.detail:read", "member.detail:read", "member.employment:read", "member.dob:read"):
        child.expect_exact(scope)
    child.expect(r"(http://127\.0\.0\.1:\d+/oauth/authorize\?\S+)")
    address = re.sub(r"\s|\x1b\[[0-9;]*m", "", child.match.group(1))
    child.expect("paste the code")
    threading.Thread(target=sandbox.consent, args=(address,), kwargs={"follow": True}, daemon=True).start()
    child.expect("Connected to Acme")


def archive(child: Terminal, _: Sandbox) -> None:
    child.expect("Archive inactive employees")
    child.sendline("y")


def emails(child: Terminal, _: Sandbox) -> None:
    child.expect("Override it")
    child.sendline("y")


def schedule(child: Terminal, _: Sandbox) -> None:
    child.expect("Frequency")
    child.sendline("weekly")
    child.expect("Day of the week")
    child.sendline("someday")
    child.expect("Error")
    child.expect("Day of the week")
    child.sendline("Friday")
    child.expect("Time ")
    child.sendline("5:15")
    child.expect("Time zone")
    child.sendline("europe/berlin")


def manual_import(child: Terminal, _: Sandbox) -> None:
    child.expect("Run a manual import now")
    child.sendline("y")
    for words in ("created", "updated", "archived", "restored", "excluded: inactive"):
        child.expect_exact(words)


def save(child: Terminal, _: Sandbox) -> None:
    child.expect("Save import")
    child.sendline("y")
    child.expect("Applied")


def automatic(child: Terminal, _: Sandbox) -> None:
    child.expect("Start automatic imports")
    child.sendline("y")
    child.expect("automatic imports running")
    child.expect(pexpect.EOF)


STEPS = (terms, permissions, archive, emails, schedule, manual_import, save, automatic)
PROMPTS = (
    "Do you agree",
    "paste the code",
    "Archive inactive",
    "Override it",
    "Frequency",
    "Run a manual import",
    "Save import",
    "Start automatic",
)
"""What each step waits with."""


def quits(child: Terminal, prompt: str) -> None:
    child.expect(prompt)
    child.sendintr()
    child.expect("Stopped")
    child.expect(pexpect.EOF)


def ends_well(hris: Hris) -> None:
    settings = hris("settings", "show", "acme", "--json").document["settings"]
    expected = {"override_emails": True, "frequency": "weekly", "weekday": "friday", "at": "05:15"}
    assert {key: settings[key] for key in expected} == expected
    assert settings["time_zone"] == "Europe/Berlin"
    line = hris("integrations", "--json").document["integrations"][0]
    assert (line["connection"], line["automatic"], line["last_import"]["status"]) == ("connected", "running", "applied")
    assert len(hris("history", "acme", "--json").document["imports"]) == 1


def test_from_nothing_to_automatic_imports(
    terminal: Terminals, environ: dict[str, str], sandbox: Sandbox, hris: Hris
) -> None:
    with whole_process(environ) as child:
        for step in STEPS:
            step(child, sandbox)
        child.close()
        assert child.exitstatus == 0
    ends_well(hris)
    with terminal() as child:
        child.expect("automatic imports running")
        child.expect(pexpect.EOF)


def test_quitting_at_each_step_and_starting_again_continues_there(
    terminal: Terminals, sandbox: Sandbox, hris: Hris
) -> None:
    with terminal() as child:
        quits(child, PROMPTS[0])
    for position, step in enumerate(STEPS):
        with terminal() as child:
            child.logfile_read = printed = StringIO()
            step(child, sandbox)
            if step is not automatic:
                quits(child, PROMPTS[position + 1])
            assert [prompt for prompt in PROMPTS[:position] if prompt in printed.getvalue()] == []
    ends_well(hris)


def test_the_code_can_be_pasted_and_the_import_skipped(terminal: Terminals, sandbox: Sandbox, hris: Hris) -> None:
    with terminal() as child:
        terms(child, sandbox)
        child.expect("paste the code")
        child.sendline(sandbox.authorize(redirect_uri=CALLBACK))
        child.expect("Connected to Acme")
        archive(child, sandbox)
        emails(child, sandbox)
        schedule(child, sandbox)
        child.expect("Run a manual import now")
        child.sendline("n")
        child.expect("Later: hris setup acme")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    assert hris("history", "acme", "--json").document["imports"] == []


def test_what_was_typed_before_the_plan_was_shown_saves_nothing(
    terminal: Terminals, sandbox: Sandbox, hris: Hris
) -> None:
    with terminal() as child:
        for step in STEPS[: STEPS.index(manual_import)]:
            step(child, sandbox)
        child.expect("Run a manual import now")
        child.send("y\ry\ry\r")
        child.expect("Save import. Enter alone saves nothing")
        child.expect(pexpect.TIMEOUT, timeout=1)
        child.sendline("")
        child.expect("Nothing is applied")
    assert [line["status"] for line in hris("history", "acme", "--json").document["imports"]] == ["planned"]


def test_who_does_not_agree_leaves_nothing(terminal: Terminals, hris: Hris) -> None:
    with terminal() as child:
        child.expect("Do you agree")
        child.sendline("n")
        child.expect("Stopped")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 1
    assert hris("integrations", "--json").document == {"integrations": []}
