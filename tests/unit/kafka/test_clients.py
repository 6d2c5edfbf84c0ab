"""Client configurations: librdkafka accepts them, and what must be set is set."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from app.kafka.clients import admin_config, consumer_config, producer_config
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.security.certificates import Authority

SASL = {
    "TRIGGER_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "TRIGGER_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "TRIGGER_SASL_MECHANISM": "SCRAM-SHA-512",
    "TRIGGER_SASL_USERNAME": "engine",
    "TRIGGER_SASL_PASSWORD": "hunter2",
}


@pytest.mark.parametrize("environ", [{"TRIGGER_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, SASL])
def test_clients_can_be_made(environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    """With and without credentials; without a broker nothing is printed."""
    settings = load_settings(environ)

    Producer(producer_config(settings)).poll(0.05)
    AdminClient(admin_config(settings)).poll(0.05)
    Consumer(consumer_config(settings)).close()

    assert capfd.readouterr().err == ""


def test_the_producer_loses_and_repeats_nothing() -> None:
    """Acknowledged by all replicas, idempotent, and keyed like Java."""
    config = producer_config(Settings())

    assert (config["acks"], config["enable.idempotence"]) == ("all", True)
    assert config["partitioner"] == "murmur2_random"


def test_readers_see_what_is_committed_and_commit_nothing() -> None:
    """Whatever size a broker answers with."""
    config = consumer_config(Settings())

    assert config["isolation.level"] == "read_committed"
    assert config["enable.auto.commit"] is False
    assert config["receive.message.max.bytes"] == 2_147_483_647


def test_credentials_reach_the_client(tmp_path: Path) -> None:
    """In its own words, revealed here and nowhere else."""
    cafile = str(Authority(tmp_path).cafile)
    config = admin_config(
        load_settings(
            SASL | {"TRIGGER_SECURITY_PROTOCOL": "SASL_SSL", "TRIGGER_SSL_CAFILE": cafile}
        )
    )

    assert config["security.protocol"] == "SASL_SSL"
    assert config["sasl.password"] == SASL["TRIGGER_SASL_PASSWORD"]
    assert config["ssl.ca.location"] == cafile
    assert "ssl.key.location" not in config
