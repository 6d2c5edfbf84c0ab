"""What each setting allows by itself but all of them together do not."""

from collections.abc import Mapping
from typing import Final

from app.settings.model import Settings
from app.settings.variable import PREFIX

_PASSWORD_FIELDS: Final = ("sasl_username", "sasl_password")
_ENDPOINT_FIELDS: Final = ("sasl_token_url", "sasl_client_id", "sasl_client_secret")
_SSL_FIELDS: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password")


def find_conflicts(settings: Settings, given: Mapping[str, str]) -> list[str]:
    """One text for each; ``given`` is field -> the variable that it was set with."""
    return [
        *_sasl_problems(settings, given),
        *_ssl_problems(settings, given),
        *_registry_problems(settings, given),
        *settings.ambiguous_topics(),
    ]


def _sasl_problems(settings: Settings, given: Mapping[str, str]) -> list[str]:
    protocol = settings.security_protocol
    of_tokens = ("sasl_token_file", *_ENDPOINT_FIELDS, "sasl_scope")
    if not protocol.startswith("SASL_"):
        return [
            _unused(given[field], "SECURITY_PROTOCOL", protocol, "SASL_PLAINTEXT or SASL_SSL")
            for field in ("sasl_mechanism", *_PASSWORD_FIELDS, *of_tokens)
            if field in given
        ]
    mechanism = settings.sasl_mechanism
    if mechanism is None:
        return [_missing("sasl_mechanism", "SECURITY_PROTOCOL", protocol)]
    if mechanism != "OAUTHBEARER":
        return [
            *(
                _missing(field, "SASL_MECHANISM", mechanism)
                for field in _PASSWORD_FIELDS
                if field not in given
            ),
            *(
                _unused(given[field], "SASL_MECHANISM", mechanism, "OAUTHBEARER")
                for field in of_tokens
                if field in given
            ),
        ]
    problems = [
        _unused(given[field], "SASL_MECHANISM", mechanism, "PLAIN or SCRAM")
        for field in _PASSWORD_FIELDS
        if field in given
    ]
    if "sasl_token_file" not in given:
        if not any(field in given for field in _ENDPOINT_FIELDS):
            problems.append(
                f"{PREFIX}SASL_TOKEN_FILE or {PREFIX}SASL_TOKEN_URL: got neither,"
                f" expected one of them with {PREFIX}SASL_MECHANISM=OAUTHBEARER"
            )
        else:
            problems += [
                _missing(field, "SASL_MECHANISM", mechanism)
                for field in _ENDPOINT_FIELDS
                if field not in given
            ]
    else:
        problems += [
            f"{given[field]}: got it and {given['sasl_token_file']}, expected one of them"
            for field in (*_ENDPOINT_FIELDS, "sasl_scope")
            if field in given
        ]
    return problems


def _ssl_problems(settings: Settings, given: Mapping[str, str]) -> list[str]:
    protocol = settings.security_protocol
    problems = [
        _unused(given[field], "SECURITY_PROTOCOL", protocol, "SSL or SASL_SSL")
        for field in _SSL_FIELDS
        if field in given and not protocol.endswith("SSL")
    ]
    if ("ssl_certfile" in given) != ("ssl_keyfile" in given):
        problems.append(
            f"{PREFIX}SSL_CERTFILE and {PREFIX}SSL_KEYFILE: got one of them, expected both"
        )
    return problems


def _registry_problems(settings: Settings, given: Mapping[str, str]) -> list[str]:
    prefix = "schema_registry_"
    problems = []
    if settings.schema_registry_url is None:
        problems += [
            f"{variable}: got a value without {PREFIX}SCHEMA_REGISTRY_URL, expected both or neither"
            for field, variable in given.items()
            if field.startswith(prefix)
        ]
    for one, other in (("username", "password"), ("certfile", "keyfile")):
        if (prefix + one in given) != (prefix + other in given):
            names = f"{PREFIX}SCHEMA_REGISTRY_{one.upper()} and ..._{other.upper()}"
            problems.append(f"{names}: got one of them, expected both")
    return problems


def _missing(field: str, because: str, value: str) -> str:
    return f"{PREFIX}{field.upper()}: got nothing, expected a value with {PREFIX}{because}={value}"


def _unused(variable: str, because: str, value: str, expected: str) -> str:
    return (
        f"{variable}: got a value with {PREFIX}{because}={value}, which does not use it,"
        f" expected {expected}"
    )
