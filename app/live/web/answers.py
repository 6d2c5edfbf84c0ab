"""Answers about people, and the guard of personal data."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from app.settings.parsers import Secret

#: The scheme of ``Authorization``, in any case (RFC 9110, 11.1).
_BEARER: Final = "bearer"
#: No cache may store the page, and no other site gets its address as the referrer.
_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def refusal(
    status: int, error: str, headers: Mapping[str, str] | None = None, **more: Any
) -> web.Response:
    """A JSON object that says what is wrong, and whatever else helps."""
    return web.Response(
        status=status,
        body=orjson.dumps({"error": error, **more}) + b"\n",
        headers={**_PRIVATE, **(headers or {})},
        content_type="application/json",
    )


def private(body: str, content_type: str, **headers: str) -> web.Response:
    """An answer about one person."""
    return web.Response(
        body=body.encode(),
        headers=_PRIVATE | headers,
        content_type=content_type,
        charset="utf-8",
    )


def refused_without_token(request: web.Request, token: Secret | None) -> web.Response | None:
    """None when the request has the bearer token; the answer to it otherwise."""
    if token is None:
        return refusal(403, "this worker has no TRIGGER_WEB_TOKEN: it shows no personal data")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(
        given.strip().encode(errors="surrogateescape"),
        token.reveal().encode(errors="surrogateescape"),
    )
    if is_right and scheme.lower() == _BEARER:
        return None
    headers = {"WWW-Authenticate": 'Bearer realm="personal data"'}
    return refusal(401, "personal data needs the bearer token of TRIGGER_WEB_TOKEN", headers)
