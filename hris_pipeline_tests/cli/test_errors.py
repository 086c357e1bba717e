"""Everything that can be given wrongly: one line with the remedy, the right exit code, and nothing written."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.migrations import REVISION_TABLE
from hris_pipeline_tests.kit.command_line import Hris

MonkeyPatch = pytest.MonkeyPatch


def written(home: Path) -> int:
    """How many integrations and imports the store holds."""
    if not (home / "store.db").exists():
        return 0
    with sqlite3.connect(home / "store.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("integrations", "integration_settings", "connections", "imports", "users")
            if table in tables
        ]
    connection.close()
    return sum(counts)


ENVIRONMENT: list[tuple[str, str, tuple[str, ...]]] = [
    ("HRIS_STORE_URL", "mysql://host/base", ("HRIS_STORE_URL", "postgresql://")),
    ("JUSTWORKS_API_URL", "not an address", ("JUSTWORKS_API_URL", "https://")),
    ("JUSTWORKS_AUTHORIZE_URL", "ftp://host", ("JUSTWORKS_AUTHORIZE_URL", "https://")),
    ("JUSTWORKS_REQUESTS_PER_SECOND", "many", ("JUSTWORKS_REQUESTS_PER_SECOND", "number")),
    ("JUSTWORKS_CLIENT_ID", "", ("JUSTWORKS_CLIENT_ID", "Justworks issues it")),
    ("JUSTWORKS_CLIENT_SECRET", "", ("JUSTWORKS_CLIENT_SECRET", "Justworks issues it")),
    ("HRIS_SECRET_KEY", "no key", ("HRIS_SECRET_KEY", "make one")),
]


@pytest.mark.parametrize(("variable", "value", "named"), ENVIRONMENT, ids=lambda value: str(value)[:30])
def test_a_missing_or_wrong_environment_variable_is_named_with_its_remedy(
    variable: str,
    value: str,
    named: tuple[str, ...],
    sandbox: Sandbox,
    home: Path,
    hris: Hris,
    monkeypatch: MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    result = hris("setup", "acme", "--accept-terms", "--code", sandbox.authorize())
    assert result.exit_code == 2
    assert all(words in result.error for words in named)
    assert result.stdout == ""
    assert written(home) == 0


USAGE: list[tuple[str, tuple[str, ...]]] = [
    ("nonsense", ("nonsense", "--help")),
    ("preview", ("NAME",)),
    ("preview acme --nonsense", ("--nonsense",)),
    ("preview other", ("'other'", "hris integrations")),
    ("import acme", ("--yes", "hris preview acme")),
    ("save acme", ("no open import", "hris preview acme")),
    ("save acme nonsense", ("'nonsense'", "hris history")),
    ("show nonsense", ("'nonsense'", "hris history")),
    ("undo nonsense", ("'nonsense'", "hris history")),
    ("approve nonsense --digest d --by me --reason why", ("'nonsense'", "hris history")),
    ("preview acme --extract nonsense", ("extract", "hris preview acme")),
    ("preview acme --with override_emails=perhaps", ("extract", "hris preview acme")),
    ("mapping add acme Buddy nickname", ("nickname",)),
    ("mapping add acme Buddy job_title --type secret", ("'secret'", "default, associated, hidden")),
    ("mapping rename acme Nobody Somebody", ("Nobody",)),
    ("mapping delete acme email", ("email", "exclude_fields")),
    ("mapping set acme class_code class_code", ("class_code",)),
    ("settings set acme override_emial=on", ("override_emial", "override_emails")),
    ("settings set acme override_emails", ("override_emails", "key=value")),
    ("settings set acme at=04:10", ("at",)),
    ("settings apply acme /nowhere.yaml", ("/nowhere.yaml", "No such file")),
    ("pause acme --reason ", ("--reason",)),
    ("resume acme --reason again", ("one saved manual import", "hris import acme --yes")),
    ("resolve nonsense --ignore", ("'nonsense'", "hris conflicts")),
    ("resolve nonsense", ("--link", "--create", "--ignore")),
    ("explain acme 0001", ("0001",)),
    ("user acme 0001", ("0001",)),
    ("user acme 0001 --as-of yesterday", ("yesterday", "2026-01-31")),
    ("users load acme /nowhere.csv", ("/nowhere.csv", "No such file")),
    ("users protect acme 0001", ("0001",)),
    ("users erase acme 0001 --confirm 1", ("--confirm 0001",)),
    ("delete acme --confirm acne", ("--confirm acme",)),
    ("delete acme", ("--confirm acme",)),
    ("setup No-Slug --accept-terms", ("'No-Slug'", "lower-case letters")),
    ("setup other", ("terms", "--accept-terms")),
    ("sandbox --fault nonsense", ("nonsense", "rate_limited")),
    ("sandbox --port 0", ("--port",)),
]


@pytest.fixture
def with_acme(acme: str, hris: Hris, home: Path) -> tuple[Hris, Path, int]:
    """A connected integration, and how much the store holds."""
    return hris, home, written(home)


@pytest.mark.parametrize(("line", "named"), USAGE, ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_use_is_one_line_with_the_remedy_and_exit_2(
    line: str, named: tuple[str, ...], with_acme: tuple[Hris, Path, int]
) -> None:
    hris, home, before = with_acme
    result = hris(*(part if part != "''" else "" for part in line.split(" ")))
    assert result.exit_code == 2, result
    assert all(words in result.error for words in named), result.error
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert written(home) == before


def test_with_json_an_error_is_one_document(with_acme: tuple[Hris, Path, int]) -> None:
    hris = with_acme[0]
    for line in ("preview other --json", "nonsense --json", "settings set acme a=1 b=2 --json"):
        result = hris(*line.split())
        assert result.exit_code == 2
        assert result.document["error"]["exit_code"] == 2
        assert result.document["error"]["message"] in result.error


BROKEN_SETTINGS = """\
override_emial: on
archive_employees: 3
time_zone: Mars/Olympus
day_of_month: 32
do_not_import:
  - {name: R, all: [{field: job_titel, operator: equals, value: x}]}
metadata:
  - {name: A, source: job_title}
  - {name: a, source: department}
"""


@pytest.mark.parametrize("command", ["settings apply acme FILE", "setup acme --settings FILE"])
def test_a_settings_file_lists_all_its_problems_with_their_lines_and_changes_nothing(
    command: str, with_acme: tuple[Hris, Path, int], tmp_path: Path
) -> None:
    hris, home, before = with_acme
    file = tmp_path / "settings.yaml"
    file.write_text(BROKEN_SETTINGS)
    result = hris(*command.replace("FILE", str(file)).split(), "--json")
    assert result.exit_code == 2
    problems = result.document["error"]["problems"]
    assert {problem["line"] for problem in problems} == {1, 2, 3, 4, 6, 9}
    assert all(f"line {problem['line']}" in result.error for problem in problems)
    assert written(home) == before


SOURCE: list[tuple[str, Callable[[Sandbox, MonkeyPatch], object], str, int, str]] = [
    (
        "no source",
        lambda _, env: env.setenv("JUSTWORKS_API_URL", "http://127.0.0.1:9"),
        "preview acme",
        1,
        "127.0.0.1:9",
    ),
    ("wrong secret", lambda _, env: env.setenv("JUSTWORKS_CLIENT_SECRET", "x"), "connect acme --code x", 1, "SECRET"),
    ("wrong code", lambda *_: None, "connect acme --code wrong", 1, "hris connect acme"),
    ("expired refresh", lambda box, _: box.fault("expired_refresh"), "preview acme", 1, "hris connect acme"),
    ("revoked", lambda box, _: box.fault("revoked_token"), "preview acme", 1, "hris connect acme"),
    ("nobody", lambda box, _: box.fault("empty_list"), "preview acme", 1, "check the connection"),
    ("bad proxy list", lambda _, env: env.setenv("NO_PROXY", "[::1]"), "preview acme", 1, "NO_PROXY"),
    ("bad proxy", lambda _, env: env.setenv("HTTP_PROXY", "x://y"), "connect acme --code x", 1, "HTTP_PROXY"),
    ("not json", lambda box, _: box.fault("not_json"), "preview acme", 1, "Justworks"),
]


@pytest.mark.parametrize(
    ("breaks", "line", "exit_code", "named"), [case[1:] for case in SOURCE], ids=[case[0] for case in SOURCE]
)
def test_a_source_that_fails_is_one_line_and_imports_nobody(
    breaks: Callable[[Sandbox, MonkeyPatch], object],
    line: str,
    exit_code: int,
    named: str,
    with_acme: tuple[Hris, Path, int],
    sandbox: Sandbox,
    monkeypatch: MonkeyPatch,
) -> None:
    breaks(sandbox, monkeypatch)
    hris, home, _ = with_acme
    result = hris(*line.split())
    assert result.exit_code == exit_code
    assert named in result.error
    with sqlite3.connect(home / "store.db") as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM imports WHERE status != 'failed'").fetchone() == (0,)
    connection.close()


def test_a_store_without_tables_or_with_newer_ones_names_the_remedy(hris: Hris, home: Path) -> None:
    result = hris("integrations")
    assert (result.exit_code, "hris setup NAME" in result.error) == (1, True)
    assert not home.exists()
    home.mkdir()
    sqlite3.connect(home / "store.db").close()
    (home / "store.db").touch()
    assert "hris store upgrade" in hris("integrations").error
    assert hris("store", "upgrade").exit_code == 0
    with sqlite3.connect(home / "store.db") as connection:
        connection.execute(f"UPDATE {REVISION_TABLE} SET version_num = '9999'")
    connection.close()
    result = hris("integrations")
    assert (result.exit_code, "newer" in result.error) == (1, True)


def test_an_unreachable_database_is_named(hris: Hris, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("HRIS_STORE_URL", "postgresql://someone:secret-word@127.0.0.1:9/base")
    result = hris("integrations")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.error
    assert "secret-word" not in result.error


def test_a_second_run_of_the_same_integration_says_so(saved: object, hris: Hris) -> None:
    services = open_services()
    try:
        with integration_lock(services.store, "acme", 0.0):
            assert isinstance(saved, dict)
            result = hris("undo", saved["import_id"])
    finally:
        services.close()
    assert result.exit_code == 1
    assert "acme" in result.error


def test_an_unexpected_error_tells_its_kind_and_place_but_not_its_message(hris: Hris, monkeypatch: MonkeyPatch) -> None:
    from hris_pipeline.cli import settings

    def fails() -> None:
        raise ValueError("Ana Lima, born 1990")

    monkeypatch.setattr(settings, "settings_schema", fails)
    result = hris("settings", "schema")
    assert result.exit_code == 1
    assert "ValueError" in result.error
    assert "Lima" not in result.stderr
