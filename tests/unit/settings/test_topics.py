"""One list of topics: whatever is done with topics is done with every row of it."""

import pytest

from app.contracts.asyncapi import document
from app.core.errors import ConfigError
from app.core.events import INPUT_TOPICS
from app.kafka.topic_specs import needed
from app.rules_file.load import load_rules
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from app.settings.topics import REPARTITION, TOPICS, topics_with

DECLARED = Settings().with_declared_inputs(["support", "orders", "loyalty.points"])
INPUTS = {topic.name for topic in topics_with(DECLARED.declared_inputs) if topic.role == "input"}


def test_the_table_has_every_input_topic_of_the_core() -> None:
    """Event types of a topic without a row would never be read."""
    assert {topic.name for topic in TOPICS if topic.role == "input"} == set(INPUT_TOPICS)


def test_declared_inputs_join_the_built_in_ones() -> None:
    """Once each, between bookings and engagement: the order of equal record timestamps."""
    declared = ("loyalty.points", "support")
    assert DECLARED.inputs == ("profiles", "orders", "bookings", *declared, "engagement")


def test_every_input_and_the_repartition_topic_are_read() -> None:
    """A topic without a reader would hold the watermark back for ever."""
    assert set(DECLARED.read_topics) == {*INPUTS, REPARTITION}


def test_every_topic_is_created_checked_and_has_its_rights() -> None:
    """What is read needs Read, what is written Write; inputs share a partition count."""
    specs = {spec.logical: spec for spec in needed(DECLARED)}

    assert specs.keys() == {topic.name for topic in topics_with(DECLARED.declared_inputs)}
    for name in DECLARED.read_topics:
        assert "Read" in specs[name].operations
        assert specs[name].is_copartitioned
    for spec in specs.values():
        assert spec.topic == DECLARED.topic(spec.logical)
        assert spec.role == "input" or "Write" in spec.operations


def test_every_topic_but_the_repartition_topic_is_a_channel() -> None:
    """The repartition topic is internal and not in the contract."""
    found = document(DECLARED, load_rules(default_rules_path()))

    names = {topic.name for topic in topics_with(DECLARED.declared_inputs)} - {REPARTITION}
    assert found["channels"].keys() == names
    assert {f"receive_{name}" for name in INPUTS} <= found["operations"].keys()


def test_a_declared_topic_takes_a_name_of_its_own() -> None:
    """By the variable of its name, known once the rules have declared it."""
    settings = load_settings({"TRIGGER_TOPIC_LOYALTY_POINTS": "eu.points"})

    assert settings.with_declared_inputs(["loyalty.points"]).input_topics["loyalty.points"] == (
        "eu.points"
    )


def test_a_name_for_a_topic_that_nothing_declares_is_refused() -> None:
    """With the variables that there are."""
    settings = load_settings({"TRIGGER_TOPIC_TICKETS": "x"})

    with pytest.raises(ConfigError, match=r"TRIGGER_TOPIC_TICKETS: .*TRIGGER_TOPIC_SUPPORT"):
        settings.with_declared_inputs(["support"])


def test_a_declared_topic_with_the_name_of_an_output_is_refused() -> None:
    """What the engine writes would come back as input."""
    with pytest.raises(ConfigError, match="'dispatch' more than once"):
        Settings().with_declared_inputs(["dispatch"])
