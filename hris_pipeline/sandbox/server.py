"""The application: all routes behind one gate that counts requests and lets the wanted faults strike."""

import asyncio
import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hris_pipeline.sandbox import control_routes, finch_routes, justworks_routes, oauth_routes
from hris_pipeline.sandbox.world import SandboxState, bearer

__all__ = ["create_app"]

MEMBER = re.compile(r"^/v1/members/[^/]+")


class Gate:
    """Counts requests (not control ones) as ``METHOD /path`` with ids left out, and strikes them or lets them pass."""

    def __init__(self, app: ASGIApp, world: SandboxState) -> None:
        self.app, self.world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        self.world.requests[f"{scope['method']} {MEMBER.sub('/v1/members/{id}', path)}"] += 1
        username = self.world.owner(bearer(Request(scope)))
        if slow := self.world.faults.strike("slow", path, username):
            await asyncio.sleep(slow.seconds)
        struck = self._struck(path, username)
        await (struck or self.app)(scope, receive, send)

    def _struck(self, path: str, username: str | None) -> Response | None:
        strike = self.world.faults.strike
        if fault := strike("rate_limited", path, username):
            wait = f"{fault.retry_after:g}"
            return JSONResponse({"error": "rate_limited"}, status_code=429, headers={"Retry-After": wait})
        if fault := strike("server_error", path, username):
            return JSONResponse({"error": "server_error"}, status_code=fault.status)
        if strike("not_json", path, username):
            return HTMLResponse("<html><body>We are down for maintenance.</body></html>")
        if strike("not_ready", path, username):
            return JSONResponse(finch_routes.problem(202), status_code=202)
        return None


def create_app(world: SandboxState) -> Starlette:
    """The application that serves a world; the world stays the caller's, to look into and to change."""
    routes = [
        *oauth_routes.ROUTES,
        *justworks_routes.ROUTES,
        *finch_routes.ROUTES,
        *control_routes.ROUTES,
    ]
    app = Starlette(routes=routes)
    app.state.world = world
    app.add_middleware(Gate, world=world)
    return app
