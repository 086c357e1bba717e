"""Where output goes: an ASCII terminal, a closed or full stdout, a device or pipe named with -o."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hris_pipeline.cli.common import write_private
from hris_pipeline.errors import UsageError
from hris_pipeline_tests.kit.command_line import Hris

HRIS = (sys.executable, "-m", "hris_pipeline.cli")


def shell_hris(shell: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command line of a shell, in which $HRIS is the command."""
    environ = {"PATH": os.environ.get("PATH", ""), "HRIS": " ".join(HRIS), **environment}
    return subprocess.run(shell, shell=True, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_full_stdout_is_told_once_and_exits_1(options: str) -> None:
    ended = shell_hris(f"$HRIS settings schema {options} > /dev/full")
    assert ended.returncode == 1
    assert "disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_closed_stdout_harms_nothing() -> None:
    ended = shell_hris("$HRIS settings schema >&-")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)


def test_a_closed_stdin_is_an_empty_one(home: Path, monkeypatch: pytest.MonkeyPatch, hris: Hris) -> None:
    assert not home.exists()
    for line in ("connect acme --code -", "users load acme -", "setup acme"):
        monkeypatch.setattr(sys, "stdin", None)
        ended = hris(*line.split())
        sys.stdin.close()  # the empty one in its place
        assert ended.exit_code in (1, 2), line
        assert "unexpected" not in ended.error


def test_a_sign_that_the_terminal_cannot_show_keeps_its_one_column() -> None:
    program = (
        "from hris_pipeline.cli.app import _open_streams; from hris_pipeline.cli.printing import *; _open_streams();"
        "write(CommandResult(dict(name='F\u2022\U0001f600'), ['F\u2022\u2022\u2022 \u2013 \u4e00']), as_json={})"
    )
    lines = [
        subprocess.run(
            (sys.executable, "-c", program.format(as_json)),
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=True,
        ).stdout.decode("ascii")
        for as_json in (False, True)
    ]
    assert lines[0].strip() == "F*** - \\u4e00"
    assert json.loads(lines[1]) == {"name": "F\u2022\U0001f600"}


def test_an_ascii_terminal_shows_what_it_can() -> None:
    ended = shell_hris("$HRIS --help", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_output_writes_through_what_is_no_regular_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_private(str(pipe), b"people")
    reader.join(timeout=10)
    assert received == [b"people"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_private("/dev/null", b"people")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(UsageError, match="cannot be written"):
        write_private("/dev/full", b"people")


def test_an_output_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_private(str(link), b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError):
        write_private(str(tmp_path), b"new")
