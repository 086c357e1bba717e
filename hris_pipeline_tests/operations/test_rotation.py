"""Keys change: everything is encrypted and sealed anew, what was tampered with is not blessed, old keys can go."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from hris_pipeline.defs.io_manager import FrameIOManager, Traced, check_frames, frames_root, reseal_frames
from hris_pipeline.errors import EnvironmentInvalid, Tampered
from hris_pipeline.operations.automation import pause
from hris_pipeline.operations.decisions import approve_import, save_import
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.roles import DecidedBy, deciding
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.upkeep import rotate_key, verify
from hris_pipeline.operations.users import load_users, protect
from hris_pipeline.store.integrations import current_settings
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.rotation import seal_first
from hris_pipeline.store.tables import (
    approvals,
    connections,
    decisions,
    imports,
    integration_settings,
    integrations,
    users,
)
from hris_pipeline.transform.columns import text_from_source
from hris_pipeline_tests.kit.acme import Acme

HELD = "guards={archive_limit: {people: 5, people_percent: 0, small_people: 2, small_percent: 1}}"
NEW = Fernet.generate_key().decode()


@contextmanager
def under_keys(acme: Acme, *keys: str) -> Iterator[Services]:
    """The same home, opened by a process with other keys."""
    opened = open_services(acme.services.environment.model_copy(update={"secret_keys": keys}))
    try:
        yield replace(opened, now=acme.services.now, retries=acme.services.retries)
    finally:
        opened.close()


def lived(acme: Acme) -> str:
    """Something of everything that is encrypted or sealed; gives the held and approved import."""
    acme.switch("notify=[{to: 'json://secret.example', on: [held]}]", HELD)
    load_users(acme.services, "acme", b"Employee Id,First Name,Last Name\nL1,Zoe,Other\n")
    protect(acme.services, "acme", "L1", protected=True)
    acme.lose(acme.active()[:2])
    held = acme.preview()
    for reason in ("one left", "two left"):
        with deciding(acme.services, "acme", "approve", DecidedBy("Dana", "dana", "os"), held.import_id):
            approve_import(acme.services, held.import_id, held.digest, "Dana", reason)
    return held.import_id


def test_after_a_rotation_the_new_key_alone_opens_and_proves_everything(acme: Acme) -> None:
    import_id = lived(acme)
    old = acme.services.environment.secret_keys
    root = frames_root(acme.services.environment.files_url)
    (root / "employees").mkdir(parents=True)
    manager = FrameIOManager(root, load_keyring(acme.services.environment))
    content = manager.encode(Traced(pd.DataFrame({"name": text_from_source(["Zoë"])}), "e1"), "employees of acme")
    (root / "employees" / "acme.parquet").write_bytes(content)
    with under_keys(acme, NEW, *old) as services:
        counts = rotate_key(services, lambda sealer: reseal_frames(root, sealer))
        assert counts == {
            "connections": 1,
            "settings": 2,
            "imports": 2,
            "approvals": 1,
            "users": 1,
            "decided": 5,
            "manifests": 3,
            "frames": 1,
            "left": 0,
        }
    with under_keys(acme, NEW) as services:
        assert services.tokens("acme").current().access
        with services.store.read() as connection:
            assert current_settings(connection, "acme").settings.notify[0].to == "json://secret.example"
        assert verify(services, "acme").ok
        assert kept_manifest(services, "acme")
        check_frames(root, load_keyring(services.environment), "acme")
        assert save_import(services, "acme", import_id, actor="dana").status == "applied"
    with under_keys(acme, *old) as services:
        with pytest.raises(EnvironmentInvalid):
            services.tokens("acme").current()
        with pytest.raises(Tampered):
            kept_manifest(services, "acme")
        verification = verify(services, "acme")
        assert not verification.ok
        assert "add the one that is missing to HRIS_SECRET_KEY" in str(verification.first)


def test_without_the_old_key_nothing_is_changed(acme_lite: Acme) -> None:
    with under_keys(acme_lite, NEW) as services, pytest.raises(EnvironmentInvalid, match="does not open"):
        rotate_key(services, lambda _: (0, 0))
    assert verify(acme_lite.services, "acme").ok


def test_what_was_tampered_with_is_not_blessed(acme: Acme) -> None:
    import_id = lived(acme)
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(imports).where(imports.c.import_id == import_id).values(actor="mallory"))
        connection.execute(sa.update(approvals).values(reason="mallory"))
        connection.execute(sa.update(users).where(users.c.employee_id == "L1").values(protected=False))
        first = sa.update(integration_settings).where(integration_settings.c.version == 1)
        connection.execute(first.values(actor="mallory"))
        connection.execute(sa.update(integrations).values(automatic="running"))
        connection.execute(sa.update(connections).values(scopes="everything"))
        connection.execute(sa.delete(decisions).where(decisions.c.number == 2))
    with under_keys(acme, NEW, *acme.services.environment.secret_keys) as services:
        assert rotate_key(services, lambda _: (0, 0))["left"] == 7
        verification = verify(services, "acme")
    assert verification.settings == (1,)
    assert verification.decided == ("whether automatic imports run", "its tokens", "decision 2 of the log (gone)")
    assert (len(verification.altered), [divergence.what for divergence in verification.divergences]) == (
        1,
        ["protected"],
    )


def test_a_key_in_a_file_is_replaced_by_a_new_one(acme_lite: Acme) -> None:
    acme = acme_lite
    path = acme.services.environment.home / "secret.key"
    path.write_text("\n".join(acme.services.environment.secret_keys))
    before = path.read_text()
    with under_keys(acme) as services:
        rotate_key(services, lambda _: (0, 0))
    assert len(path.read_text().split()) == 1
    assert path.read_text().strip() != before.strip()
    assert path.stat().st_mode & 0o077 == 0
    with under_keys(acme) as services:
        assert services.tokens("acme").current().access
        assert verify(services, "acme").ok


def test_whoever_has_the_store_open_while_the_key_of_a_file_changes_goes_on_with_the_new_one(acme_lite: Acme) -> None:
    acme, by = acme_lite, DecidedBy("Dana", "dana", "os")
    (acme.services.environment.home / "secret.key").write_text("\n".join(acme.services.environment.secret_keys))
    with under_keys(acme) as services, under_keys(acme) as other:
        assert verify(other, "acme").ok
        with deciding(other, "acme", "pause", by):
            rotate_key(services, lambda _: (0, 0))
            pause(other, "acme", "Dana", "audit")
        extract_members(other, "acme")
        other.tokens("acme").save(other.tokens("acme").current())
    with under_keys(acme) as services:
        assert verify(services, "acme").ok
        assert kept_manifest(services, "acme")
        assert services.tokens("acme").current().access


def test_an_upgrade_seals_what_was_there_before_there_were_seals(acme: Acme) -> None:
    import_id = lived(acme)
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(imports).values(seal=None, rows_hash=None))
        connection.execute(sa.update(approvals).values(seal=None))
        connection.execute(sa.update(users).values(seal=None))
        unsealed = {"seal": None, "automatic_seal": None, "kept_seal": None}
        connection.execute(sa.update(integrations).values(unsealed))
        for table in (integration_settings, connections):
            connection.execute(sa.update(table).values(seal=None))
        assert seal_first(connection) == 10
        assert seal_first(connection) == 0
    assert verify(acme.services, "acme").ok
    assert acme.save(import_id).status == "applied"
