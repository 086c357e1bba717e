"""What a warm process has imported is all that the runs it forks need."""

import pickle
import subprocess
import sys
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.instance import InstanceRef

from hris_pipeline.defs.launcher import PRELOAD
from hris_pipeline.defs.partitions import add_partition
from hris_pipeline.defs.warm_process import Launch, Warmth
from hris_pipeline.running import open_instance
from hris_pipeline_tests.defs.conftest import NAME, Company

AS_A_WARM_PROCESS_AND_ITS_WORKER = """
import pickle, sys
from multiprocessing.connection import Pipe
from hris_pipeline.defs.warm_process import _warm_up, _work

warmth, launch = pickle.load(sys.stdin.buffer)
assert _warm_up(warmth) == ""
warm = set(sys.modules)
_work(Pipe()[0], launch)
print("imported:", *sorted(set(sys.modules) - warm))
"""

ONE_FOR_EACH_COUNTRY = "phonenumbers.data."
"""Each a small table, imported with the first number of that country."""


def test_an_import_imports_nothing_that_the_warm_process_has_not(company: Company) -> None:
    repository = ReconstructableRepository.for_module("hris_pipeline.definitions", "defs", str(Path.cwd()))
    job = repository.get_reconstructable_job("import_users")
    with open_instance(company.environment) as instance:
        add_partition(instance, NAME)
        run = instance.create_run_for_job(
            job.get_definition(),
            tags={"dagster/partition": NAME},
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=job.get_python_origin(),
        )
        reference = InstanceRef.from_dir(str(company.environment.dagster_home))
        launch = Launch(run.run_id, reference, company.environment.home / "worker")
        child = subprocess.run(
            [sys.executable, "-c", AS_A_WARM_PROCESS_AND_ITS_WORKER],
            input=pickle.dumps((Warmth(PRELOAD, job.get_python_origin().repository_origin), launch)),
            capture_output=True,
            check=True,
        )
        (ended,) = instance.get_runs()
    assert ended.status is dg.DagsterRunStatus.SUCCESS
    (told,) = (line for line in child.stdout.decode().splitlines() if line.startswith("imported:"))
    imported = [name for name in told.split()[1:] if name.split(".")[0] not in sys.stdlib_module_names]
    assert [name for name in imported if not name.startswith(ONE_FOR_EACH_COUNTRY)] == []
