"""Tokens: never stored in the clear, renewed once however many ask."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.errors import ConnectionInvalid
from hris_pipeline.sources.oauth import TokenKeeper, Tokens
from hris_pipeline.store.engine import Store
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.tables import connections
from hris_pipeline.store.tokens import StoredTokens
from hris_pipeline_tests.kit.store_builders import NOW, integration
from hris_pipeline_tests.kit.store_processes import kill, process


def tokens(number: int) -> Tokens:
    return Tokens(
        access=f"access-{number}",
        refresh=f"refresh-{number}",
        scopes=("a:read", "b:read"),
        expires_at=NOW + timedelta(hours=number),
        refresh_expires_at=NOW + timedelta(days=30),
    )


@pytest.fixture
def keeper(store: Store, environment: Environment) -> StoredTokens:
    integration(store)
    return StoredTokens(store, load_keyring(environment), "acme")


def _state(keeper: StoredTokens) -> str:
    with keeper.store.read() as connection:
        return get_integration(connection, "acme").connection


def _row(keeper: StoredTokens) -> sa.Row[Any]:
    with keeper.store.read() as connection:
        return connection.execute(sa.select(connections)).one()


def test_tokens_come_back_as_they_were_saved(keeper: StoredTokens) -> None:
    kept: TokenKeeper = keeper
    keeper.save(tokens(1), "Acme Inc.", NOW)
    assert kept.current() == tokens(1)
    assert _state(keeper) == "connected"
    row = _row(keeper)
    assert (row.company_name, row.scopes, row.updated_at) == ("Acme Inc.", "a:read b:read", NOW)


def test_a_credential_without_refresh_token_is_kept_too(keeper: StoredTokens) -> None:
    lasting = Tokens(access="key", expires_at=NOW)
    keeper.save(lasting)
    assert keeper.current() == lasting


def test_nothing_is_stored_in_the_clear(keeper: StoredTokens) -> None:
    keeper.save(tokens(1))
    with keeper.store.read() as connection:
        row = str(connection.execute(sa.select(connections)).one())
    assert "access-1" not in row
    assert "refresh-1" not in row


def test_without_tokens_a_person_must_connect(keeper: StoredTokens) -> None:
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        keeper.current()
    keeper.save(tokens(1))
    keeper.delete()
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        keeper.current()
    assert _state(keeper) == "disconnected"


def test_renewed_tokens_are_committed_before_they_are_given(keeper: StoredTokens) -> None:
    keeper.save(tokens(1), "Acme Inc.")
    assert keeper.refresh(tokens(1), lambda stored: tokens(2)) == tokens(2)
    assert keeper.current() == tokens(2)
    assert _row(keeper).company_name == "Acme Inc."


def test_many_who_find_the_same_token_stale_renew_it_once(keeper: StoredTokens) -> None:
    keeper.save(tokens(1))
    calls: list[Tokens] = []
    results: list[Tokens] = []

    def renew(stored: Tokens) -> Tokens:
        calls.append(stored)
        return tokens(2)

    threads = [threading.Thread(target=lambda: results.append(keeper.refresh(tokens(1), renew))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (calls, results) == ([tokens(1)], [tokens(2)] * 4)


def renew_slowly(store: Store, ready: Callable[[], None], environment: Environment) -> None:
    def renew(stored: Tokens) -> Tokens:
        ready()
        time.sleep(0.5)
        return tokens(7)

    keeper = StoredTokens(store, load_keyring(environment), "acme")
    keeper.refresh(keeper.current(), renew)


def test_two_processes_renew_once(keeper: StoredTokens, environment: Environment) -> None:
    keeper.save(tokens(1))
    with process(environment, renew_slowly, environment) as child:
        assert keeper.refresh(tokens(1), lambda stored: tokens(3)) == tokens(7)
        child.join()
        assert child.exitcode == 0


def test_a_killed_renewal_blocks_nobody(keeper: StoredTokens, environment: Environment) -> None:
    keeper.save(tokens(1))
    with process(environment, renew_slowly, environment) as child:
        kill(child)
        assert keeper.refresh(tokens(1), lambda stored: tokens(2)) == tokens(2)


def test_a_dead_connection_is_recorded(keeper: StoredTokens) -> None:
    def refuse(stored: Tokens) -> Tokens:
        raise ConnectionInvalid("no longer accepted")

    keeper.save(tokens(1))
    with pytest.raises(ConnectionInvalid):
        keeper.refresh(tokens(1), refuse)
    assert _state(keeper) == "expired"
