"""Environment variables that would be unsafe or make no sense are refused by name."""

import pytest

from hris_pipeline.environment import Environment
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


@pytest.mark.parametrize(
    "name", ["HRIS_ANSWER_SECONDS", "HRIS_ANSWER_MEGABYTES", "HRIS_READING_PAGES", "HRIS_READING_HOURS"]
)
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_ceiling_is_a_number_above_0(name: str, value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=name):
        Environment.read({name: value})
