"""One customer's thread of the story: a clock that moves on, and what happens along it."""

from random import Random
from typing import Any, Final

from app.core.events import TYPES
from app.demo.customers import Person
from app.demo.happening import EventBody, Happening

#: event type -> topic; the last is declared by the rules that ship
_TOPIC: Final = {
    **{name: topic for topic, names in TYPES.items() for name in names},
    "product_restocked": "orders",
}
#: sku, category, price
_GOODS: Final = (
    ("tea-tin", "kitchen", 9.5),
    ("mug-blue", "kitchen", 14.0),
    ("socks-wool", "clothes", 12.9),
    ("lamp-desk", "home", 39.0),
    ("bag-canvas", "clothes", 45.0),
    ("kettle", "kitchen", 59.9),
    ("shoes-trail", "sport", 119.0),
    ("coat-rain", "clothes", 139.0),
)
_TREASURES: Final = (
    ("bike-city", "sport", 649.0),
    ("camera-mirrorless", "photo", 899.0),
    ("coffee-machine", "kitchen", 319.0),
    ("headphones", "audio", 249.0),
)

Goods = tuple[str, str, float]


class Scene:
    """Happenings of one person, from ``at_ms`` on. Ids are counted: they do not depend on time."""

    def __init__(self, person: Person, at_ms: int, rng: Random) -> None:
        self.person = person
        self.rng = rng
        self.happenings: list[Happening] = []
        #: who does what follows: the person, or the guest who they are until they log in
        self.customer_id = person.customer_id
        self._at_ms = at_ms
        self._ids = 0

    def wait(self, least_s: float, most_s: float | None = None) -> None:
        """Some time passes, drawn between the two."""
        seconds = least_s if most_s is None else self.rng.uniform(least_s, most_s)
        self._at_ms += round(seconds * 1000)

    def instant_ms(self, in_s: float) -> int:
        """The instant in so many seconds, epoch ms."""
        return self._at_ms + round(in_s * 1000)

    def say(
        self,
        event_type: str,
        *,
        late_s: float = 0.0,
        occurred_ms: int | None = None,
        **data: Any,
    ) -> Happening:
        """An event now, heard of ``late_s`` later; or one of long ago."""
        self._ids += 1
        body = EventBody(
            event_id=f"{self.person.customer_id}-{self._ids:02d}",
            type=event_type,
            occurred_ms=self._at_ms if occurred_ms is None else occurred_ms,
            data=data,
        )
        return self._publish(_TOPIC[event_type], body, late_s)

    def repeat(self, happening: Happening) -> None:
        """The publisher retries: the same record again, a little later."""
        self._publish(happening.topic, happening.body, 0.4)

    def garble(self, topic: str, value: bytes) -> None:
        """A record that is no event."""
        self._publish(topic, value, 0.0)

    def vanish(self) -> None:
        """The customer asks to be forgotten."""
        self._publish("profiles", None, 0.0)

    def _publish(self, topic: str, body: EventBody | bytes | None, late_s: float) -> Happening:
        happening = Happening(
            at_ms=self._at_ms + round(late_s * 1000),
            topic=topic,
            customer_id=self.customer_id,
            body=body,
        )
        self.happenings.append(happening)
        return happening

    def name(self, kind: str) -> str:
        """An id for a new cart, order or booking of this person."""
        self._ids += 1
        return f"{kind}-{self.person.customer_id[2:]}-{self._ids:02d}"

    def some_goods(self) -> Goods:
        """Something one buys without much thought."""
        return self.rng.choice(_GOODS)

    def shelf(self) -> list[Goods]:
        """Three things of one category."""
        return [goods for goods in _GOODS if goods[1] == "kitchen"]

    def treasure(self) -> Goods:
        """Something one looks at more than once."""
        return self.rng.choice(_TREASURES)
