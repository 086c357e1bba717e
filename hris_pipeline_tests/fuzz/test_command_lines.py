"""Any command with whatever arguments, on an empty home and on one with a company: done, or refused in words."""

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.cli.app import COMMANDS, GROUPS, Command, load_command, run
from hris_pipeline.environment import VARIABLES, Environment
from hris_pipeline.operations.services import open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline_tests.kit.law_profiles import law
from hris_pipeline_tests.kit.odd_values import ODD_TEXTS

LEFT_OUT = {
    "ui": "serves until it is stopped",
    "console": "serves until it is stopped",
    "sandbox": "serves until it is stopped",
    "worker": "executes runs until it is stopped",
    "demo": "starts a sandbox of its own",
    "setup": "asks questions, each of which is tried by its own tests",
    "connect": "opens a browser and waits for its answer",
    "preview": "a run of Dagster",
    "save": "a run of Dagster",
    "import": "a run of Dagster",
    "backfill": "runs of Dagster",
}
"""Commands that are not tried here, and why."""

TRIED = tuple(command for command in COMMANDS if command.words not in LEFT_OUT)
NAMES = ("acme", "Acme", "nobody", "../acme", "-", "--", "0001", "m1", "2026-03-02", "yesterday", "9999-12-31", "1e9")
SETTINGS = (
    "archive_employees=off",
    "at=25:00",
    "guards.archive_limit.percent=",
    "=",
    "a=b=c",
    "mapping.email=custom:X",
)
FILES = ("missing.csv", "folder", "empty.csv", "folder/missing/out.csv", "/dev/null", "/dev/full")
VALUES = st.sampled_from([*NAMES, *SETTINGS, *FILES, *(text for text in ODD_TEXTS if "\x00" not in text)])


@cache
def parameters(command: Command) -> list[Any]:
    return list(load_command(command).params)


@st.composite
def command_lines(draw: st.DrawFn, command: Command) -> list[str]:
    """Its arguments, mostly with a company first, and some of its options; sometimes what it does not know."""
    line = command.words.split()
    for parameter in parameters(command):
        if parameter.param_type_name == "argument":
            line += draw(st.lists(st.one_of(st.just("acme"), VALUES), min_size=draw(st.integers(0, 1)), max_size=2))
        elif draw(st.integers(0, 3)) == 0 or (parameter.required and draw(st.booleans())):
            line.append(draw(st.sampled_from(parameter.opts)))
            line += [] if parameter.is_flag else [draw(VALUES)]
    if draw(st.integers(0, 9)) == 0:
        line.append(draw(st.sampled_from(("--nonsense", "-x", "--json", "--help"))))
    return line


LINES = st.one_of(
    *(command_lines(command) for command in TRIED),
    st.lists(st.one_of(st.sampled_from([*GROUPS, "--version", "--help"]), VALUES), max_size=3),
)


@pytest.fixture(scope="module", params=["an empty home", "a company"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, and a folder with a few files, in which the commands run."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "folder").mkdir()
    (folder / "empty.csv").touch()
    with pytest.MonkeyPatch.context() as patch:
        for variable in VARIABLES:
            patch.delenv(variable.name, raising=False)
        patch.setenv("HRIS_HOME", str(folder / "home"))
        patch.setenv("DAGSTER_HOME", str(folder / "home" / "dagster"))
        patch.setenv("JUSTWORKS_API_URL", "http://127.0.0.1:9")
        patch.chdir(folder)
        if request.param == "a company":
            make_company()
        yield folder


def make_company() -> None:
    """``acme``, set up and not connected."""
    assert said(["store", "upgrade"])[0] == 0
    services = open_services(Environment.read())
    set_up(services, "acme", actor="dana", accept=True)
    services.close()


def said(line: list[str]) -> tuple[int, str]:
    """The exit code, and what stood on stderr; nothing stands on stdin."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(""))
        exit_code = run(line)
        err.flush()
        return exit_code, err.buffer.getvalue().decode()


@pytest.mark.filterwarnings("ignore")
@law(60)
@given(line=LINES)
def test_any_command_line_is_done_or_refused_in_words(home: Path, line: list[str]) -> None:
    exit_code, stderr = said(line)
    assert exit_code in (0, 1, 2, 3, 4), line
    assert "Something unexpected" not in stderr, (line, stderr)
    assert "Traceback" not in stderr, (line, stderr)


def test_what_is_left_out_are_commands() -> None:
    assert set(LEFT_OUT) <= {command.words for command in COMMANDS}
