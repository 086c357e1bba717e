"""Takes the pictures of the docs from the running UI with headless Chromium: `.venv/bin/python docs/take_pictures.py`.

Starts the UI on what the demo left in HRIS_HOME (run `make demo` first), or uses the one at --url.
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

import httpx

__all__ = ["main"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURES = {
    "assets": "/locations/hris_pipeline/asset-groups/import",
    "checks": "/assets/employees?view=checks&checkDetail=rows_valid",
    "change_set": "/assets/change_set?view=events",
}
"""File name and address of each picture."""

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
    "--virtual-time-budget=20000",
)


@contextmanager
def running_ui(port: int) -> Iterator[str]:
    """The UI in a process group of its own, because it does not end its children by itself."""
    hris = Path(sys.executable).with_name("hris")
    process = subprocess.Popen([hris, "ui", "--port", str(port)], start_new_session=True, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                if httpx.get(f"{url}/server_info", timeout=5).is_success:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def take(browser: str, url: str, folder: Path) -> None:
    """Each picture in a browser profile that is thrown away."""
    for name, address in PICTURES.items():
        with tempfile.TemporaryDirectory() as profile:
            target = folder / f"{name}.png"
            command = [browser, *OPTIONS, f"--user-data-dir={profile}", f"--screenshot={target}", url + address]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180)
            sys.stderr.write(f"{target}\n")


def main() -> int:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a UI that runs already")
    parser.add_argument("--port", type=int, default=3111)
    arguments = parser.parse_args()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.stderr.write("No Chromium on this machine: install one to take pictures.\n")
        return 1
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    if arguments.url:
        take(browser, arguments.url, folder)
    else:
        with running_ui(arguments.port) as url:
            take(browser, url, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
