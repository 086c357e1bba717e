"""One whole import of the pipeline in one process, step by step, as an operation and not as a Dagster run.

Usage: python -m benchmarks.pipeline prepare|prepare-custom|import|preview|review|undo
"""

import sys

import sqlalchemy as sa

from benchmarks.measure import Meter
from hris_pipeline.environment import Environment
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import plan_undo, save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.members import build_employees, build_mapped_users
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.review import review
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import change_settings, read_settings, set_up
from hris_pipeline.sandbox import Company, Sandbox, SandboxState
from hris_pipeline.settings.loading import set_values
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline.store.imports import Import

CALLBACK = "http://127.0.0.1:8765/callback"
NAME = "acme"


def prepare() -> None:
    """An integration set up and connected; prints the access token, for the floors."""
    environment = Environment.read()
    upgrade_store(environment)
    services = open_services(environment)
    set_up(services, NAME, actor="bench", accept=True)
    code = Sandbox(environment.api_url, SandboxState(Company(1))).authorize(redirect_uri=CALLBACK)
    connect(services, NAME, code, redirect_uri=CALLBACK)
    sys.stdout.write(services.tokens(NAME).current().access + "\n")
    services.close()


def prepare_custom() -> None:
    """The same, with a custom field mapped: everybody's values are asked for."""
    prepare()
    services = open_services()
    settings = read_settings(services, NAME).settings
    badge = "metadata=[{name: Badge, source: 'custom:Badge Number'}]"
    change_settings(services, NAME, set_values(settings, [badge]), "bench")
    services.close()


def preview() -> None:
    """Reads and plans; nothing is saved."""
    meter = Meter()
    services = open_services()
    _plan(services, meter)
    meter.tell()
    services.close()


def run() -> None:
    """One import, and what it wrote."""
    meter = Meter()
    services = open_services()
    members, planned = _plan(services, meter)
    with meter.step("applied_changes"):
        if planned.status != "applied":
            save_import(services, NAME, planned.import_id, actor="bench")
    meter.tell({"members": members, **planned.counts, "held": int(planned.status == "held")})
    _settle(services)
    services.close()


def look() -> None:
    """The first page of the last import's review, sorted and filtered by the store."""
    meter = Meter()
    services = open_services()
    largest = max(history(services, NAME), key=lambda summary: summary.changes)
    with meter.step("first page"):
        page = review(services, largest.import_id)
    meter.tell({"rows": len(page.rows)})
    services.close()


def undo() -> None:
    """Takes the last import back."""
    meter = Meter()
    services = open_services()
    with meter.step("plan"):
        planned = plan_undo(services, history(services, NAME)[0].import_id, actor="bench")
    with meter.step("applied_changes"):
        save_import(services, NAME, planned.import_id, actor="bench")
    meter.tell(planned.counts)
    services.close()


def _plan(services: Services, meter: Meter) -> tuple[int, Import]:
    with meter.step("extract"):
        manifest = extract_members(services, NAME)
    with meter.step("employees"):
        settings = read_settings(services, NAME).settings
        validated = build_employees(services, manifest, settings)
    with meter.step("mapped_users"):
        mapped = build_mapped_users(services, manifest, validated.people, settings)
    warnings = {**validated.warnings, **mapped.warnings}
    users = mapped.users
    del validated, mapped
    with meter.step("change_set"):
        planned = plan_import(
            services, manifest, users, warnings=warnings, trigger="manual", actor="bench", run_id=None
        )
    return manifest.records, planned


def _settle(services: Services) -> None:
    """What a server does by itself within a minute, so that the next measurement does not meet it."""
    if services.store.dialect == "postgresql":
        with services.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))


if __name__ == "__main__":
    {
        "prepare": prepare,
        "prepare-custom": prepare_custom,
        "import": run,
        "preview": preview,
        "review": look,
        "undo": undo,
    }[sys.argv[1]]()
