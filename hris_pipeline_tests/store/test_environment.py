"""Environment variables that would be unsafe or make no sense are refused by name."""

from pathlib import Path

import pytest

from hris_pipeline.environment import VARIABLES, Environment
from hris_pipeline.errors import EnvironmentInvalid

ADDRESSES = ("JUSTWORKS_API_URL", "JUSTWORKS_AUTHORIZE_URL", "FINCH_API_URL")


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("host", ["api.example", "10.0.0.1", "0.0.0.0", "127.0.0.1.example", "[2001:db8::1]"])
def test_plain_http_to_another_machine_is_refused(name: str, host: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=f"{name} is plain http to another machine"):
        Environment.read({name: f"http://{host}:8080/"})
    Environment.read({name: f"https://{host}:8080/"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_plain_http_to_this_machine_is_for_trying_out(host: str) -> None:
    assert Environment.read({"JUSTWORKS_API_URL": f"http://{host}:8080"}).api_url == f"http://{host}:8080"


@pytest.mark.parametrize("name", [*ADDRESSES, "HRIS_OIDC_ISSUER", "HRIS_CONSOLE_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "https://api.example:port",
        "https://api.example:99999",
        "https://api.example:0",
        "https://[::1",
        "https://",
        "https://:443",
        "https://api exam.ple",
        "https://api.example/\n",
        "ftp://api.example",
        "api.example",
    ],
)
def test_what_is_no_web_address_is_refused_by_name(name: str, address: str) -> None:
    value = {name: address + "x"} if address.endswith("\n") else {name: address}
    with pytest.raises(EnvironmentInvalid, match=f"^{name} is no web address"):
        Environment.read({"HRIS_OIDC_CLIENT_ID": "x"} | value)


@pytest.mark.parametrize("name", ["what?x=1", "50%", "50%41"])
@pytest.mark.parametrize("variable", ["HRIS_HOME", "DAGSTER_HOME"])
def test_a_home_in_which_dagster_would_go_astray_is_refused_before_anything_is_made(
    tmp_path: Path, variable: str, name: str
) -> None:
    homes = {"HRIS_HOME": str(tmp_path / "home")} | {variable: str(tmp_path / name)}
    with pytest.raises(EnvironmentInvalid, match="DAGSTER_HOME"):
        Environment.read(homes)
    assert Environment.read({**homes, "DAGSTER_HOME": str(tmp_path / "d")}).home == Path(homes["HRIS_HOME"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["HRIS_HOME", "DAGSTER_HOME"])
def test_a_home_that_cannot_be_shown_is_refused(tmp_path: Path, variable: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=f"{variable} holds characters"):
        Environment.read({variable: f"{tmp_path}/a\nb"})


@pytest.mark.parametrize(
    "name", ["HRIS_ANSWER_SECONDS", "HRIS_ANSWER_MEGABYTES", "HRIS_READING_PAGES", "HRIS_READING_HOURS"]
)
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_ceiling_is_a_number_above_0(name: str, value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=name):
        Environment.read({name: value})


def test_every_variable_has_a_meaning_and_stands_in_the_docs() -> None:
    docs = "".join(page.read_text() for page in (Path(__file__).parents[2] / "docs").glob("*.md"))
    assert [variable.name for variable in VARIABLES if not variable.meaning or variable.name not in docs] == []


def test_what_is_blank_has_its_default_and_nothing_else_of_the_environment_is_read() -> None:
    blank = {variable.name: " " for variable in VARIABLES} | {"access": "x", "hris_home": "/x"}
    assert Environment.read(blank) == Environment.read({})


def test_no_secret_is_shown() -> None:
    environment = Environment.read({"HRIS_SECRET_KEY": "s3cret", "JUSTWORKS_CLIENT_SECRET": "s3cret"})
    assert "s3cret" not in f"{environment!r} {environment}"
