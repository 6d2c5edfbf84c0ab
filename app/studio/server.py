"""The studio's web server: loopback only, answers GET and HEAD, changes nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from app.core.errors import ConfigError, InfrastructureError
from app.studio.customers import explained_page, found_page
from app.studio.decision_list import MAX_LISTED, DecisionFilter, decisions_page
from app.studio.folder import Loaded, StudioFolder, first
from app.studio.frame import (
    CUSTOMER,
    CUSTOMER_POLICY,
    CUSTOMERS,
    DECISIONS,
    OVERVIEW,
    PLAN,
    POLICY,
    REPORT,
    REPORT_POLICY,
    wrong_page,
)
from app.studio.overview import overview_page
from app.studio.plan_page import plan_page

_log: Final = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
#: The names by which a browser of this machine asks. Another one is a web site that had its name
#: point here to read what is on the pages.
_OWN_NAMES: Final = frozenset({LOOPBACK, "localhost", "[::1]"})
_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Makes a page of a query and what was loaded; in a thread.
Render = Callable[[web.Request, Loaded], str]


class _NotThere(Exception):
    """What an address names is not in the folder."""


class StudioServer:
    """Serves the pages over one folder from ``start`` to ``stop``.

    Files are read in a thread, for one request after the other.
    """

    def __init__(self, folder: StudioFolder, *, show_personal: bool = False) -> None:
        self._folder = folder
        self._show_personal = show_personal
        self._turn = asyncio.Lock()
        app = web.Application(middlewares=[_for_this_machine, _errors_as_pages])
        app.router.add_get(OVERVIEW, self._page(self._overview, POLICY))
        app.router.add_get(DECISIONS, self._page(self._decisions, POLICY))
        app.router.add_get(CUSTOMERS, self._page(self._found, POLICY))
        app.router.add_get(CUSTOMER, self._page(self._customer, CUSTOMER_POLICY))
        app.router.add_get(PLAN, self._page(self._plan, POLICY))
        app.router.add_get(REPORT, self._report)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, port: int) -> int:
        """Listen; returns the port, which with port 0 is a free one. Raises InfrastructureError."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port)
        try:
            await site.start()
        except OSError as exc:
            await self._runner.cleanup()
            raise InfrastructureError(
                f"port {port} of {LOOPBACK} cannot be used: {exc.strerror}; choose another one"
                " with --port (0: a free one)"
            ) from exc
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        await self._runner.cleanup()

    def _page(self, render: Render, policy: str) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            async with self._turn:
                body = await asyncio.to_thread(lambda: render(request, self._folder.load()))
            return _html(body, policy)

        return answer

    def _overview(self, request: web.Request, loaded: Loaded) -> str:
        asked = DecisionFilter.of_query(request.query, loaded.saved.rules)
        return overview_page(loaded, asked.trigger)

    def _decisions(self, request: web.Request, loaded: Loaded) -> str:
        rules = loaded.saved.rules
        asked = DecisionFilter.of_query(request.query, rules)
        lines, is_cut = first(asked.select(self._folder.decisions(), rules), MAX_LISTED)
        return decisions_page(asked, lines, rules, is_cut=is_cut)

    def _found(self, request: web.Request, loaded: Loaded) -> str:
        text = request.query.get("find", "")
        return found_page(loaded, text, show_personal=self._show_personal)

    def _customer(self, request: web.Request, loaded: Loaded) -> str:
        customer_id = request.query.get("id", "")
        page = explained_page(loaded, customer_id, show_personal=self._show_personal)
        if page is None:
            raise _NotThere(
                f"No customer {customer_id!r}: no event of theirs was applied, they were"
                " erased, or they were merged into another one."
            )
        return page

    def _plan(self, _: web.Request, loaded: Loaded) -> str:
        return plan_page(loaded.plan)

    async def _report(self, _: web.Request) -> web.Response:
        body = await asyncio.to_thread(self._folder.report)
        if body is None:
            raise _NotThere("There is no report.html in the folder.")
        return _html(body.decode(errors="replace"), REPORT_POLICY)


def _html(body: str, policy: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=body.encode(errors="replace"),
        content_type="text/html",
        charset="utf-8",
        headers={**_PRIVATE, "Content-Security-Policy": policy},
    )


@web.middleware
async def _for_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    name = request.host.rpartition(":")[0] or request.host
    if name not in _OWN_NAMES:
        return web.Response(status=403, text=f"expected http://{LOOPBACK} in the address\n")
    return await handler(request)


@web.middleware
async def _errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConfigError as exc:
        return _html(wrong_page("That cannot be shown", str(exc)), POLICY, status=400)
    except _NotThere as exc:
        return _html(wrong_page("Not found", str(exc)), POLICY, status=404)
    except web.HTTPNotFound:
        text = "There is no such page."
        return _html(wrong_page("Not found", text), POLICY, status=404)
