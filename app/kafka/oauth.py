"""Bearer tokens for Kafka (SASL OAUTHBEARER): from a mounted file or from a token endpoint.

Both clients take their tokens here, so that one set of settings does for both. No message or error
from here contains a token, a secret or the answer of an endpoint.
"""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from app.core.errors import InfrastructureError
from app.settings.model import Settings
from app.settings.parsers import Secret

_log: Final = logging.getLogger(__name__)

_TIMEOUT_S: Final = 10.0
_MAX_ANSWER_BYTES: Final = 256 * 1024
#: For a token that does not say when it expires.
_ASSUMED_LIFE_S: Final = 300.0
#: A token is fetched anew when this share of its life is over.
_RENEW_AT: Final = 0.8


class Token(NamedTuple):
    """A bearer token, and when it is of no use any more, epoch seconds."""

    secret: Secret
    expires_s: float


Fetch = Callable[[], Token]


class TokenSource:
    """Gives a token that is good for a while yet. May be used from any thread.

    Raises InfrastructureError when there is none. ``clock`` gives epoch seconds.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_s = 0.0

    def token(self) -> Token:
        """The token to show to a broker now; blocks while one is fetched."""
        with self._lock:
            now_s = self._clock()
            if self._token is None or now_s >= self._renew_s:
                try:
                    self._token = self._fetch()
                except InfrastructureError as exc:
                    if self._token is None or now_s >= self._token.expires_s:
                        raise
                    _log.warning(
                        "no new token, the one in use is still good",
                        extra={"action": "token_not_renewed", "error": str(exc)},
                    )
                self._renew_s = now_s + (self._token.expires_s - now_s) * _RENEW_AT
            return self._token


def token_source(settings: Settings) -> TokenSource:
    """The process's only source for these settings, which must name one."""
    if settings.sasl_token_file is not None:
        return _file_source(settings.sasl_token_file)
    assert settings.sasl_token_url is not None
    assert settings.sasl_client_id is not None
    assert settings.sasl_client_secret is not None
    return _endpoint_source(
        settings.sasl_token_url,
        settings.sasl_client_id,
        settings.sasl_client_secret,
        settings.sasl_scope,
    )


@cache
def _file_source(path: Path) -> TokenSource:
    return TokenSource(from_file(path))


@cache
def _endpoint_source(url: str, client_id: str, secret: Secret, scope: str | None) -> TokenSource:
    return TokenSource(from_endpoint(url, client_id, secret, scope))


def from_file(path: Path) -> Fetch:
    """Reads the file each time: whatever mounts it replaces the token before it expires."""

    def fetch() -> Token:
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise InfrastructureError(
                f"{path}: the token file cannot be read: {type(exc).__name__}"
            ) from None
        return _checked(text, _expiry_in(text), str(path))

    return fetch


def from_endpoint(url: str, client_id: str, secret: Secret, scope: str | None) -> Fetch:
    """Client credentials (RFC 6749, section 4.4), the client named as in section 2.3.1."""
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    user = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
    request = Request(
        url,
        data=urlencode(form).encode(),
        headers={
            "Authorization": f"Basic {base64.b64encode(user.encode()).decode()}",
            "Accept": "application/json",
        },
    )
    opener = build_opener(_NoRedirects)

    def fetch() -> Token:
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                found = json.loads(answer.read(_MAX_ANSWER_BYTES))
            text, life_s = str(found["access_token"]), found.get("expires_in")
        except HTTPError as exc:
            exc.close()
            raise InfrastructureError(
                f"{url}: the token endpoint answers {exc.code};"
                " check TRIGGER_SASL_TOKEN_URL, the client's id, secret and scope"
            ) from None
        except (OSError, HTTPException) as exc:
            reason = getattr(exc, "reason", exc)
            raise InfrastructureError(
                f"{url}: the token endpoint does not answer: {type(reason).__name__}"
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InfrastructureError(
                f"{url}: the token endpoint's answer is not a JSON object with an access_token"
            ) from None
        if isinstance(life_s, int | float) and life_s > 0:
            return _checked(text, time.time() + life_s, url)
        return _checked(text, _expiry_in(text), url)

    return fetch


class _NoRedirects(HTTPRedirectHandler):
    """The client's secret goes to the URL of the settings and nowhere else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def _checked(text: str, expires_s: float, place: str) -> Token:
    if not text or not text.isascii() or not text.isprintable():
        raise InfrastructureError(f"{place}: there is no token, one line of ASCII was expected")
    if expires_s <= time.time():
        raise InfrastructureError(f"{place}: the token has expired; see that it is renewed")
    return Token(Secret(text), expires_s)


def _expiry_in(text: str) -> float:
    """When a JSON web token says that it expires, epoch seconds."""
    try:
        claims = text.split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(expiry)
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return time.time() + _ASSUMED_LIFE_S
