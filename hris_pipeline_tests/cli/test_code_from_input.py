"""`--code -`: the code comes from standard input, where no list of processes shows it."""

import io
from collections.abc import Callable

import pytest

from hris_pipeline.sandbox import Sandbox
from hris_pipeline_tests.kit.command_line import Hris

CONNECT = ("connect", "acme", "--code", "-")
SETUP = ("setup", "other", "--accept-terms", "--code", "-")


@pytest.fixture
def type_code(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("line", [CONNECT, SETUP], ids=["connect", "setup"])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"], ids=repr)
def test_one_line_is_the_code(
    line: tuple[str, ...], ending: str, acme: str, sandbox: Sandbox, hris: Hris, type_code: Callable[[str], None]
) -> None:
    type_code(f"{sandbox.authorize()}{ending}")
    result = hris(*line, "--json")
    assert result.exit_code == 0, result.error
    assert result.document["connection"] == "connected"


@pytest.mark.parametrize("line", [CONNECT, SETUP], ids=["connect", "setup"])
@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("\n", "empty"), ("  \n\n", "empty"), ("CODE\nsecond-secret\n", "one line")],
    ids=repr,
)
def test_nothing_and_more_than_one_line_are_refused_and_never_sent(
    line: tuple[str, ...],
    text: str,
    words: str,
    acme: str,
    sandbox: Sandbox,
    hris: Hris,
    type_code: Callable[[str], None],
) -> None:
    code = sandbox.authorize()
    type_code(text.replace("CODE", code))
    result = hris(*line)
    assert result.exit_code == 2
    assert words in result.error
    assert code not in result.stderr + result.stdout
    assert "second-secret" not in result.stderr + result.stdout
    type_code(f"{code}\n")
    assert hris(*line).exit_code == 0, "the code was not spent"
