"""The process of one long piece of work: runs the Dagster job that it reads from its standard input, and keeps writing
down how far it is. ``python -m hris_pipeline.console.job_process``."""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from hris_pipeline.console.jobs import write_state
from hris_pipeline.errors import HrisError
from hris_pipeline.files import machine_words

__all__ = ["main"]

EVERY_SECONDS = 0.5


def main() -> int:
    """Runs the job; the file that the order names always says how it ended."""
    order: dict[str, Any] = json.load(sys.stdin)
    path = Path(order["path"])
    state: dict[str, Any] = {
        "name": order["job"],
        "state": "running",
        "run_id": order["run_id"],
        "started_at": order["started_at"],
        "pid": os.getpid(),
    }
    write_state(path, state)
    try:
        state |= _run(order, path, state)
    except HrisError as error:
        state |= {"state": "failed", "message": str(error), "exit_code": error.exit_code}
    except BaseException as error:
        words = machine_words(error)
        message = f"This machine is in the way: {words}." if words else f"It stopped ({type(error).__name__})."
        state |= {"state": "failed", "message": message, "exit_code": 1}
    write_state(path, state)
    return 0 if state["state"] == "done" else 1


def _run(order: dict[str, Any], path: Path, state: dict[str, Any]) -> dict[str, Any]:
    from hris_pipeline.running import apply_config, run_job  # noqa: PLC0415 - Dagster takes seconds; the page shows "starting" meanwhile

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    written = 0.0

    def progress(read: int) -> None:
        nonlocal written
        if time.monotonic() - written >= EVERY_SECONDS:
            write_state(path, state | {"read": read})
            written = time.monotonic()
        state["read"] = read

    result = run_job(
        order["job"],
        order["integration"],
        actor=order["actor"],
        tags=order["tags"],
        config=apply_config(order["import_id"]) if order["import_id"] else None,
        run_id=order["run_id"],
        progress=progress,
    )
    return {"state": "done", "import_id": result.import_id, "message": result.skipped}


if __name__ == "__main__":
    sys.exit(main())
