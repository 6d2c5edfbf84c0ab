"""Asking a running worker for an explanation, at whichever of them the customer is."""

import http.client
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from app.core.errors import ConfigError, InfrastructureError
from app.settings.parsers import Secret, base_url

#: A rebalance in between may lead to a third worker; more than that goes in a circle.
_MAX_REDIRECTS: Final = 3
_TIMEOUT_S: Final = 10.0
_MAX_ANSWER_BYTES: Final = 16 << 20


def ask_worker(
    worker: str,
    customer_id: str,
    query: Mapping[str, str],
    token: Secret | None,
    *,
    as_page: bool = False,
) -> str:
    """What the worker that has the customer answers; ``as_page``: as an HTML page.

    ``token`` goes to every worker on the way. Raises ConfigError for what the one who asks can
    mend (an unknown customer, a wrong token), InfrastructureError for the rest.
    """
    try:
        url = base_url(worker)
    except ValueError as exc:
        raise ConfigError(f"--worker: got {worker!r}, expected {exc}") from None
    path = "customers" if as_page else "explain"
    url += f"/{path}/{quote(customer_id, safe='', errors='surrogateescape')}?{urlencode(query)}"
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
    for _ in range(_MAX_REDIRECTS + 1):
        status, location, body = _get(url, headers)
        if status == 200:
            return body.decode()
        if status != 307:
            break
        url = location
    where = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    if status == 307:
        raise InfrastructureError(f"{where}: workers send from one to the other; try again")
    message = f"{where}: {customer_id!r}: {_error(body)} (HTTP {status})"
    if status in (400, 401, 403, 404):
        raise ConfigError(message)
    raise InfrastructureError(message)


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    kind = kinds.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise InfrastructureError(f"a worker sends to {url[:80]!r}, which is no web address")
    try:
        connection = kind(parts.netloc, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}", headers=dict(headers))
            answer = connection.getresponse()
            body = answer.read(_MAX_ANSWER_BYTES)
            return answer.status, answer.headers.get("Location", ""), body
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as exc:
        raise InfrastructureError(
            f"{parts.scheme}://{parts.netloc}: no worker answers: {exc}; does it run, with this"
            " TRIGGER_WEB_PORT and a TRIGGER_WEB_HOST that can be reached from here?"
        ) from exc


def _error(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "an answer that is not a worker's"
