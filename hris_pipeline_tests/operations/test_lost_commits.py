"""A store that is back at an earlier moment, as after a failover to a replica that lagged, is sound and goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.roles import DecidedBy, deciding, decisions_of
from hris_pipeline.operations.upkeep import verify
from hris_pipeline_tests.kit.acme import Acme


def copied(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)


def test_a_store_that_lost_its_last_commits_is_sound_and_goes_on(acme_lite: Acme, tmp_path: Path) -> None:
    acme, services = acme_lite, acme_lite.services
    first, second = acme.active()[:2]
    acme.company.edit(first, job_title="Astronaut")
    planned = acme.preview()
    store, replica = str(services.store.engine.url.database), str(tmp_path / "replica.db")
    copied(store, replica)
    with deciding(services, "acme", "save", DecidedBy("Dana", "dana", "os"), planned.import_id):
        acme.save(planned.import_id)
    acme.company.edit(second, job_title="Baker")
    lost = acme.run()
    after = acme.users()
    services.close()
    copied(replica, store)

    assert verify(services, "acme").ok, "nothing inside a store tells what it has lost"
    assert decisions_of(services, "acme") == ()
    assert read_import(services, planned.import_id).status == "planned"
    assert kept_manifest(services, "acme").extract_id == lost.extract_id, "extracts are kept elsewhere"
    acme.run()
    assert {key: user["metadata"] for key, user in acme.users().items()} == {
        key: user["metadata"] for key, user in after.items()
    }
    assert verify(services, "acme").ok
