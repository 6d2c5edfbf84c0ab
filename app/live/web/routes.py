"""The routes that explain a customer, as data and as a page."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, assert_never
from urllib.parse import quote

import orjson
from aiohttp import web

from app.core.errors import EventError, InfrastructureError
from app.core.events import MAX_CUSTOMER_ID_CHARS, parse_instant
from app.explain.explain import DEFAULT_RECENT
from app.explain.explanation import Explanation
from app.explain.page import CONTENT_SECURITY_POLICY, customer_page
from app.explain.written import explanation_json, explanation_text
from app.formats.printable import printable
from app.live.customer_snapshot import OwnedElsewhere, Recovering
from app.live.web.answers import private, refusal, refused_without_token
from app.live.web.customer_lookup import Busy, LiveExplanations, NoSuchTrigger, Unknown
from app.settings.parsers import Secret

_log: Final = logging.getLogger(__name__)

EXPLAIN_PATH: Final = "/explain/"
PAGE_PATH: Final = "/customers/"
#: Any text, escaped as a URL needs it.
ONE_CUSTOMER: Final = "{customer:[^/]+}"
MAX_RECENT: Final = 200

Write = Callable[[Explanation], web.Response]


class ExplainRoutes:
    """Answers requests about one customer. Without ``token`` no personal data is shown."""

    def __init__(self, explanations: LiveExplanations, token: Secret | None) -> None:
        self._explanations = explanations
        self._token = token

    def routes(self) -> list[web.RouteDef]:
        """For the web server."""
        return [
            web.get(EXPLAIN_PATH + ONE_CUSTOMER, self._explain),
            web.get(PAGE_PATH + ONE_CUSTOMER, self._page),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        return await self._answer(request, PAGE_PATH, _html)

    async def _explain(self, request: web.Request) -> web.Response:
        written = request.query.get("format", "json")
        if written not in _WRITERS:
            return refusal(400, f"format: got {written[:20]!r}, expected json or text")
        return await self._answer(request, EXPLAIN_PATH, _WRITERS[written])

    async def _answer(self, request: web.Request, path: str, write: Write) -> web.Response:
        customer_id = request.match_info["customer"]
        if len(customer_id) > MAX_CUSTOMER_ID_CHARS:
            return refusal(400, f"a customer id has 1..{MAX_CUSTOMER_ID_CHARS} characters")
        if not is_text(customer_id):
            return refusal(400, "a customer id is UTF-8 text")
        last = request.query.get("last", str(DEFAULT_RECENT))
        if not (last.isascii() and last.isdigit() and len(last) < 5 and int(last) <= MAX_RECENT):
            return refusal(400, f"last: expected a whole number from 0 to {MAX_RECENT}")
        try:
            since_ms = _since_ms(request.query.get("since"))
        except EventError as exc:
            return refusal(400, str(exc))
        asked = request.query.get("show_personal", "0")
        if asked not in ("0", "1"):
            return refusal(400, "show_personal: expected 0 or 1")
        if asked == "1":
            refused = refused_without_token(request, self._token)
            if refused is not None:
                return refused
        try:
            answer = await self._explanations.explain(
                customer_id,
                int(last),
                show_personal=asked == "1",
                trigger=request.query.get("trigger"),
                since_ms=since_ms,
            )
        except InfrastructureError as exc:
            _log.warning(
                "decisions cannot be read",
                extra={"action": "explain_failed", "error": str(exc)},
            )
            return refusal(503, "Kafka does not hand over the decisions; try again")
        match answer:
            case Explanation():
                return write(answer)
            case Unknown():
                return refusal(
                    404,
                    "no such customer: no event of theirs was applied, or they were erased",
                )
            case NoSuchTrigger(known):
                return refusal(400, f"trigger: expected one of {', '.join(known)}")
            case Busy():
                return refusal(503, "too many ask at once; try again", {"Retry-After": "1"})
            case Recovering(partition):
                return refusal(
                    503,
                    "the state is being recovered; try again",
                    {"Retry-After": "2"},
                    partition=partition,
                )
            case OwnedElsewhere(partition, None):
                return refusal(
                    421,
                    "another worker has this customer; which one is not known, because it has no"
                    " TRIGGER_WEB_URL",
                    partition=partition,
                    owner=None,
                )
            case OwnedElsewhere(partition, url):
                assert url is not None
                place = f"{url.rstrip('/')}{path}{quote(customer_id, safe='')}"
                query = request.rel_url.raw_query_string
                query = f"?{query}" if query else ""
                return refusal(
                    307,
                    "another worker has this customer",
                    {"Location": place + query},
                    partition=partition,
                    owner=url,
                )
        assert_never(answer)


def _since_ms(given: str | None) -> int | None:
    """From RFC 3339 text or epoch milliseconds. Raises EventError."""
    if given is None:
        return None
    return parse_instant(int(given) if given.isascii() and given.isdigit() else given, "since")


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json(explanation: Explanation) -> web.Response:
    body = orjson.dumps(explanation_json(explanation), option=orjson.OPT_INDENT_2)
    return private(body.decode() + "\n", "application/json")


def _text(explanation: Explanation) -> web.Response:
    return private(printable(explanation_text(explanation)), "text/plain")


def _html(explanation: Explanation) -> web.Response:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return private(customer_page(explanation), "text/html", **headers)


_WRITERS: Final[Mapping[str, Write]] = {"json": _json, "text": _text}
