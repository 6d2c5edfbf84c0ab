"""The one settings object, read from ``TRIGGER_*`` variables in one function.

Every way to set something ends here: the command line turns its options into the same variables.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from app.core.errors import ConfigError
from app.core.events import INPUT_TOPICS
from app.setting_conflicts import contradictions
from app.setting_values import (
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

PREFIX: Final = "TRIGGER_"

#: Logical topic names; ``Settings.topic`` says what each is called on the broker.
INPUTS: Final = INPUT_TOPICS
DEAD_LETTERS: Final = "dead-letters"
OUTPUTS: Final = ("dispatch", "decisions", "outcomes", DEAD_LETTERS)
#: The internal topic that is read beside the inputs (app/repartition.py).
REPARTITION: Final = "repartition"

#: Shipped inside the wheel; a checkout has it in deploy/.
_PACKAGED_RULES: Final = Path(__file__).with_name("default_rules.yaml")
_CHECKOUT_RULES: Final = Path(__file__).parents[1] / "deploy" / "rules.yaml"

#: What Kubernetes puts into every pod for a Service whose name starts with "trigger".
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=[0-9]+|PORT=(tcp|udp|sctp)://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=.*)"
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured, checked. Durations carry their unit in the name."""

    bootstrap_servers: str = "localhost:9092"
    #: consumer group, and the first part of the names of internal topics
    app_id: str = "triggers"
    topic_prefix: str = ""
    #: logical name -> name on the broker, the prefix not added
    topic_names: dict[str, str] = {}
    data_dir: Path = Path("trigger-data")
    rules_path: Path = _PACKAGED_RULES
    #: a second rules file, whose decisions are compared and not sent
    shadow_path: Path | None = None
    #: ``wall``, or ``records``: now is the largest record timestamp read so far
    clock: Literal["wall", "records"] = "wall"
    grace_ms: int = 5_000
    max_skew_ms: int = 300_000
    #: a partition whose input is quiet gets a timer pass at least this often
    max_idle_ms: int = 1_000
    #: stable across restarts: the broker then hands the same partitions back at once
    instance_id: str | None = None
    #: None: exactly_once where the broker has transactions
    guarantee: Literal["exactly_once", "at_least_once"] | None = None
    #: after so long the broker aborts a transaction whose worker is gone; others wait for that
    transaction_timeout_ms: int = 30_000
    #: a worker that is silent for so long is taken for dead, and its partitions move
    session_timeout_ms: int = 15_000
    #: how many other workers keep a copy of each partition's state, as far as there are others
    standby_replicas: int = 1
    commit_interval_s: float = 0.5
    max_poll_records: int = 2_000
    web_host: str = "127.0.0.1"
    #: 0 takes a free one
    web_port: int = 6066
    #: where other workers and people reach this one's web server; the same after a restart
    web_url: str | None = None
    #: who has it may see personal data
    web_token: Secret | None = None
    #: for topics that ``triggers topics create`` and the worker make
    partitions: int = 4
    replication_factor: int = 1
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: Secret | None = None
    #: OAUTHBEARER: a mounted file with the token, or an endpoint that gives one to a client
    sasl_token_file: Path | None = None
    sasl_token_url: str | None = None
    sasl_client_id: str | None = None
    sasl_client_secret: Secret | None = None
    sasl_scope: str | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: Secret | None = None
    #: http(s)://host[:port][/path], several with commas; values may then be Avro or JSON Schema's
    schema_registry_url: str | None = None
    schema_registry_username: str | None = None
    schema_registry_password: Secret | None = None
    schema_registry_cafile: Path | None = None
    schema_registry_certfile: Path | None = None
    schema_registry_keyfile: Path | None = None
    #: where spans of commit units go, as OTLP over HTTP; None: there are none
    otlp_endpoint: str | None = None

    def topic(self, name: str) -> str:
        """What the logical topic ``name`` is called on the broker."""
        return self.topic_names.get(name, self.topic_prefix + name)

    @property
    def input_topics(self) -> dict[str, str]:
        """Logical name -> name on the broker, of the topics that are read."""
        return {name: self.topic(name) for name in INPUTS}

    @property
    def read_topics(self) -> dict[str, str]:
        """Logical name -> name on the broker: the input topics and the repartition topic."""
        return {**self.input_topics, REPARTITION: self.repartition_topic}

    @property
    def changelog_topic(self) -> str:
        """The compacted topic that the customers table is rebuilt from."""
        return f"{self.app_id}-customers-changelog"

    @property
    def repartition_topic(self) -> str:
        """Records found on a partition that is not their key's pass through this one."""
        return f"{self.app_id}-repartition"


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
    problems += contradictions(settings, given)
    if problems:
        raise ConfigError("the settings are wrong:\n  " + "\n  ".join(problems))
    return settings


def default_rules_path() -> Path:
    """The rules that ship with the project."""
    return _PACKAGED_RULES if _PACKAGED_RULES.exists() else _CHECKOUT_RULES


def _unknown(variable: str) -> str:
    known = [PREFIX + short for short in (*_VARIABLES, *_TOPIC_VARIABLES)]
    close = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{variable}: got a variable that is not known, expected one that is{hint}"
