"""A worker's membership of its consumer group: as Kafka's client wants it, and when it is lost."""

import asyncio

import pytest
from aiokafka import errors

from app.core.errors import InfrastructureError
from app.live.input import consumer_group
from app.live.input.consumer_group import NO_MEMBER, GroupMembership, watch_group, watch_takeovers


class Coordinator:
    """Raises these errors, one a look."""

    def __init__(self, found: list[errors.KafkaError | None]) -> None:
        self._found = found

    def check_errors(self) -> None:
        error = self._found.pop(0)
        if error is not None:
            raise error


class Consumer:
    """The part of aiokafka's consumer that is looked at."""

    def __init__(self, found: list[errors.KafkaError | None]) -> None:
        self._coordinator = Coordinator(found)
        self._group_id = "triggers"


def test_membership_is_encoded_as_the_client_takes_it() -> None:
    """Generation little-endian, group id, member id, and no instance id."""
    assert GroupMembership(258, "m-1").metadata("triggers") == b"CGMDv2:\2\1\0\0triggers\0m-1\0\1"


@pytest.mark.parametrize("membership", [NO_MEMBER, GroupMembership(4, "")])
def test_what_is_no_member_has_no_metadata(membership: GroupMembership) -> None:
    """The broker would let its offsets pass unfenced."""
    with pytest.raises(InfrastructureError, match="no member of the group triggers"):
        membership.metadata("triggers")


def test_a_lost_membership_is_reported_once_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Errors that pass are not."""
    monkeypatch.setattr(consumer_group, "_LOOK_S", 0.0)
    told: list[InfrastructureError] = []
    found = [
        None,
        errors.CoordinatorLoadInProgressError(),
        None,
        errors.GroupAuthorizationFailedError(),
    ]

    asyncio.run(watch_group(Consumer(list(found)), told.append))

    (error,) = told
    assert "TRIGGER_INSTANCE_ID" in str(error)
    assert "(triggers)" in str(error)


class Member:
    """The part of aiokafka's coordinator that a take-over goes through."""

    def __init__(self, instance_id: str | None) -> None:
        self._group_instance_id = instance_id
        self.resets = 0

    def reset_generation(self) -> None:
        self.resets += 1


def test_a_member_that_is_replaced_again_and_again_stays_out() -> None:
    """The error names the setting, and the member stays out; one without an id always does."""
    told: list[InfrastructureError] = []
    member, dynamic = Member("worker-0"), Member(None)
    for each in (member, dynamic):
        watch_takeovers(each, told.append)
        for _ in range(5):
            each.reset_generation()

    (error,) = told
    assert "TRIGGER_INSTANCE_ID, worker-0" in str(error)
    assert (member.resets, dynamic.resets) == (4, 5)


def test_sessions_that_run_out_are_no_takeovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losing a session takes longer than being replaced."""
    monkeypatch.setattr(consumer_group, "_TAKEOVERS_WITHIN_S", -1.0)
    told: list[InfrastructureError] = []
    member = Member("worker-0")
    watch_takeovers(member, told.append)
    for _ in range(20):
        member.reset_generation()

    assert told == []
    assert member.resets == 20
