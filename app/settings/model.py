"""The one settings object: one row a setting, from which loading, reference and chart schema come.

Every way to set something ends here: the command line turns its options into the same variables.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, get_type_hints

import msgspec

from app.core.errors import ConfigError
from app.core.events import BOOKINGS
from app.settings.parsers import (
    Secret,
    base_url,
    choice,
    count,
    duration_ms,
    duration_s,
    endpoint_url,
    http_url,
    http_urls,
    name,
    read_secret_file,
    read_token_file,
    readable_file,
    server_list,
    session_timeout,
    text,
    transaction_timeout,
)
from app.settings.topics import CHANGELOG, INPUTS, INTERNAL, REPARTITION, topics_with
from app.settings.variable import PREFIX, Variable

#: Shipped inside the wheel; a checkout has it in deploy/.
_PACKAGED_RULES: Final = Path(__file__).parents[1] / "default_rules.yaml"
_CHECKOUT_RULES: Final = Path(__file__).parents[2] / "deploy" / "rules.yaml"


def default_rules_path() -> Path:
    """The rules that ship with the project."""
    return _PACKAGED_RULES if _PACKAGED_RULES.exists() else _CHECKOUT_RULES


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured, checked. Durations carry their unit in the name.

    A new setting is one row here: field, type, ``Variable``, default.
    """

    bootstrap_servers: Annotated[
        str, Variable("BOOTSTRAP_SERVERS", server_list, "Kafka brokers to connect to first.")
    ] = "localhost:9092"
    app_id: Annotated[
        str,
        Variable("APP_ID", name, "Consumer group, and the first part of internal topics' names."),
    ] = "triggers"
    topic_prefix: Annotated[
        str,
        Variable("TOPIC_PREFIX", name, "Goes before the name of every topic that has no own one."),
    ] = ""
    data_dir: Annotated[
        Path, Variable("DATA_DIR", Path, "Folder of the customers' state; one for each worker.")
    ] = Path("trigger-data")
    rules_path: Annotated[
        Path, Variable("RULES", Path, "The rules file; a change is taken without a restart.")
    ] = msgspec.field(default_factory=default_rules_path)
    shadow_path: Annotated[
        Path | None,
        Variable("SHADOW", Path, "A second rules file, whose decisions are compared and not sent."),
    ] = None
    clock: Annotated[
        Literal["wall", "records"],
        Variable(
            "CLOCK",
            choice("wall", "records"),
            "What now is: the machine's clock, or the largest record timestamp read so far.",
        ),
    ] = "wall"
    grace_ms: Annotated[
        int, Variable("GRACE", duration_ms, "How far the watermark stays behind the event times.")
    ] = 5_000
    max_skew_ms: Annotated[
        int, Variable("MAX_SKEW", duration_ms, "Events further ahead of now are counted as skewed.")
    ] = 300_000
    max_lag_ms: Annotated[
        int,
        Variable(
            "MAX_LAG",
            duration_ms,
            "Marketing steps are decided only while each input topic of their partition has been"
            " read up to the end that it had at most so long ago.",
        ),
    ] = 10_000
    max_idle_ms: Annotated[
        int, Variable("MAX_IDLE", duration_ms, "A quiet partition looks at its timers this often.")
    ] = 1_000
    instance_id: Annotated[
        str | None,
        Variable(
            "INSTANCE_ID",
            name,
            "Name of this worker, the same after a restart: the broker then hands back the same"
            " partitions at once.",
        ),
    ] = None
    guarantee: Annotated[
        Literal["exactly_once", "at_least_once"] | None,
        Variable(
            "GUARANTEE",
            choice("exactly_once", "at_least_once"),
            "How outputs are committed; without it exactly_once where the broker has transactions.",
        ),
    ] = None
    on_lost_data: Annotated[
        Literal["stop", "continue"],
        Variable(
            "ON_LOST_DATA",
            choice("stop", "continue"),
            "What a worker does whose changelog was emptied or whose input topics were made again.",
        ),
    ] = "stop"
    compression: Annotated[
        Literal["gzip", "none", "lz4", "snappy", "zstd"] | None,
        Variable(
            "COMPRESSION",
            choice("gzip", "none", "lz4", "snappy", "zstd"),
            "How a worker compresses outputs and changelog; every Kafka client reads gzip and none."
            " Without it lz4, for a fifth less CPU, where the broker packs all outputs again"
            " (`compression.type` of their topics is gzip), else gzip.",
        ),
    ] = None
    transaction_timeout_ms: Annotated[
        int,
        Variable(
            "TRANSACTION_TIMEOUT",
            transaction_timeout,
            "The broker aborts the transaction of a worker that is gone after this time.",
        ),
    ] = 30_000
    session_timeout_ms: Annotated[
        int,
        Variable(
            "SESSION_TIMEOUT",
            session_timeout,
            "A worker without a heartbeat for this time loses its partitions to others.",
        ),
    ] = 15_000
    standby_replicas: Annotated[
        int,
        Variable(
            "STANDBY_REPLICAS",
            count(0, 10),
            "How many other workers keep a copy of each partition's state.",
        ),
    ] = 1
    commit_interval_s: Annotated[
        float, Variable("COMMIT_INTERVAL", duration_s, "How often offsets are committed.")
    ] = 0.5
    max_poll_records: Annotated[
        int, Variable("MAX_POLL_RECORDS", count(1, 100_000), "Most records of one fetch.")
    ] = 2_000
    web_host: Annotated[
        str, Variable("WEB_HOST", text, "Address that the web server listens on.")
    ] = "127.0.0.1"
    web_port: Annotated[
        int, Variable("WEB_PORT", count(0, 65_535), "Port of the web server; 0 takes a free one.")
    ] = 6066
    web_url: Annotated[
        str | None,
        Variable(
            "WEB_URL",
            base_url,
            "Where other workers and people reach this one's web server, the same after a restart.",
        ),
    ] = None
    web_token: Annotated[
        Secret | None,
        Variable(
            "WEB_TOKEN",
            Secret,
            "Bearer token that opens personal data on the support page.",
            read_token_file,
        ),
    ] = None
    partitions: Annotated[
        int, Variable("PARTITIONS", count(1, 10_000), "Partitions of topics that are created.")
    ] = 4
    replication_factor: Annotated[
        int, Variable("REPLICATION_FACTOR", count(1, 100), "Replicas of topics that are created.")
    ] = 1
    metrics_detail: Annotated[
        Literal["trigger", "total"],
        Variable(
            "METRICS_DETAIL",
            choice("trigger", "total"),
            "Series per trigger, or with an empty trigger label: fewer series, no trigger's alert.",
        ),
    ] = "trigger"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Variable("LOG_LEVEL", choice("debug", "info", "warning", "error"), "Least level written."),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        Variable("LOG_FORMAT", choice("text", "json"), "Lines for people, or JSON."),
    ] = "text"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Variable(
            "SECURITY_PROTOCOL",
            choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
            "How to connect to the brokers: encrypted (SSL), with a login (SASL).",
        ),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None,
        Variable(
            "SASL_MECHANISM",
            choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"),
            "How to log in.",
        ),
    ] = None
    sasl_username: Annotated[
        str | None, Variable("SASL_USERNAME", text, "User of PLAIN and SCRAM.")
    ] = None
    sasl_password: Annotated[
        Secret | None,
        Variable("SASL_PASSWORD", Secret, "Password of PLAIN and SCRAM.", read_token_file),
    ] = None
    sasl_token_file: Annotated[
        Path | None,
        Variable("SASL_TOKEN_FILE", readable_file, "OAUTHBEARER: a mounted file with the token."),
    ] = None
    sasl_token_url: Annotated[
        str | None,
        Variable("SASL_TOKEN_URL", endpoint_url, "OAUTHBEARER: an endpoint that gives a token."),
    ] = None
    sasl_client_id: Annotated[
        str | None, Variable("SASL_CLIENT_ID", text, "Client that asks the token endpoint.")
    ] = None
    sasl_client_secret: Annotated[
        Secret | None,
        Variable("SASL_CLIENT_SECRET", Secret, "Secret of that client.", read_token_file),
    ] = None
    sasl_scope: Annotated[
        str | None, Variable("SASL_SCOPE", text, "Scope that the token endpoint is asked for.")
    ] = None
    ssl_cafile: Annotated[
        Path | None,
        Variable(
            "SSL_CAFILE",
            readable_file,
            "Certificate authorities of the brokers; without it the system's.",
        ),
    ] = None
    ssl_certfile: Annotated[
        Path | None, Variable("SSL_CERTFILE", readable_file, "Client certificate.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None, Variable("SSL_KEYFILE", readable_file, "Key of the client certificate.")
    ] = None
    ssl_key_password: Annotated[
        Secret | None,
        Variable("SSL_KEY_PASSWORD", Secret, "Password of an encrypted key.", read_secret_file),
    ] = None
    schema_registry_url: Annotated[
        str | None,
        Variable(
            "SCHEMA_REGISTRY_URL",
            http_urls,
            "Schema Registry, several with commas: values may then be Avro or JSON with a schema.",
        ),
    ] = None
    schema_registry_username: Annotated[
        str | None, Variable("SCHEMA_REGISTRY_USERNAME", text, "User of the registry.")
    ] = None
    schema_registry_password: Annotated[
        Secret | None,
        Variable("SCHEMA_REGISTRY_PASSWORD", Secret, "Password of that user.", read_secret_file),
    ] = None
    schema_registry_cafile: Annotated[
        Path | None,
        Variable("SCHEMA_REGISTRY_CAFILE", Path, "Certificate authorities of the registry."),
    ] = None
    schema_registry_certfile: Annotated[
        Path | None,
        Variable("SCHEMA_REGISTRY_CERTFILE", Path, "Client certificate for the registry."),
    ] = None
    schema_registry_keyfile: Annotated[
        Path | None, Variable("SCHEMA_REGISTRY_KEYFILE", Path, "Key of that certificate.")
    ] = None
    otlp_endpoint: Annotated[
        str | None,
        Variable(
            "OTLP_ENDPOINT",
            http_url,
            "Collector of spans of commit units, as OTLP over HTTP; without it there are none.",
        ),
    ] = None

    #: logical name -> name on the broker, of topics that have a ``TRIGGER_TOPIC_*``
    topic_names: dict[str, str] = {}
    #: input topics that the rules file adds, see ``with_declared_inputs``
    declared_inputs: tuple[str, ...] = ()

    def topic(self, name: str) -> str:
        """What the logical topic ``name`` is called on the broker."""
        if name in INTERNAL:
            return f"{self.app_id}-{name}"
        return self.topic_names.get(name, self.topic_prefix + name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Logical names of the built-in and declared input topics, in the order in which records of
        one timestamp are handled.
        """
        at = INPUTS.index(BOOKINGS) + 1
        return (*INPUTS[:at], *self.declared_inputs, *INPUTS[at:])

    @property
    def input_topics(self) -> dict[str, str]:
        """Logical name -> name on the broker, of the input topics."""
        return {name: self.topic(name) for name in self.inputs}

    @property
    def read_topics(self) -> dict[str, str]:
        """Logical name -> name on the broker, of all that is subscribed to: the input topics and
        the repartition topic.
        """
        return {**self.input_topics, REPARTITION: self.repartition_topic}

    @property
    def changelog_topic(self) -> str:
        """The compacted topic that the customers table is rebuilt from."""
        return self.topic(CHANGELOG)

    @property
    def repartition_topic(self) -> str:
        """Records found on a partition that is not their key's pass through this one."""
        return self.topic(REPARTITION)

    def with_declared_inputs(self, names: Iterable[str]) -> "Settings":
        """These settings with the input topics that a rules file declares, in order of name.

        Raises ConfigError when a ``TRIGGER_TOPIC_*`` names a topic that there is not, or when two
        topics have one name on the broker.
        """
        declared = tuple(sorted(set(names) - set(INPUTS)))
        by_variable = {topic_variable(each.name): each.name for each in topics_with(declared)}
        given = {topic_variable(each): actual for each, actual in self.topic_names.items()}
        found = msgspec.structs.replace(
            self,
            declared_inputs=declared,
            topic_names={
                by_variable[variable]: actual
                for variable, actual in given.items()
                if variable in by_variable
            },
        )
        problems = [
            f"{variable}: got a name for a topic that is not known, expected one of"
            f" {', '.join(by_variable)}; more are declared under `events:` in {self.rules_path}"
            for variable in given
            if variable not in by_variable
        ]
        problems += found.ambiguous_topics()
        if problems:
            raise ConfigError("the settings are wrong:\n  " + "\n  ".join(problems))
        return found

    def ambiguous_topics(self) -> list[str]:
        """A text for each name on the broker that two topics would share."""
        names = [self.topic(topic.name) for topic in topics_with(self.declared_inputs)]
        return [
            f"{PREFIX}TOPIC_*: got the name {twice!r} more than once, expected different names"
            for twice in sorted({each for each in names if names.count(each) > 1})
        ]


class Row(NamedTuple):
    """One setting: the field of ``Settings`` and what its annotation says."""

    field: str
    variable: Variable
    default: object


def rows() -> Iterator[Row]:
    """Every setting that has a variable of its own, in the order of the table."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    for field in Settings.__struct_fields__:
        for variable in getattr(hints[field], "__metadata__", ()):
            yield Row(field, variable, getattr(defaults, field))


def topic_variable(topic: str) -> str:
    """The variable that gives a topic another name, as in ``TRIGGER_TOPIC_DEAD_LETTERS``."""
    return f"{PREFIX}TOPIC_{re.sub('[-.]', '_', topic).upper()}"
