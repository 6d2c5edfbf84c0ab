"""What can happen to a customer of the shop. Gaps are seconds of the demo: see ``demo.rules``."""

from typing import Any, Final

from app.demo.scene import Goods, Scene

_CURRENCY: Final = "EUR"


def window_shopping(scene: Scene) -> None:
    """Looks around and goes."""
    for _ in range(scene.rng.randint(1, 3)):
        _view(scene, scene.some_goods())
        scene.wait(0.5, 2)


def costly_interest(scene: Scene) -> None:
    """Comes back to the same costly thing until it counts as interest."""
    goods = scene.treasure()
    for _ in range(3):
        _view(scene, goods)
        scene.wait(0.8, 2)


def category_browsed(scene: Scene) -> None:
    """Looks at all that there is for the kitchen."""
    for goods in scene.shelf():
        _view(scene, goods)
        scene.wait(0.8, 2)


def back_in_stock(scene: Scene) -> None:
    """Looks at what is sold out, and it comes in again."""
    goods = scene.some_goods()
    _view(scene, goods)
    scene.wait(5, 8)
    scene.say("product_restocked", sku=goods[0])


def guest_logs_in(scene: Scene) -> None:
    """Fills a cart as a guest, then logs in: the reminder goes to the address of the customer."""
    member = scene.customer_id
    scene.customer_id = f"guest-{member}"
    costly_cart_left(scene)
    scene.wait(1.5, 2.5)
    scene.say("customer_merged", into=member)
    scene.customer_id = member


def cart_left(scene: Scene) -> None:
    """Fills a cart, changes it once, and goes."""
    cart_id = scene.name("cart")
    goods = scene.some_goods()
    _view(scene, goods)
    scene.wait(0.5, 1.5)
    _fill(scene, cart_id, [goods])
    if scene.rng.random() < 0.5:
        scene.wait(0.5, 1.5)
        _fill(scene, cart_id, [goods, scene.some_goods()])


def costly_cart_left(scene: Scene) -> None:
    """Leaves something that is surely worth a reminder."""
    _fill(scene, scene.name("cart"), [scene.treasure()])


def two_carts_left(scene: Scene) -> None:
    """Leaves a second cart while the first one's reminder is still fresh."""
    for _ in range(2):
        _fill(scene, scene.name("cart"), [scene.treasure()])
        scene.wait(7, 8)


def cart_emptied(scene: Scene) -> None:
    """Thinks again before the reminder is due."""
    cart_id = scene.name("cart")
    _fill(scene, cart_id, [scene.treasure()])
    scene.wait(2, 3)
    scene.say("cart_emptied", cart_id=cart_id)


def checkout_left(scene: Scene) -> None:
    """Goes as far as the address form."""
    cart_id = scene.name("cart")
    value = _fill(scene, cart_id, [scene.some_goods(), scene.treasure()])
    scene.wait(1, 2)
    scene.say("checkout_started", cart_id=cart_id, **_money(value))


def purchase(scene: Scene) -> None:
    """Buys, pays and gets it."""
    order_id = _order(scene, [scene.some_goods(), scene.some_goods()])
    _deliver(scene, order_id)


def purchase_reviewed(scene: Scene) -> None:
    """Says what they think of it before anybody asks."""
    order_id = _order(scene, [scene.some_goods()])
    _deliver(scene, order_id)
    scene.wait(4, 6)
    scene.say("review_completed", order_id=order_id, score=scene.rng.randint(3, 5))


def purchase_refunded(scene: Scene) -> None:
    """It does not fit."""
    order_id = _order(scene, [scene.some_goods()])
    _deliver(scene, order_id)
    scene.wait(3, 5)
    scene.say("support_contacted", order_id=order_id)
    scene.say("refund_requested", order_id=order_id)


def late_purchase(scene: Scene) -> None:
    """Buys within the time the reminder waits, but the till's event comes after it was sent."""
    cart_id = scene.name("cart")
    goods = scene.treasure()
    value = _fill(scene, cart_id, [goods])
    scene.wait(3.5)
    order_id = scene.name("order")
    scene.say("order_placed", late_s=6, order_id=order_id, cart_id=cart_id, **_money(value))


def card_declined(scene: Scene) -> None:
    """The second card works."""
    order_id = _order(scene, [scene.treasure()], is_paid=False)
    scene.wait(0.5, 1)
    scene.say("payment_failed", order_id=order_id)
    scene.wait(2, 4)
    scene.say("payment_verified", order_id=order_id)


def regular(scene: Scene) -> None:
    """Orders a second time."""
    for _ in range(2):
        _deliver(scene, _order(scene, [scene.some_goods()]))
        scene.wait(3, 5)


def fifth_order(scene: Scene) -> None:
    """Buys small things one after the other."""
    for _ in range(5):
        _order(scene, [scene.some_goods()])
        scene.wait(1.5, 2.5)


def big_spender(scene: Scene) -> None:
    """Over a thousand at once: several milestones compete for two places a day."""
    _order(scene, [scene.treasure() for _ in range(3)] + [("bike-cargo", "sport", 1990.0)])


def newsletter(scene: Scene) -> None:
    """Subscribes, and looks at everything."""
    scene.say("subscribed", channel="email")
    scene.wait(4, 6)
    scene.say("onboarding_completed")


def unsubscribed(scene: Scene) -> None:
    """Wants no messages, and leaves a cart."""
    scene.say("unsubscribed")
    scene.wait(0.5, 1)
    costly_cart_left(scene)


def consent_withdrawn(scene: Scene) -> None:
    """Unticks the boxes in the profile, and leaves a cart."""
    scene.say("profile_updated", consent={"email": False, "push": False, "sms": False})
    scene.wait(0.5, 1)
    costly_cart_left(scene)


def bad_address(scene: Scene) -> None:
    """The mail server says that nobody of this name lives there."""
    scene.say("message_bounced", channel="email", hard=True)
    scene.wait(0.5, 1)
    costly_cart_left(scene)


def forgotten(scene: Scene) -> None:
    """Leaves a cart, then asks the shop to delete everything: no reminder comes."""
    costly_cart_left(scene)
    scene.wait(2, 3)
    scene.vanish()


def broken_publisher(scene: Scene) -> None:
    """A release of the shop that sends half a record, and a cart without its id."""
    customer_id = scene.person.customer_id
    scene.garble("orders", b'{"event_id": "%b-half", "type": "cart_upd' % customer_id.encode())
    scene.wait(1)
    scene.say("cart_updated", **_money(80.0))


def impatient_publisher(scene: Scene) -> None:
    """A publisher that retries: everything comes twice, and counts once."""
    cart_left(scene)
    for happening in list(scene.happenings):
        scene.repeat(happening)


def a_year_with_us(scene: Scene) -> None:
    """The first order was a year ago today; the shop publishes it from its archive."""
    scene.say(
        "order_placed",
        occurred_ms=scene.person.anniversary_ms,
        order_id=scene.name("order"),
        **_money(64.0),
    )


def _view(scene: Scene, goods: Goods) -> None:
    sku, category, price = goods
    session_id = f"session-{scene.person.customer_id}"
    scene.say("product_viewed", sku=sku, category=category, price=price, session_id=session_id)


def _fill(scene: Scene, cart_id: str, goods: list[Goods]) -> float:
    """The cart as it is now; what it is worth."""
    value = round(sum(price for _, _, price in goods), 2)
    items = [{"sku": sku, "price": price} for sku, _, price in goods]
    scene.say("cart_updated", cart_id=cart_id, items=items, **_money(value))
    return value


def _order(scene: Scene, goods: list[Goods], *, is_paid: bool = True) -> str:
    """From the cart to the order; its id."""
    cart_id, order_id = scene.name("cart"), scene.name("order")
    value = _fill(scene, cart_id, goods)
    scene.wait(0.5, 1)
    scene.say("checkout_started", cart_id=cart_id, **_money(value))
    scene.wait(0.5, 1)
    scene.say(
        "order_placed",
        order_id=order_id,
        cart_id=cart_id,
        margin=round(value * 0.3, 2),
        **_money(value),
    )
    if is_paid:
        scene.wait(0.3, 0.8)
        scene.say("payment_verified", order_id=order_id)
    return order_id


def _deliver(scene: Scene, order_id: str) -> None:
    for step in ("item_packed", "shipped"):
        scene.wait(1.5, 3)
        scene.say(step, order_id=order_id)
    scene.wait(2, 3.5)
    scene.say("delivered", order_id=order_id, on_time=scene.rng.random() < 0.9)


def _money(value: float) -> dict[str, Any]:
    return {"value": value, "currency": _CURRENCY}
