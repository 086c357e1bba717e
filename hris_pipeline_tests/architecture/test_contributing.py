"""CONTRIBUTING's first two tasks, done as it says on a copy of the tree: a field is added, and a guard."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from hris_pipeline.operations import services
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources import extract
from hris_pipeline.store.migrations import HEAD

PROJECT = Path(__file__).parents[2]

FIELDS, TABLES, WIRE, GUARDS = (
    "hris_pipeline/settings/fields.py",
    "hris_pipeline/store/tables.py",
    "hris_pipeline/sources/justworks_wire.py",
    "hris_pipeline/change_set/guards.py",
)

FIELD = """    EmployeeField(
        "cost_center", "CostCenter", "Who pays.", limit=50, missing_in=("finch",), metadata=99
    ),
"""
GETTER = '    "cost_center": _key_field("cost_center"),\n'

READ = """
import json
from hris_pipeline.settings.fields import DEFAULT_METADATA
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.sources.justworks_wire import Reception, arrow_columns, read_company
from hris_pipeline.transform.normalise import normalise
company = read_company({"id": "c-1", "display_name": "Acme"})
member = {"id": "m-1", "work_id": "0001", "active": True, "name": {"given_name": "Ada", "family_name": "Lo"},
          "cost_center": "R-7", "updated_at": "2026-01-01T00:00:00Z"}
record = Reception(company).record(member)
employees = normalise(arrow_columns([record.line], company)).rows
having = [source for source in ("justworks", "finch")
          if "CostCenter" in {entry.name for entry in settings_from({"source": source}).metadata}]
print(json.dumps([employees["cost_center"].tolist(), dict(DEFAULT_METADATA)["CostCenter"], having]))
"""

CORE = """    EmployeeField(
        "badge", "Badge", "Opens doors.", limit=50, missing_in=("finch",), feeds=_Feeds("badge", 12, "Badge")
    ),
"""
STEP = """
import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = {before!r}


def upgrade() -> None:
    op.add_column("users", sa.Column("badge", sa.Text()))
"""
UPGRADE = """
import json
import os
from hris_pipeline.environment import Environment
from hris_pipeline.settings.mapping import effective_mapping
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.engine import open_store, upgrade_store
from hris_pipeline.store.stored_json import read_state
import sqlalchemy as sa
os.environ["HRIS_HOME"] = os.path.abspath("home")
environment = Environment()
upgrade_store(environment)
store = open_store(environment)
columns = [column["name"] for column in sa.inspect(store.engine).get_columns("users")]
older = {"status": "active", "hris_id": "m-1", "employee_id": "0001", "metadata": {}}
mapped = ["badge" in effective_mapping(settings_from({"source": source})) for source in ("justworks", "finch")]
print(json.dumps(["badge" in columns, mapped, read_state(older)["badge"]]))
"""

GUARD = '''def _first_of_april(name: str, inputs: GuardInputs, _: GuardLimits) -> Guard:
    """Nobody believes what happens on that day."""
    observed = _format_share(len(inputs.created), inputs.managed)
    return _build_guard(name, "no creates", observed, bool(inputs.created), inputs.created)


GUARDS: Mapping'''

HOLD = """
import json
from hris_pipeline.change_set.guards import GuardInputs, evaluate_guards
from hris_pipeline.settings.document import GuardLimits
inputs = GuardInputs("acme", complete=True, first_import=False, managed=9, managed_active=9, created=("0001",))
print(json.dumps([guard.name for guard in evaluate_guards(inputs, GuardLimits()) if guard.tripped]))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package that may be changed."""
    shutil.copytree(PROJECT / "hris_pipeline", tmp_path / "hris_pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def insert(tree: Path, file: str, before: str, text: str, *, instead: bool = False) -> None:
    path = tree / file
    source = path.read_text(encoding="utf-8")
    assert source.count(before) == 1, f"{before!r} does not stand once in {file}"
    path.write_text(source.replace(before, text if instead else text + before), encoding="utf-8")


def run(tree: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


def add_field(tree: Path) -> None:
    insert(tree, FIELDS, '    EmployeeField("residence_city"', FIELD)


def test_a_field_is_a_line_in_the_catalogue_and_a_getter_in_the_wire_that_sends_it(tree: Path) -> None:
    add_field(tree)
    insert(tree, WIRE, '    "department": WireField(', GETTER)
    done = run(tree, READ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["R-7"], "cost_center", ["justworks"]]


def test_a_core_user_field_takes_a_step_of_the_schema_too_and_older_history_stays_readable(tree: Path) -> None:
    insert(tree, FIELDS, '    EmployeeField("residence_city"', CORE)
    insert(tree, WIRE, '    "department": WireField(', GETTER.replace("cost_center", "badge"))
    insert(tree, TABLES, '    sa.Column("country_code", sa.Text),', '    sa.Column("badge", sa.Text),\n')
    step = tree / "hris_pipeline/store/migrations/versions/v0099_badge.py"
    step.write_text(STEP.format(before=HEAD), encoding="utf-8")
    done = run(tree, UPGRADE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, [True, False], None]


def test_a_field_forgotten_in_one_wire_is_an_error_at_start_that_names_both(tree: Path) -> None:
    add_field(tree)
    done = run(tree, "import hris_pipeline.sources.justworks_wire")
    assert done.returncode != 0
    assert "The wire of justworks has no getter for cost_center" in done.stderr


def test_a_guard_is_a_function_and_an_entry(tree: Path) -> None:
    insert(tree, GUARDS, "GUARDS: Mapping", GUARD, instead=True)
    insert(tree, GUARDS, '    "field_wipe": _field_wipe,\n', '    "first_of_april": _first_of_april,\n')
    done = run(tree, HOLD)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["first_of_april"]


def test_every_source_that_settings_may_name_has_its_client_and_its_wire() -> None:
    named = set(get_args(Settings.model_fields["source"].annotation))
    assert named == set(services._SOURCES) == set(extract._WIRES) == set(extract.MEMBER_FIELDS)
