"""The one settings object, read from ``TRIGGER_*`` variables in one function.

Every way to set something ends here: the command line turns its options into the same variables.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec

from app.core.events import INPUT_TOPICS
from app.settings.parsers import (
    Secret,
)

PREFIX: Final = "TRIGGER_"
#: Logical topic names; ``Settings.topic`` says what each is called on the broker.
INPUTS: Final = INPUT_TOPICS
DEAD_LETTERS: Final = "dead-letters"
OUTPUTS: Final = ("dispatch", "decisions", "outcomes", DEAD_LETTERS)
#: The internal topic that is read beside the inputs (app/live/repartition/envelope.py).
REPARTITION: Final = "repartition"
#: Shipped inside the wheel; a checkout has it in deploy/.
_PACKAGED_RULES: Final = Path(__file__).parents[1] / "default_rules.yaml"
_CHECKOUT_RULES: Final = Path(__file__).parents[2] / "deploy" / "rules.yaml"


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


def default_rules_path() -> Path:
    """The rules that ship with the project."""
    return _PACKAGED_RULES if _PACKAGED_RULES.exists() else _CHECKOUT_RULES
