"""Reads the settings from ``TRIGGER_*`` variables, with every problem at once."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from app.core.errors import ConfigError
from app.settings.conflicts import find_conflicts
from app.settings.model import INPUTS, OUTPUTS, PREFIX, Settings, default_rules_path
from app.settings.parsers import (
    Secret,
    base_url,
    choice,
    count,
    duration_ms,
    endpoint_url,
    http_url,
    http_urls,
    name,
    read_secret_file,
    read_token_file,
    readable_file,
    server_list,
    session_timeout_ms,
    text,
    transaction_timeout_ms,
)

#: What Kubernetes puts into every pod for a Service whose name starts with "trigger".
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=[0-9]+|PORT=(tcp|udp|sctp)://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=.*)"
)


#: variable without prefix -> (field, parser). A parser raises ValueError saying what it expects.
_VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "BOOTSTRAP_SERVERS": ("bootstrap_servers", server_list),
    "APP_ID": ("app_id", name),
    "TOPIC_PREFIX": ("topic_prefix", name),
    "DATA_DIR": ("data_dir", Path),
    "RULES": ("rules_path", Path),
    "SHADOW": ("shadow_path", Path),
    "CLOCK": ("clock", choice("wall", "records")),
    "GRACE": ("grace_ms", duration_ms),
    "MAX_SKEW": ("max_skew_ms", duration_ms),
    "MAX_IDLE": ("max_idle_ms", duration_ms),
    "INSTANCE_ID": ("instance_id", name),
    "GUARANTEE": ("guarantee", choice("exactly_once", "at_least_once")),
    "TRANSACTION_TIMEOUT": ("transaction_timeout_ms", transaction_timeout_ms),
    "SESSION_TIMEOUT": ("session_timeout_ms", session_timeout_ms),
    "STANDBY_REPLICAS": ("standby_replicas", count(0, 10)),
    "COMMIT_INTERVAL": ("commit_interval_s", lambda value: duration_ms(value) / 1000),
    "MAX_POLL_RECORDS": ("max_poll_records", count(1, 100_000)),
    "WEB_HOST": ("web_host", text),
    "WEB_PORT": ("web_port", count(0, 65_535)),
    "WEB_URL": ("web_url", base_url),
    "WEB_TOKEN": ("web_token", Secret),
    "WEB_TOKEN_FILE": ("web_token", read_token_file),
    "PARTITIONS": ("partitions", count(1, 10_000)),
    "REPLICATION_FACTOR": ("replication_factor", count(1, 100)),
    "LOG_LEVEL": ("log_level", choice("debug", "info", "warning", "error")),
    "LOG_FORMAT": ("log_format", choice("text", "json")),
    "SECURITY_PROTOCOL": (
        "security_protocol",
        choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    ),
    "SASL_MECHANISM": (
        "sasl_mechanism",
        choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
    ),
    "SASL_USERNAME": ("sasl_username", text),
    "SASL_PASSWORD": ("sasl_password", Secret),
    "SASL_PASSWORD_FILE": ("sasl_password", read_token_file),
    "SASL_TOKEN_FILE": ("sasl_token_file", readable_file),
    "SASL_TOKEN_URL": ("sasl_token_url", endpoint_url),
    "SASL_CLIENT_ID": ("sasl_client_id", text),
    "SASL_CLIENT_SECRET": ("sasl_client_secret", Secret),
    "SASL_CLIENT_SECRET_FILE": ("sasl_client_secret", read_token_file),
    "SASL_SCOPE": ("sasl_scope", text),
    "SSL_CAFILE": ("ssl_cafile", readable_file),
    "SSL_CERTFILE": ("ssl_certfile", readable_file),
    "SSL_KEYFILE": ("ssl_keyfile", readable_file),
    "SSL_KEY_PASSWORD": ("ssl_key_password", Secret),
    "SSL_KEY_PASSWORD_FILE": ("ssl_key_password", read_secret_file),
    "SCHEMA_REGISTRY_URL": ("schema_registry_url", http_urls),
    "SCHEMA_REGISTRY_USERNAME": ("schema_registry_username", text),
    "SCHEMA_REGISTRY_PASSWORD": ("schema_registry_password", Secret),
    "SCHEMA_REGISTRY_PASSWORD_FILE": ("schema_registry_password", read_secret_file),
    "SCHEMA_REGISTRY_CAFILE": ("schema_registry_cafile", Path),
    "SCHEMA_REGISTRY_CERTFILE": ("schema_registry_certfile", Path),
    "SCHEMA_REGISTRY_KEYFILE": ("schema_registry_keyfile", Path),
    "OTLP_ENDPOINT": ("otlp_endpoint", http_url),
}


#: What is wrong with such a variable may be that the secret itself is in it; so with addresses.
_SECRET_PARTS: Final = ("PASSWORD", "TOKEN", "SECRET")
_TOPIC_VARIABLES: Final = {
    f"TOPIC_{topic.upper().replace('-', '_')}": topic for topic in INPUTS + OUTPUTS
}


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in ``environ``. A variable set to nothing counts as not set.

    Raises ConfigError with every problem, each naming its variable, what was got and expected.
    """
    fields: dict[str, Any] = {"rules_path": default_rules_path()}
    topic_names: dict[str, str] = {}
    given: dict[str, str] = {}
    problems: list[str] = []
    for variable, value in sorted(environ.items()):
        short = variable.removeprefix(PREFIX)
        if short == variable or not value:
            continue
        try:
            if short in _TOPIC_VARIABLES:
                topic_names[_TOPIC_VARIABLES[short]] = name(value)
            elif short in _VARIABLES:
                field, parse = _VARIABLES[short]
                if field in given:
                    problems.append(f"{variable}: got it and {given[field]}, expected one of them")
                given[field] = variable
                fields[field] = parse(value)
            elif not _SERVICE_LINK.fullmatch(f"{short}={value}"):
                problems.append(_unknown(variable))
        except ValueError as exc:
            is_secret = any(part in short for part in _SECRET_PARTS) or "@" in value
            shown = "a value that is not shown" if is_secret else repr(value)
            problems.append(f"{variable}: got {shown}, expected {exc}")
    settings = Settings(**fields, topic_names=topic_names)
    problems += find_conflicts(settings, given)
    if problems:
        raise ConfigError("the settings are wrong:\n  " + "\n  ".join(problems))
    return settings


def _unknown(variable: str) -> str:
    known = [PREFIX + short for short in (*_VARIABLES, *_TOPIC_VARIABLES)]
    close = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{variable}: got a variable that is not known, expected one that is{hint}"
