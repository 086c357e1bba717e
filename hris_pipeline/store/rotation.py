"""Encrypting and sealing anew: under a new first key, or for the first time after an upgrade to a store with seals."""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hris_pipeline.store.frames import prove_staged_rows
from hris_pipeline.store.imports import Import, tampered_parts, update_statement
from hris_pipeline.store.keyring import (
    APPROVAL_PARTS,
    Keyring,
    broken_parts,
    decrypt_settings,
    encrypt_settings,
    is_user_seal,
    keyring_of,
    seal_record,
    seal_user,
)
from hris_pipeline.store.seals import (
    AUTOMATIC,
    CONNECTION,
    DECISION,
    DECISION_LOG,
    INTEGRATION,
    KEPT,
    PARTS,
    RESOLUTION,
    SETTINGS,
    is_intact,
    read_log,
    reseal,
    seal_of,
    seal_parts,
    seal_rows,
)
from hris_pipeline.store.tables import (
    approvals,
    connections,
    decision_logs,
    import_rows,
    imports,
    integration_settings,
    users,
)

__all__ = ["Rotated", "renew_secrets", "seal_first"]


@dataclass(frozen=True)
class Rotated:
    """How many of each were encrypted or sealed anew; ``decided`` is what people decided of integrations and conflicts,
    and the log of it; ``left`` are seals that were broken, and stay so."""

    connections: int = 0
    settings: int = 0
    imports: int = 0
    approvals: int = 0
    users: int = 0
    decided: int = 0
    left: int = 0


def renew_secrets(connection: sa.Connection) -> Rotated:
    """Encrypts tokens and settings, and seals imports, approvals and users, with the first key. What was tampered with
    keeps its broken seal.

    Raises:
        EnvironmentInvalid: none of the keys opens something.
    """
    keyring = keyring_of(connection)
    tokens, settings = _rotate_tokens(connection, keyring), _rotate_settings(connection, keyring)
    decided = [reseal(connection, part) for part in (INTEGRATION, AUTOMATIC, KEPT, RESOLUTION)]
    decided += [_rotate_decisions(connection, keyring)]
    sealed = [_rotate_import(connection, row) for row in connection.execute(sa.select(imports)).all()]
    approved = [_rotate_approval(connection, keyring, row) for row in connection.execute(sa.select(approvals)).all()]
    with_seal = sa.select(users.c.user_id, users.c.protected, users.c.seal).where(users.c.seal.is_not(None))
    people = [_rotate_user(connection, keyring, row) for row in connection.execute(with_seal).all()]
    return Rotated(
        connections=sum(tokens),
        settings=sum(settings),
        imports=sum(sealed),
        approvals=sum(approved),
        users=sum(people),
        decided=sum(number for number, _ in decided),
        left=sum(not whether for whether in (*tokens, *settings, *sealed, *approved, *people))
        + sum(number for _, number in decided),
    )


def seal_first(connection: sa.Connection) -> int:
    """Seals what was written before there were seals, just as it stands; gives how many. An upgrade does this once:
    afterwards what has no seal is refused."""
    unsealed = connection.execute(sa.select(imports).where(imports.c.seal.is_(None))).all()
    rows = connection.execute(sa.select(approvals).where(approvals.c.seal.is_(None))).all()
    made = sa.select(import_rows.c.user_id).where(import_rows.c.action == "create")
    decided = sa.or_(users.c.protected, users.c.user_id.not_in(made))
    people = connection.execute(
        sa.select(users.c.user_id, users.c.protected).where(users.c.seal.is_(None), decided)
    ).all()
    parts = [(part, part.table.c[part.column].is_(None)) for part in PARTS]
    stored = (sa.select(part.table).where(part.where, unsealed_row).limit(1) for part, unsealed_row in parts)
    waiting = any(connection.execute(select).first() is not None for select in stored)
    if not (unsealed or rows or people or waiting):
        return 0  # asks for no key
    number = sum(seal_rows(connection, part, unsealed_row) for part, unsealed_row in parts)
    keyring = keyring_of(connection)
    for row in unsealed:
        record = Import.from_row(row)
        proof = prove_staged_rows(connection, record.import_id)
        connection.execute(update_statement(connection, replace(record, rows_hash=proof.rows_hash)))
    for row in rows:
        _write_approval(connection, keyring, row)
    for row in people:
        _write_user(connection, keyring, row)
    return number + len(unsealed) + len(rows) + len(people)


def _rotate_decisions(connection: sa.Connection, keyring: Keyring) -> tuple[int, int]:
    """Each line, then the logs that were intact before; how many lines, and how many lines and logs were left."""
    names = connection.execute(sa.select(decision_logs.c.integration_id)).scalars().all()
    intact = [name for name in names if is_intact(keyring, DECISION_LOG, read_log(connection, name))]
    sealed, left = reseal(connection, DECISION)
    for name in intact:
        seal_parts(connection, name, DECISION_LOG)
    return sealed, left + len(names) - len(intact)


def _rotate_tokens(connection: sa.Connection, keyring: Keyring) -> list[bool]:
    rows = connection.execute(sa.select(connections)).all()
    return [_rotate_connection(connection, keyring, row) for row in rows]


def _rotate_connection(connection: sa.Connection, keyring: Keyring, row: sa.Row[Any]) -> bool:
    secrets = {
        name: keyring.encrypt(keyring.decrypt(row._mapping[name])) if row._mapping[name] else None
        for name in ("access_token", "refresh_token")
    }
    intact = is_intact(keyring, CONNECTION, row._mapping)
    seal = seal_of(keyring, CONNECTION, {**row._mapping, **secrets}) if intact else row.seal
    of_integration = connections.c.integration_id == row.integration_id
    connection.execute(sa.update(connections).where(of_integration).values(secrets | {"seal": seal}))
    return intact


def _rotate_settings(connection: sa.Connection, keyring: Keyring) -> list[bool]:
    return [
        _rotate_version(connection, keyring, row) for row in connection.execute(sa.select(integration_settings)).all()
    ]


def _rotate_version(connection: sa.Connection, keyring: Keyring, row: sa.Row[Any]) -> bool:
    settings = decrypt_settings(connection, row.document, row.digest)
    if settings is None or not is_intact(keyring, SETTINGS, row._mapping):
        return False
    values: dict[str, Any] = {"seal": seal_of(keyring, SETTINGS, row._mapping)}
    if settings.notify:
        values["document"] = encrypt_settings(connection, settings)
    this_version = sa.and_(
        integration_settings.c.integration_id == row.integration_id, integration_settings.c.version == row.version
    )
    connection.execute(sa.update(integration_settings).where(this_version).values(values))
    return True


def _rotate_import(connection: sa.Connection, row: sa.Row[Any]) -> bool:
    record = Import.from_row(row)
    intact = not tampered_parts(connection, record, rows=False)
    if intact:
        connection.execute(update_statement(connection, record))
    return intact


def _rotate_approval(connection: sa.Connection, keyring: Keyring, row: sa.Row[Any]) -> bool:
    intact = not broken_parts(keyring, f"approval/{row.import_id}", row._asdict(), APPROVAL_PARTS, row.seal)
    if intact:
        _write_approval(connection, keyring, row)
    return intact


def _rotate_user(connection: sa.Connection, keyring: Keyring, row: Any) -> bool:
    intact = is_user_seal(keyring, row.seal, row.user_id, protected=row.protected)
    if intact:
        _write_user(connection, keyring, row)
    return intact


def _write_approval(connection: sa.Connection, keyring: Keyring, row: sa.Row[Any]) -> None:
    seal = seal_record(keyring, f"approval/{row.import_id}", row._asdict(), APPROVAL_PARTS)
    connection.execute(sa.update(approvals).where(approvals.c.import_id == row.import_id).values(seal=seal))


def _write_user(connection: sa.Connection, keyring: Keyring, row: Any) -> None:
    seal = seal_user(keyring, row.user_id, protected=row.protected)
    connection.execute(sa.update(users).where(users.c.user_id == row.user_id).values(seal=seal))
