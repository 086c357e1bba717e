"""Keys: from the environment, or from a file that only its owner can read."""

import stat

import pytest
from cryptography.fernet import Fernet

from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid
from hris_pipeline.store.keyring import KEY_FILE, load_keyring

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def _with(environment: Environment, *keys: str) -> Environment:
    return environment.model_copy(update={"secret_keys": keys})


def test_the_first_key_encrypts_and_any_decrypts(sqlite_environment: Environment) -> None:
    secret = load_keyring(_with(sqlite_environment, OLD)).encrypt("token")
    both = load_keyring(_with(sqlite_environment, NEW, OLD))
    assert (both.decrypt(secret), "token" in secret) == ("token", False)
    assert load_keyring(_with(sqlite_environment, NEW)).decrypt(both.encrypt("token")) == "token"


def test_a_wrong_key_is_named_with_the_remedy(sqlite_environment: Environment) -> None:
    secret = load_keyring(_with(sqlite_environment, OLD)).encrypt("token")
    with pytest.raises(EnvironmentInvalid, match="HRIS_SECRET_KEY does not open the stored tokens"):
        load_keyring(_with(sqlite_environment, NEW)).decrypt(secret)


def test_sqlite_makes_a_key_file_for_its_owner_alone(sqlite_environment: Environment) -> None:
    environment = _with(sqlite_environment)
    secret = load_keyring(environment).encrypt("token")
    path = environment.home / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keyring(environment).decrypt(secret) == "token"
    assert [file.name for file in environment.home.glob("secret*")] == [KEY_FILE]


def test_postgresql_needs_a_key(postgres_environment: Environment) -> None:
    with pytest.raises(EnvironmentInvalid, match=r"HRIS_SECRET_KEY is not set.*generate_key"):
        load_keyring(_with(postgres_environment))
    assert not (postgres_environment.home / KEY_FILE).exists()


@pytest.mark.parametrize("keys", [("short",), (OLD, "tüp"), (OLD, "x" * 44)])
def test_a_key_that_is_none_is_named_by_its_place_and_not_shown(
    sqlite_environment: Environment, keys: tuple[str, ...]
) -> None:
    with pytest.raises(EnvironmentInvalid, match=f"HRIS_SECRET_KEY: key {len(keys)} is no Fernet key") as caught:
        load_keyring(_with(sqlite_environment, *keys))
    assert keys[-1] not in str(caught.value)


def test_an_empty_key_file_is_named(sqlite_environment: Environment) -> None:
    (sqlite_environment.home / KEY_FILE).write_text("\n")
    with pytest.raises(EnvironmentInvalid, match="holds no key"):
        load_keyring(_with(sqlite_environment))


def test_a_key_file_that_is_no_text_is_named(sqlite_environment: Environment) -> None:
    (sqlite_environment.home / KEY_FILE).write_bytes(b"\xff\xfe\x00key")
    with pytest.raises(EnvironmentInvalid, match=rf"{KEY_FILE}: key 1 is no Fernet key"):
        load_keyring(_with(sqlite_environment))
