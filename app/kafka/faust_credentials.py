"""The settings' security as Faust's credentials, for its aiokafka client."""

import asyncio

import faust
from aiokafka.abc import AbstractTokenProvider
from faust.types.auth import CredentialsT

from app.kafka.oauth import TokenSource, token_source
from app.kafka.tls import tls_context
from app.settings.model import Settings


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Asked by aiokafka at each new connection."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """A token that is good for a while yet."""
        return (await asyncio.to_thread(self._source.token)).secret.reveal()


def credentials(settings: Settings) -> CredentialsT | None:
    """None for plain text. Raises ConfigError when a certificate or key is of no use."""
    protocol = settings.security_protocol
    context = tls_context(settings) if protocol.endswith("SSL") else None
    if settings.sasl_mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=_Tokens(token_source(settings)), ssl_context=context)
    if protocol.startswith("SASL_"):
        assert settings.sasl_password is not None
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.reveal(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
