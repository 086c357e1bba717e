"""Takes the pictures of the docs with headless Chromium: `.venv/bin/python docs/take_pictures.py`.

Of a made-up company (``console_pictures``) whose import, a run of Dagster, is held: those of Dagster from `hris ui`,
logging in by the link that it prints, and those of the console.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console_pictures import made_up_company, preview, take_console_pictures

__all__ = ["main"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURES = {
    "assets": "/dagster/locations/hris_pipeline/asset-groups/import",
    "checks": "/dagster/assets/employees?view=checks&checkDetail=rows_valid",
    "change_set": "/dagster/assets/change_set?view=events",
    "launchpad": "/dagster/locations/hris_pipeline/jobs/approve_import/playground",
    "held": "/dagster/runs/{run_id}",
}
"""File name and address of each picture of Dagster."""

SETTLE_MS = 8000
"""How long Dagster's pages take to load what they show."""


@contextmanager
def running_ui(port: int) -> Iterator[str]:
    """`hris ui` in a process group of its own; gives the link by which to log in."""
    hris = Path(sys.executable).with_name("hris")
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen([hris, "ui", "--port", str(port)], start_new_session=True, stdout=log, stderr=log)
        try:
            link = ""
            for _ in range(120):
                lines = Path(log.name).read_text().splitlines()
                link = next((line.strip() for line in lines if "/login/link" in line), "")
                if link:
                    break
                time.sleep(1)
            yield link
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def import_as_a_run() -> str:
    """Imports by Dagster's job, which a guard holds; gives the run."""
    hris = Path(sys.executable).with_name("hris")
    subprocess.run([hris, "import", "acme", "--yes"], check=False, stdout=subprocess.DEVNULL)
    from dagster import DagsterInstance  # noqa: PLC0415 - nothing else here needs it

    os.environ["DAGSTER_HOME"] = str(Path(os.environ["HRIS_HOME"]) / "dagster")
    with DagsterInstance.get() as instance:
        return next(run.run_id for run in instance.get_runs() if run.job_name == "import_users")


def take(browser: str, link: str, folder: Path, run_id: str) -> None:
    """Each picture of Dagster, by somebody who logged in."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development dependency

    origin = link.partition("/login")[0]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(link)
        for name, address in PICTURES.items():
            page.goto(origin + address.format(run_id=run_id))
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=str(folder / f"{name}.png"))
            sys.stderr.write(f"{folder / name}.png\n")
        chromium.close()


def main() -> int:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3111)
    parser.add_argument("--console", action="store_true", help="only those of the console")
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write("No Chromium on this machine: install one to take pictures.\n")
        return 1
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    with made_up_company() as services:
        if arguments.console:
            preview(services)
        else:
            run_id = import_as_a_run()
            with running_ui(arguments.port) as link:
                take(browser, link, folder, run_id)
        take_console_pictures(browser, folder, services)
    return 0


if __name__ == "__main__":
    sys.exit(main())
