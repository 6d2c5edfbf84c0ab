"""The watermark of a partition."""

import random

from app.live.clock.watermark import BEGINNING_OF_TIME_MS, Watermark

TOPICS = ("bookings", "orders", "profiles")
GRACE_MS = 10


def test_it_follows_the_topic_that_is_read_least_far() -> None:
    """Whatever comes in which order, and again; it says nothing before every topic is known."""
    chance = random.Random(7)
    for _ in range(200):
        watermark = Watermark(TOPICS, GRACE_MS)
        seen_ms = dict.fromkeys(TOPICS, BEGINNING_OF_TIME_MS)
        for _ in range(30):
            topic, instant_ms = chance.choice(TOPICS), chance.randrange(20)
            watermark.advance(topic, instant_ms)
            seen_ms[topic] = max(seen_ms[topic], instant_ms)
            lowest_ms = min(seen_ms.values())
            assert watermark.seen_ms(topic) == seen_ms[topic]
            assert watermark.value_ms == max(BEGINNING_OF_TIME_MS, lowest_ms - GRACE_MS)


def test_it_never_goes_back() -> None:
    watermark = Watermark(["orders"], GRACE_MS)
    for instant_ms, value_ms in ((50, 40), (20, 40), (50, 40), (51, 41)):
        watermark.advance("orders", instant_ms)
        assert watermark.value_ms == value_ms
