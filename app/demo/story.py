"""Who lives through what, and when: the whole story in the order in which it is published."""

from collections.abc import Callable
from random import Random
from typing import Final

from app.demo import shop_plots as shop
from app.demo import travel_plots as travel
from app.demo.customers import Person, Role
from app.demo.happening import Happening
from app.demo.scene import Scene

Plot = Callable[[Scene], None]

#: How often each happens among the public, in parts; a part is about one of a hundred.
_PLOTS: Final[tuple[tuple[Plot, int], ...]] = (
    (shop.cart_left, 14),
    (shop.window_shopping, 8),
    (shop.purchase, 8),
    (shop.costly_interest, 7),
    (shop.checkout_left, 7),
    (shop.newsletter, 5),
    (travel.trip_gets_cheaper, 5),
    (shop.two_carts_left, 4),
    (shop.late_purchase, 4),
    (travel.trip_booked, 4),
    (travel.trip_left_at_itinerary, 3),
    (travel.trip_left_at_passengers, 3),
    (travel.trip_left_at_seats, 2),
    (travel.trip_payment_failure, 3),
    (shop.cart_emptied, 3),
    (shop.guest_logs_in, 3),
    (shop.category_browsed, 3),
    (shop.back_in_stock, 3),
    (shop.big_spender, 3),
    (shop.fifth_order, 2),
    (shop.regular, 2),
    (shop.purchase_reviewed, 2),
    (shop.purchase_refunded, 2),
    (shop.card_declined, 2),
    (shop.unsubscribed, 2),
    (shop.consent_withdrawn, 2),
    (shop.bad_address, 2),
    (shop.impatient_publisher, 2),
    (travel.trip_cancelled, 1),
    (shop.forgotten, 1),
    (shop.broken_publisher, 1),
)
_ROLE_PLOTS: Final[dict[Role, Plot]] = {
    Role.BIRTHDAY: shop.window_shopping,
    Role.MEMBER: shop.window_shopping,
    Role.FIRST_YEAR: shop.a_year_with_us,
    Role.NIGHT: shop.costly_cart_left,
    Role.LATE_NIGHT: shop.costly_cart_left,
    Role.UNREACHABLE: shop.costly_cart_left,
    Role.DECLINED: shop.costly_cart_left,
}
#: Customers with a role come in one after the other at the start, so far apart.
_ROLE_GAP_MS: Final = 400
#: The public comes in over this share of the story: what they do has time to have its effect.
_ENTRANCES: Final = 0.75


def tell(people: list[Person], seed: int, start_ms: int, seconds: float) -> list[Happening]:
    """All that is published from ``start_ms`` on for ``seconds``, in that order.

    The same for the same arguments; with another start the same things happen at other times.
    """
    end_ms = start_ms + round(seconds * 1000)
    happenings: list[Happening] = []
    cast = [person for person in people if person.role is not Role.PUBLIC]
    for index, person in enumerate(cast):
        scene = Scene(person, start_ms + (index + 1) * _ROLE_GAP_MS, _rng(seed, person))
        _ROLE_PLOTS[person.role](scene)
        happenings += scene.happenings
    public = [person for person in people if person.role is Role.PUBLIC]
    span_ms = seconds * 1000 * _ENTRANCES
    for index, (person, plot) in enumerate(zip(public, _deal(len(public)), strict=True)):
        scene = Scene(person, start_ms + round(span_ms * index / len(public)), _rng(seed, person))
        scene.wait(0, 0.5)
        plot(scene)
        happenings += scene.happenings
    happenings.sort(key=lambda happening: happening.at_ms)
    return [happening for happening in happenings if happening.at_ms < end_ms]


def _deal(count: int) -> list[Plot]:
    """A plot for each of ``count`` people, every kind spread evenly: the rare ones too come early
    enough to be seen.
    """
    parts = sum(weight for _, weight in _PLOTS)
    places = []
    for plot, weight in _PLOTS:
        share = max(1, round(weight * count / parts))
        places += [((turn + 0.5) / share, plot) for turn in range(share)]
    places.sort(key=lambda place: place[0])
    plots = [plot for _, plot in places[:count]]
    return plots + [shop.window_shopping] * (count - len(plots))


def _rng(seed: int, person: Person) -> Random:
    return Random(f"{seed}|{person.customer_id}")
