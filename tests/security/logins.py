"""The ways to log in: what a worker is told, and what must not be seen of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from tests.security.secured import PASSWORD, WORKER, SecuredKafka
from tests.security.tokens import token_endpoint

PASSWORDS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Variables for a worker and the texts that must stay secret."""

    variables: dict[str, str]
    secrets: tuple[str, ...]


@contextmanager
def right(kafka: SecuredKafka, way: str, folder: Path) -> Iterator[Login]:
    """One that the broker accepts."""
    if way in PASSWORDS:
        yield password(kafka, way, PASSWORD, folder)
    elif way == "token file":
        yield token(kafka, kafka.identities.token(WORKER), folder)
    elif way == "client certificate":
        yield certificate(kafka, folder)
    else:
        secret = f"secret-{uuid4().hex}"
        with token_endpoint(kafka.identities, WORKER, secret) as endpoint:
            login = client(kafka, endpoint.url, secret, folder)
            given = endpoint.given
            yield login
            assert given, "the endpoint was never asked"


def password(kafka: SecuredKafka, mechanism: str, secret: str, folder: Path) -> Login:
    """A user's name, and the password in a file."""
    return Login(
        variables=_sasl(kafka, mechanism)
        | {
            "TRIGGER_SASL_USERNAME": WORKER,
            "TRIGGER_SASL_PASSWORD_FILE": _file(folder, secret),
        },
        secrets=(secret,),
    )


def token(kafka: SecuredKafka, text: str, folder: Path) -> Login:
    """A token in a file."""
    path = _file(folder, text)
    return Login(
        variables=_sasl(kafka, "OAUTHBEARER") | {"TRIGGER_SASL_TOKEN_FILE": path},
        secrets=(text, text.rpartition(".")[2]),
    )


def client(kafka: SecuredKafka, url: str, secret: str, folder: Path) -> Login:
    """A token endpoint, and the client's secret in a file."""
    return Login(
        variables=_sasl(kafka, "OAUTHBEARER")
        | {
            "TRIGGER_SASL_TOKEN_URL": url,
            "TRIGGER_SASL_CLIENT_ID": WORKER,
            "TRIGGER_SASL_CLIENT_SECRET_FILE": _file(folder, secret),
        },
        secrets=(secret,),
    )


def certificate(kafka: SecuredKafka, folder: Path) -> Login:
    """A certificate with its key, whose password is in a file."""
    secret = f"key-{uuid4().hex}"
    certfile, keyfile = kafka.authority.issue(WORKER, secret)
    body = keyfile.read_text().splitlines()[1]
    return Login(
        variables={
            "TRIGGER_BOOTSTRAP_SERVERS": kafka.cluster.servers("MUTUAL"),
            "TRIGGER_SECURITY_PROTOCOL": "SSL",
            "TRIGGER_SSL_CAFILE": str(kafka.authority.cafile),
            "TRIGGER_SSL_CERTFILE": str(certfile),
            "TRIGGER_SSL_KEYFILE": str(keyfile),
            "TRIGGER_SSL_KEY_PASSWORD_FILE": _file(folder, secret),
        },
        secrets=(secret, body),
    )


def _sasl(kafka: SecuredKafka, mechanism: str) -> dict[str, str]:
    return {
        "TRIGGER_BOOTSTRAP_SERVERS": kafka.cluster.servers("SASL"),
        "TRIGGER_SECURITY_PROTOCOL": "SASL_SSL",
        "TRIGGER_SASL_MECHANISM": mechanism,
        "TRIGGER_SSL_CAFILE": str(kafka.authority.cafile),
    }


def _file(folder: Path, secret: str) -> str:
    """As Kubernetes mounts it."""
    path = folder / "mounted"
    path.write_text(secret + "\n")
    return str(path)
