"""One whole import of the pipeline in one process, step by step, as an operation and not as a Dagster run.

Usage: python -m benchmarks.pipeline prepare|import
"""

import sys

import sqlalchemy as sa

from benchmarks.measure import Meter
from hris_pipeline.environment import Environment
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.operations.transformation import build_employees, build_mapped_users
from hris_pipeline.sandbox import Company, Sandbox, World
from hris_pipeline.store.engine import upgrade_store

CALLBACK = "http://127.0.0.1:8765/callback"
NAME = "acme"


def prepare() -> None:
    """An integration set up and connected; prints the access token, for the floors."""
    environment = Environment.read()
    upgrade_store(environment)
    services = open_services(environment)
    set_up(services, NAME, actor="bench", accept=True)
    code = Sandbox(environment.api_url, World(Company(1))).authorize(redirect_uri=CALLBACK)
    connect(services, NAME, code, redirect_uri=CALLBACK)
    sys.stdout.write(services.tokens(NAME).current().access + "\n")
    services.close()


def run() -> None:
    """One import, and what it wrote."""
    meter = Meter()
    services = open_services()
    with meter.step("extract"):
        manifest = extract_members(services, NAME)
    with meter.step("employees"):
        validated = build_employees(services, manifest)
    with meter.step("mapped_users"):
        mapped = build_mapped_users(services, manifest, validated.employees)
    warnings = {**validated.warnings, **mapped.warnings}
    users = mapped.users
    del validated, mapped
    with meter.step("change_set"):
        planned = plan_import(
            services, manifest, users, warnings=warnings, trigger="manual", actor="bench", run_id=None
        )
    with meter.step("applied_changes"):
        save_import(services, NAME, planned.import_id, actor="bench")
    meter.tell({"members": manifest.records, **planned.counts, "held": int(planned.status == "held")})
    _settle(services)
    services.close()


def _settle(services: Services) -> None:
    """What a server does by itself within a minute, so that the next measurement does not meet it."""
    with services.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


if __name__ == "__main__":
    {"prepare": prepare, "import": run}[sys.argv[1]]()
