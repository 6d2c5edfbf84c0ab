"""Certificates and keys of the settings, for clients that take an SSL context."""

import ssl

from app.core.errors import ConfigError
from app.settings.model import Settings


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Verifies the broker and its host name, and shows the settings' certificate when asked.

    Raises ConfigError when a certificate or key is of no use.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except OSError as exc:
        raise ConfigError(
            f"TRIGGER_SSL_CAFILE: {settings.ssl_cafile} is not a file of PEM certificates:"
            f" {_reason(exc)}"
        ) from None
    if settings.ssl_certfile is None:
        return context
    password = settings.ssl_key_password
    try:
        context.load_cert_chain(
            settings.ssl_certfile,
            settings.ssl_keyfile,
            # never None: OpenSSL would ask the terminal for one
            "" if password is None else password.reveal(),
        )
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"TRIGGER_SSL_CERTFILE, TRIGGER_SSL_KEYFILE: {settings.ssl_certfile} and"
            f" {settings.ssl_keyfile} are not a PEM certificate with its key, or"
            f" TRIGGER_SSL_KEY_PASSWORD is not the key's: {_reason(exc)}"
        ) from None
    return context


def _reason(exc: Exception) -> str:
    return getattr(exc, "reason", None) or getattr(exc, "strerror", None) or type(exc).__name__
