"""An identity provider for a test: signed tokens, its keys in a file, a token endpoint."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.security.answers import QuietHandler, serving

AUDIENCE: Final = "kafka"


class IdentityProvider:
    """Signs tokens with a key that it publishes in ``keys_file``."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        public = {
            "kty": "RSA",
            "kid": "1",
            "alg": "RS256",
            "use": "sig",
            "n": _encoded(numbers.n.to_bytes(256, "big")),
            "e": _encoded(numbers.e.to_bytes(3, "big")),
        }
        self.keys_file = folder / "keys.json"
        self.keys_file.write_text(json.dumps({"keys": [public]}))

    def token(self, subject: str, lives_s: float = 300.0) -> str:
        """A token that says that its bearer is ``subject``."""
        now = int(time.time())
        claims = {"sub": subject, "aud": AUDIENCE, "iat": now - 1, "exp": int(now + lives_s)}
        parts = ({"alg": "RS256", "typ": "JWT", "kid": "1"}, claims)
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"


class TokenEndpoint:
    """What a running endpoint was asked and gave away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, str]] = []
        self.given: list[str] = []


@contextmanager
def token_endpoint(
    provider: IdentityProvider, client_id: str, client_secret: str, lives_s: float = 300.0
) -> Iterator[TokenEndpoint]:
    """Client credentials (RFC 6749, 4.4) for one client, whose id is the subject."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            asked = {name: values[0] for name, values in form.items()}
            endpoint.asked.append(asked)
            basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {basic}":
                self._answer(401, {"error": "invalid_client", "error_description": str(asked)})
                return
            token = provider.token(client_id, lives_s)
            endpoint.given.append(token)
            self._answer(
                200, {"access_token": token, "token_type": "Bearer", "expires_in": lives_s}
            )

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    with serving(Handler) as url:
        endpoint = TokenEndpoint(f"{url}/token")
        yield endpoint


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
