"""What the UI's own API does: backfills over many companies, everything at once, a preview and its save."""

from collections.abc import Iterator

import dagster as dg
import pytest

from hris_pipeline.defs.io_manager import ManifestIOManager, frames_root
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.settings import change_settings
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline_tests.kit.automatic_companies import BY, automatic_settings
from hris_pipeline_tests.kit.graphql import Ui
from hris_pipeline_tests.kit.machine import Machine, MakeMachine

NAMES = ("alpha", "beta")
ALONE = "by-hand"

CHANGED = automatic_settings(mapping={"preferred_first_name": "last_name"})


@pytest.fixture(scope="module")
def ui(make_machine: MakeMachine) -> Iterator[Ui]:
    """Daemon and webserver over companies that were imported once; their extracts are kept."""
    machine = make_machine()
    companies = machine.companies
    for name in (*NAMES, ALONE):
        companies.add(name)
        keep_manifest(machine, name)
    machine.know()
    with machine.daemon(), machine.webserver() as webserver:
        yield Ui(machine, webserver)


def keep_manifest(machine: Machine, name: str) -> None:
    """Leaves the latest extract's manifest where the asset ``justworks_members`` leaves it."""
    services = machine.companies.services
    folder = frames_root(services.environment.files_url) / "justworks_members"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    manager = ManifestIOManager(folder.parent, load_keyring(services.environment))
    content = manager.encode(kept_manifest(services, name), f"justworks_members of {name}")
    (folder / f"{name}.json").write_bytes(content)


def test_a_backfill_after_a_changed_mapping_ends_in_change_sets_to_review_without_asking_the_source(ui: Ui) -> None:
    companies = ui.machine.companies
    for name in NAMES:
        change_settings(companies.services, name, CHANGED, BY)
    before = companies.sandbox.requests.copy()
    runs = ui.backfill(("employees", "mapped_users", "change_set", "user_file"), NAMES)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert companies.sandbox.requests == before
    for name in NAMES:
        (planned,) = [import_ for import_ in companies.imports(name) if import_.status in ("planned", "held")]
        assert planned.trigger == "backfill"
        assert planned.extract_id == companies.imports(name)[0].extract_id


def test_materializing_everything_plans_and_applies_nothing_that_nobody_reviewed(ui: Ui) -> None:
    companies = ui.machine.companies
    companies.by_name[ALONE].week()
    run = ui.launch("__ASSET_JOB", ALONE, *ui.materializable())
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert [import_.status for import_ in companies.imports(ALONE)] == ["applied", "planned"]


def test_a_preview_and_its_save_apply_that_very_change_set(ui: Ui) -> None:
    companies = ui.machine.companies
    companies.by_name[ALONE].week()
    assert ui.launch("preview_import", ALONE).status is dg.DagsterRunStatus.SUCCESS
    (planned,) = companies.imports(ALONE, status="planned")
    saved = ui.launch("save_import", ALONE)
    assert saved.status is dg.DagsterRunStatus.SUCCESS
    assert saved.tags["hris/applied"] == planned.import_id
    assert companies.imports(ALONE)[-1].status == "applied"
