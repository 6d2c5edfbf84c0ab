"""What can happen to a customer of the travel agency. Gaps are seconds of the demo."""

from typing import Any, Final

from app.demo.scene import Scene

_CURRENCY: Final = "EUR"
#: From the booking to the departure: for days there is no time.
_DEPARTS_IN_S: Final = 25.0


def trip_booked(scene: Scene) -> None:
    """From the plan to the ticket without a stop."""
    booking_id, fare = _plan(scene)
    _passengers(scene, booking_id)
    _seats(scene, booking_id)
    scene.wait(1, 3)
    departs_at = scene.instant_ms(_DEPARTS_IN_S)
    scene.say("booking_confirmed", booking_id=booking_id, departs_at=departs_at, **fare)


def trip_left_at_itinerary(scene: Scene) -> None:
    """A plan, and no more."""
    _plan(scene)


def trip_left_at_passengers(scene: Scene) -> None:
    """The names are there, the seats are not."""
    booking_id, _ = _plan(scene)
    _passengers(scene, booking_id)


def trip_left_at_seats(scene: Scene) -> None:
    """Window or aisle?"""
    booking_id, _ = _plan(scene)
    _passengers(scene, booking_id)
    _seats(scene, booking_id)


def trip_payment_failure(scene: Scene) -> None:
    """The card is declined; half of them try again, once they are reminded."""
    booking_id, fare = _plan(scene)
    _passengers(scene, booking_id)
    _seats(scene, booking_id)
    scene.wait(1, 2)
    scene.say("payment_failure", booking_id=booking_id, **fare)
    if scene.rng.random() < 0.5:
        scene.wait(8, 10)
        scene.say("booking_confirmed", booking_id=booking_id, **fare)


def trip_cancelled(scene: Scene) -> None:
    """Stays at home after all."""
    booking_id, _ = _plan(scene)
    scene.wait(2, 3)
    scene.say("booking_cancelled", booking_id=booking_id)


def trip_gets_cheaper(scene: Scene) -> None:
    """The fare drops for a plan that was left, twice, before the first message is forgotten."""
    booking_id, fare = _plan(scene)
    price = fare["value"]
    for _ in range(2):
        scene.wait(8, 10)
        prices: dict[str, Any] = {
            "old_price": price,
            "new_price": round(price * scene.rng.uniform(0.75, 0.9), 2),
        }
        scene.say("price_drop_detected", booking_id=booking_id, currency=_CURRENCY, **prices)
        price = prices["new_price"]


def _plan(scene: Scene) -> tuple[str, dict[str, Any]]:
    """A saved itinerary: its id, and the fare."""
    booking_id = scene.name("trip")
    fare: dict[str, Any] = {"value": round(scene.rng.uniform(90, 800), 2), "currency": _CURRENCY}
    scene.say("itinerary_saved", booking_id=booking_id, **fare)
    return booking_id, fare


def _passengers(scene: Scene, booking_id: str) -> None:
    scene.wait(1, 3)
    scene.say("passenger_details_added", booking_id=booking_id)


def _seats(scene: Scene, booking_id: str) -> None:
    scene.wait(1, 2)
    scene.say("seat_selection_pending", booking_id=booking_id)
