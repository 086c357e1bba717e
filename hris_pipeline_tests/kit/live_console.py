"""A console that listens on this machine, over a sandbox of its own, with real jobs; and a real browser to look at
it."""

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from hris_pipeline.console.app import build_app, build_console, listen
from hris_pipeline.console.gateway import access_of
from hris_pipeline.console.login import OneTimeLink
from hris_pipeline.console.visit import Console
from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline_tests.kit.processes import until

__all__ = ["AXE", "CHROMIUM", "Live", "browser_page", "console_over", "live_console", "violations"]

AXE = Path(__file__).parents[1] / "console" / "axe" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The system's browser; tests that need one are skipped where there is none."""


@dataclass
class Live:
    """A console that answers at ``url``; ``links`` are the one-time links that it printed."""

    url: str
    console: Console
    services: Services
    links: list[str] = field(default_factory=list)


@contextmanager
def live_console(environ: Mapping[str, str]) -> Iterator[Live]:
    """One, until the block ends. ``environ`` must be this process's own environment, too: jobs inherit that."""
    services = open_services(Environment.read(environ), create=True)
    try:
        with console_over(services) as live:
            yield live
    finally:
        services.close()


@contextmanager
def console_over(services: Services) -> Iterator[Live]:
    """One over services that are open, until the block ends."""
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    console = build_console(services, access_of(services.environment.access, "127.0.0.1", port))
    live = Live(f"http://127.0.0.1:{port}", console, services)
    link = OneTimeLink(console.access, "dana", live.links.append)
    link.renew()
    app: Any = build_app(console, link=link)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, what="the console")
        yield live
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def browser_page(*, scripts: bool = True, width: int = 1280, dark: bool = False) -> Iterator[Any]:
    """A page of a real browser; ``faults`` on it lists what its console complained about."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
        )
        page = context.new_page()
        page.set_default_timeout(180_000)
        try:
            yield page
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds serious on the page as it stands."""
    page.evaluate(AXE.read_text() + "; undefined")
    violations = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{page.url}: {item['id']}: {item['help']}: {item['nodes'][0]['html'][:200]}"
        for item in violations
        if item["impact"] in ("serious", "critical")
    ]
