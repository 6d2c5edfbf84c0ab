"""Asking a running worker for an explanation, at whichever of them the customer is."""

import http.client
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import orjson

from app.core.errors import ConfigError, InfrastructureError
from app.settings.parsers import Secret, base_url

#: A rebalance in between may lead to a third worker; more than that goes in a circle.
_MAX_REDIRECTS: Final = 3
_TIMEOUT_S: Final = 10.0
_MAX_ANSWER_BYTES: Final = 16 << 20
#: How often a worker is asked that is busy with another search, and the longest pause between.
_MOST_TRIES: Final = 5
_MAX_PAUSE_S: Final = 3


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
    path = "customers" if as_page else "explain"
    url = _address(worker)
    url += f"/{path}/{quote(customer_id, safe='', errors='surrogateescape')}?{urlencode(query)}"
    headers = _headers(token)
    for _ in range(_MAX_REDIRECTS + 1):
        status, location, body = _request("GET", url, headers)
        if status == 200:
            return body.decode()
        if status != 307:
            break
        url = location
    if status == 307:
        raise InfrastructureError(f"{_host(url)}: workers send from one to the other; try again")
    raise _refused(url, repr(customer_id), status, body)


class FoundOnWorkers(msgspec.Struct, kw_only=True):
    """What a search gave: (customer id, field, value or None), and how far it went."""

    matches: list[tuple[str, str, str | None]] = msgspec.field(default_factory=list)
    customers: int = 0
    workers: int = 0
    #: input partitions of no worker that is known and ready
    not_searched: set[int] = msgspec.field(default_factory=set)
    is_cut: bool = False


def find_on_workers(
    worker: str, text: str, token: Secret | None, *, show_personal: bool, most: int
) -> FoundOnWorkers:
    """Search the customers of this worker and, if there are not enough, of those that it names.

    A worker answers for a few seconds' reading; it is asked on until it has read all. Raises
    ConfigError for what the one who asks can mend, InfrastructureError for the rest.
    """
    found = FoundOnWorkers()
    waiting, known = [_address(worker)], {_address(worker)}
    while waiting and not found.is_cut:
        url = waiting.pop(0)
        found.workers += 1
        after: dict[str, Any] | None = {}
        while after is not None and not found.is_cut:
            asked = {"text": text, "show_personal": show_personal, "after": after}
            answer = _find(url, orjson.dumps(asked), token)
            found.customers += answer["searched"]
            for each in answer["found"]:
                match = each["customer_id"], each["field"], each.get("value")
                if match not in found.matches:
                    found.matches.append(match)
            after = answer["next"]
            found.is_cut = len(found.matches) > most or (
                len(found.matches) == most and (after is not None or bool(waiting))
            )
            if after is None:
                found.not_searched.update(answer["not_searched"])
                news = [each.rstrip("/") for each in answer["other_workers"]]
                waiting += [each for each in news if each not in known]
                known.update(news)
    return found


def _find(url: str, body: bytes, token: Secret | None) -> dict[str, Any]:
    """One answer; a worker that is busy with another search is asked again."""
    headers = {**_headers(token), "Content-Type": "application/json"}
    for attempt in range(_MOST_TRIES):
        status, _, answer = _request("POST", f"{url}/find", headers, body)
        if status != 503:
            break
        time.sleep(min(attempt + 1, _MAX_PAUSE_S))
    if status != 200:
        raise _refused(url, "--find", status, answer)
    found: dict[str, Any] = orjson.loads(answer)
    return found


def _address(worker: str) -> str:
    try:
        return base_url(worker).rstrip("/")
    except ValueError as exc:
        raise ConfigError(f"--worker: got {worker!r}, expected {exc}") from None


def _headers(token: Secret | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}


def _host(url: str) -> str:
    return f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"


def _refused(url: str, what: str, status: int, body: bytes) -> ConfigError | InfrastructureError:
    message = f"{_host(url)}: {what}: {_error(body)} (HTTP {status})"
    if status in (400, 401, 403, 404):
        return ConfigError(message)
    return InfrastructureError(message)


def _request(
    method: str, url: str, headers: Mapping[str, str], sent: bytes | None = None
) -> tuple[int, str, bytes]:
    """Status, Location and body."""
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    kind = kinds.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise InfrastructureError(f"a worker sends to {url[:80]!r}, which is no web address")
    try:
        connection = kind(parts.netloc, timeout=_TIMEOUT_S)
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, path, sent, dict(headers))
            answer = connection.getresponse()
            body = answer.read(_MAX_ANSWER_BYTES)
            return answer.status, answer.headers.get("Location", ""), body
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as exc:
        raise InfrastructureError(
            f"{parts.scheme}://{parts.netloc}: no worker answers: {exc}; does it run, with this"
            " TRIGGER_WEB_PORT and a TRIGGER_WEB_HOST that can be reached from here? (of a"
            " backtest: --out DIR)"
        ) from exc


def _error(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "an answer that is not a worker's"
