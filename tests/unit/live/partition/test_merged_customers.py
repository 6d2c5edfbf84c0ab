"""Merged customers of several partitions, live: kills, both guarantees, against the backtest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
import pytest

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.customer import flat
from app.core.decisions import Decision
from app.formats.encode import written
from app.kafka.partitioning import partition_for
from app.rules_file.load import parse_rules
from tests.unit.live.commit.one_partition import CrashAt
from tests.unit.live.partition.one_worker import SETTINGS, Worker, World

T0: Final = 1_767_225_600_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
PARTITIONS: Final = 3
SLOW: Final = pytest.mark.slow
RULES: Final = parse_rules(b"""
version: 1
profile_patience: 0s
channels: {email: {requires: email}}
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: 30m, template: cart, channels: [email]}
  third: {kind: milestone, count: order_placed, reaches: 3, template: third, channels: [email]}
  hello: {kind: event, on: [subscribed], template: hello, channels: [email]}
""")


def ids_of(partition: int) -> list[str]:
    """Some customers of a partition."""
    names = [f"c{number}" for number in range(60)]
    return [each for each in names if partition_for(each.encode(), PARTITIONS) == partition]


GUEST, OTHER_GUEST = ids_of(0)[:2]
MEMBER = ids_of(1)[0]
NEWEST = ids_of(2)[0]


class Story:
    """Publishes to a world, and keeps the same as lines of a backtest."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, T0, PARTITIONS)
        self.lines: list[bytes] = []

    def tell(self, customer_id: str, type: str, topic: str = "orders", **data: Any) -> None:
        """An event of now."""
        world = self.world
        world.publish(topic, customer_id, type, world.now_ms, data)
        record = world.input[topic, partition_for(customer_id.encode(), PARTITIONS)][-1]
        line = {"topic": topic, **orjson.loads(record.value or b"")}
        self.lines.append(orjson.dumps({**line, "arrived_at": world.now_ms}))
        world.now_ms += 10

    def merge(self, customer_id: str, into: str) -> None:
        """The customer turns out to be another one."""
        self.tell(customer_id, "customer_merged", "profiles", into=into)

    def erase(self, customer_id: str) -> None:
        """A null of now."""
        world = self.world
        world.publish_raw("profiles", customer_id.encode(), None, world.now_ms)
        line = {"topic": "profiles", "key": customer_id, "value": None}
        self.lines.append(orjson.dumps({**line, "arrived_at": world.now_ms}))
        world.now_ms += 10

    def live(self, until: Callable[[Worker], bool] = Worker.is_at_rest, **options: Any) -> Worker:
        """A worker lives until then."""
        return Worker(self.world, RULES, **{"loop_ms": 200, **options}).run(until)

    def rest(self, **options: Any) -> None:
        """A worker takes all that was published."""
        worker = self.live(**options)
        assert worker.failure is None

    def pass_time(self, to_ms: int, **options: Any) -> None:
        """Nothing comes until then."""
        self.world.now_ms = max(self.world.now_ms, to_ms)
        end_ms = self.world.now_ms + 30_000
        options = {"loop_ms": 1_000, **options}
        worker = self.live(lambda _: self.world.now_ms > end_ms, **options)
        assert worker.failure is None

    def decisions(self) -> list[tuple[Any, ...]]:
        """What was decided live, each once, in a fixed order."""
        return sorted({_shown(each) for each in self.world.decisions()})

    def expected(self) -> list[tuple[Any, ...]]:
        """What a backtest decides."""
        made: list[Decision] = []
        replay = Replay(RULES, made.append)
        replay.run(read_arrivals(iter(self.lines)), until_ms=self.world.now_ms)
        return sorted({_shown(orjson.loads(written(each)[0])) for each in made})


_SHOWN: Final = (
    "request_id",
    "customer_id",
    "trigger",
    "key",
    "step",
    "outcome",
    "reason",
    "channel",
    "due_at",
)


def _shown(decision: dict[str, Any]) -> tuple[Any, ...]:
    return (*(decision[name] for name in _SHOWN), decision.get("merged_from", ""))


def shop(story: Story, customer_id: str, orders: int, cart: str) -> None:
    """Orders, and then a cart that is left."""
    for number in range(orders):
        name = f"{customer_id}-{cart}-{number}"
        story.tell(customer_id, "order_placed", order_id=name, cart_id=name, value=10)
    story.tell(customer_id, "cart_updated", cart_id=cart)


def test_what_a_guest_left_and_does_is_the_members(tmp_path: Path) -> None:
    """Carts move, orders add up, and what comes for the guest later is the member's, as in the
    backtest.
    """
    story = Story(tmp_path / "state")
    story.tell(MEMBER, "profile_updated", "profiles", email="m@example.com")
    shop(story, MEMBER, 1, "own")
    shop(story, GUEST, 1, "guests")
    story.rest()
    story.merge(GUEST, MEMBER)
    story.rest()
    shop(story, GUEST, 1, "later")
    story.rest()
    story.pass_time(T0 + HOUR)
    assert story.decisions() == story.expected()
    sent = [each for each in story.world.requests() if each["trigger"] == "cart"]
    assert [(each["customer_id"], each["key"]) for each in sent] == [
        (MEMBER, key) for key in ("own", "guests", "later")
    ]
    assert [each["trigger"] for each in story.world.requests()] == ["third", *["cart"] * 3]
    member, guest = story.world.customer(MEMBER), story.world.customer(GUEST)
    assert (member.counts["order_placed"], guest.counts, guest.instances) == (3, {}, [])


def test_an_open_cart_of_the_guest_is_reminded_of_under_the_members_address(tmp_path: Path) -> None:
    """It keeps its request id and says whose it was."""
    story = Story(tmp_path / "state")
    story.tell(MEMBER, "profile_updated", "profiles", email="m@example.com")
    story.tell(GUEST, "cart_updated", cart_id="k")
    story.merge(GUEST, MEMBER)
    story.rest()
    story.pass_time(T0 + HOUR)
    assert story.decisions() == story.expected()
    (sent,) = story.world.requests()
    assert (sent["customer_id"], sent["address"]) == (MEMBER, "m@example.com")
    assert sent["merged_from"] == GUEST


def test_a_chain_of_merges_ends_at_its_newest_member(tmp_path: Path) -> None:
    """A merge of a merged guest is of the member that they are now."""
    story = Story(tmp_path / "state")
    story.tell(NEWEST, "profile_updated", "profiles", email="n@example.com")
    story.tell(GUEST, "cart_updated", cart_id="k")
    story.rest()
    story.merge(GUEST, MEMBER)
    story.rest()
    story.merge(GUEST, NEWEST)
    story.rest()
    story.tell(GUEST, "subscribed")
    story.tell(MEMBER, "subscribed")
    story.rest()
    story.pass_time(T0 + HOUR)
    assert story.decisions() == story.expected()
    assert {each["customer_id"] for each in story.world.requests()} == {NEWEST}
    assert len(story.world.requests()) == 3


def test_a_circle_of_merges_ends_at_its_newest_member(tmp_path: Path) -> None:
    """Nothing goes round for ever, and nothing of either is lost."""
    story = Story(tmp_path / "state")
    story.tell(GUEST, "profile_updated", "profiles", email="g@example.com")
    shop(story, GUEST, 1, "g")
    shop(story, MEMBER, 1, "m")
    story.merge(GUEST, MEMBER)
    story.merge(MEMBER, GUEST)
    story.rest()
    story.tell(GUEST, "subscribed")
    story.tell(MEMBER, "subscribed")
    story.rest()
    story.pass_time(T0 + HOUR)
    assert story.decisions() == story.expected()
    assert len(story.world.requests()) == 4
    assert story.world.customer(GUEST).counts["order_placed"] == 2
    assert story.world.customer(MEMBER).counts == {}


def test_a_record_that_arrives_after_its_member_left_goes_after_them(tmp_path: Path) -> None:
    """Both merges lie in the backlog, and the second is read first."""
    story = Story(tmp_path / "state")
    story.tell(NEWEST, "profile_updated", "profiles", email="n@example.com")
    story.tell(GUEST, "cart_updated", cart_id="k")
    for number in range(2_000):
        story.world.publish("orders", OTHER_GUEST, "product_viewed", T0 + number // 200, {})
    story.merge(GUEST, MEMBER)
    story.merge(MEMBER, NEWEST)
    story.rest(speeds={"orders": 20})
    story.pass_time(T0 + HOUR)
    assert story.decisions() == story.expected()
    assert [each["customer_id"] for each in story.world.requests()] == [NEWEST]


def test_the_same_merge_published_twice_changes_nothing(tmp_path: Path) -> None:
    """Nor does one of a customer into themselves."""
    story = Story(tmp_path / "state")
    shop(story, GUEST, 2, "g")
    story.merge(GUEST, MEMBER)
    again = story.world.input["profiles", 0][-1]
    story.rest()
    story.world.publish_raw("profiles", again.key, again.value, story.world.now_ms)
    story.merge(MEMBER, MEMBER)
    story.merge(GUEST, MEMBER)
    story.rest()
    assert story.world.customer(MEMBER).counts["order_placed"] == 2
    assert story.world.customer(MEMBER).merged_into is None


def test_an_erased_guest_begins_anew_and_the_member_keeps_what_came(tmp_path: Path) -> None:
    """A null ends the sending on; one for the member erases all, and what comes later is theirs."""
    story = Story(tmp_path / "state")
    shop(story, GUEST, 1, "g")
    story.merge(GUEST, MEMBER)
    shop(story, OTHER_GUEST, 2, "o")
    story.merge(OTHER_GUEST, MEMBER)
    story.rest()
    story.erase(GUEST)
    shop(story, GUEST, 1, "g2")
    story.rest()
    assert story.world.customer(MEMBER).counts["order_placed"] == 3
    assert story.world.customer(GUEST).counts["order_placed"] == 1
    story.erase(MEMBER)
    story.rest()
    shop(story, OTHER_GUEST, 1, "o2")
    story.rest()
    assert story.world.customer(MEMBER).counts["order_placed"] == 1


def test_what_was_sent_on_before_an_erasure_is_erased_with_it(tmp_path: Path) -> None:
    """The member's null is read before the guest's record arrives."""
    story = Story(tmp_path / "state")
    for number in range(2_000):
        story.world.publish("orders", OTHER_GUEST, "product_viewed", T0 + number // 200, {})
    shop(story, GUEST, 1, "g")
    story.merge(GUEST, MEMBER)
    story.erase(MEMBER)
    story.rest(speeds={"orders": 20})
    assert story.world.customer(MEMBER).counts == {}


def test_a_merge_without_a_target_is_a_dead_letter(tmp_path: Path) -> None:
    """Nothing of it is applied."""
    story = Story(tmp_path / "state")
    shop(story, GUEST, 1, "g")
    story.tell(GUEST, "customer_merged", "profiles", into="")
    story.rest()
    (letter,) = story.world.broker.of("dead-letters")
    assert dict(letter.headers)["trigger-error-reason"] == b"merge"
    assert story.world.customer(GUEST).counts["order_placed"] == 1


def first_act(story: Story) -> None:
    """Two guests of one partition are one member of another."""
    story.tell(NEWEST, "profile_updated", "profiles", email="n@example.com")
    shop(story, GUEST, 1, "g")
    shop(story, OTHER_GUEST, 1, "o")
    shop(story, MEMBER, 1, "m")
    story.merge(GUEST, MEMBER)
    shop(story, GUEST, 1, "g2")
    story.merge(OTHER_GUEST, MEMBER)
    shop(story, OTHER_GUEST, 1, "o2")


def second_act(story: Story) -> None:
    """The member turns out to be a third customer, and the guests go on."""
    story.world.now_ms = T0 + 5 * MINUTE
    story.merge(MEMBER, NEWEST)
    shop(story, MEMBER, 1, "m3")
    story.world.now_ms = T0 + 6 * MINUTE
    shop(story, GUEST, 1, "g3")


def state(world: World) -> list[object]:
    """The records, without what belongs to the partitions."""
    found: list[object] = []
    for each in (GUEST, OTHER_GUEST, MEMBER, NEWEST):
        customer = world.customer(each)
        customer.applied, customer.outbox, customer.seen = {}, [], b""
        customer.merged_at_ms, customer.sends, customer.stopped = 0, [], []
        found.append(flat.to_json(customer))
    return found


#: Every effect of each guarantee. After 3 the changelog has what is sent on, and nothing else has,
#: under at least once.
POINTS: Final = [
    pytest.param(
        f"{when} {number}",
        is_exactly_once,
        marks=() if f"{when} {number}" == "after 3" else SLOW,
    )
    for is_exactly_once, effects in ((False, 7), (True, 8))
    for number in range(1, effects + 1)
    for when in ("before", "after")
]


@pytest.mark.parametrize(("point", "is_exactly_once"), POINTS)
def test_a_crash_anywhere_loses_and_repeats_nothing(
    tmp_path: Path, point: str, is_exactly_once: bool
) -> None:
    """The records are those of a life without crashes, and each decision is made once."""
    kind: dict[str, Any] = {"is_exactly_once": is_exactly_once}
    whole = Story(tmp_path / "whole")
    for act in (first_act, second_act):
        act(whole)
        whole.rest(**kind)
    whole.pass_time(T0 + HOUR, **kind)
    assert whole.decisions() == whole.expected()
    wanted = state(whole.world)
    for passes in (0, 1, 3):
        story = Story(tmp_path / f"crash{passes}")
        for act in (first_act, second_act):
            act(story)
            first = story.live(**kind, hook=CrashAt(point, passes))
            assert first.failure is not None or passes > 1
            story.rest(**kind)
        story.pass_time(T0 + HOUR, **kind)
        assert state(story.world) == wanted
        assert story.decisions() == whole.decisions()
        ids = [each["request_id"] for each in story.world.requests()]
        assert not is_exactly_once or len(ids) == len(set(ids))


def test_a_rehearsal_of_merges_decides_what_the_backtest_decides(tmp_path: Path) -> None:
    """By the records' clock, with the instants of the decisions, when merges have been taken before
    what comes next is published.
    """
    rehearsal = {"settings": msgspec.structs.replace(SETTINGS, clock="records", max_idle_ms=1)}
    story = Story(tmp_path / "state")
    for act in (first_act, second_act):
        act(story)
        story.rest(**rehearsal)
    story.world.now_ms = T0 + HOUR
    for partition in range(PARTITIONS):
        story.tell(ids_of(partition)[-1], "product_viewed")
    story.rest(**rehearsal)

    def timed(decision: dict[str, Any]) -> tuple[Any, ...]:
        return (*_shown(decision), decision["decided_at"])

    made: list[Decision] = []
    Replay(RULES, made.append).run(read_arrivals(iter(story.lines)))
    expected = {timed(orjson.loads(written(each)[0])) for each in made}
    assert {timed(each) for each in story.world.decisions()} == expected
    assert len(expected) > 6
