"""A run that is terminated (SIGTERM, or "terminate" in Dagster) ends at once: its import happened wholly or not at all,
its integration is free, and whoever waited for it is told."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hris_pipeline.errors import RunInterrupted
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.running import apply_config
from hris_pipeline.store.imports import stage_import
from hris_pipeline.store.locks import import_running
from hris_pipeline_tests.kit.dagster_company import NAME, Company


def terminate(*_: Any) -> None:
    """What a machine that shuts down, or Dagster's own run launcher, sends to the process of a run."""
    os.kill(os.getpid(), signal.SIGTERM)


def terminating_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        function(*arguments, **options)
        terminate()
        raise AssertionError("it went on")

    return call


def stopped(company: Company, job: str, words: str, **options: Any) -> None:
    with pytest.raises(RunInterrupted, match=f"^Stopped. {words}"):
        company.run(job, **options)
    run = company.last_run()
    assert run.is_finished
    assert not import_running(company.services.store, NAME)
    assert company.failed_imports() == []
    assert verify(company.services, NAME).ok


def test_a_terminated_run_did_all_or_nothing_and_says_which(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(company, "preview_import", "Nothing was applied, nothing is left by halves", progress=terminate)
    with monkeypatch.context() as patch:
        patch.setattr("hris_pipeline.operations.planning.stage_import", terminating_after(stage_import))
        stopped(company, "preview_import", "Nothing was applied, nothing is left by halves")
    assert company.open_import() is None

    planned = company.run("preview_import").import_id
    assert planned is not None
    with monkeypatch.context() as patch:
        from hris_pipeline.store import applying

        patch.setattr(applying, "_write_users", terminating_after(applying._write_users))
        stopped(company, "save_import", "Nothing was applied, nothing", config=apply_config(planned))
    assert company.import_(planned).status == "planned"
    with monkeypatch.context() as patch:
        change_set = sys.modules["hris_pipeline.defs.assets.change_set"]
        patch.setattr(change_set, "save_import", terminating_after(change_set.save_import))
        words = f"Import {planned} of acme was applied all the same"
        stopped(company, "save_import", words, config=apply_config(planned))
    assert company.import_(planned).status == "applied"
