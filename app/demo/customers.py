"""The people of the demo: made up, with addresses that reach nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from enum import StrEnum
from random import Random
from string import ascii_uppercase
from typing import Any, Final

import msgspec

from app.demo.happening import EventBody, Happening
from app.demo.moment import LATE_NIGHT_ZONE, NIGHT_ZONE, PARTY_ZONE, date_years_before

_NAMES: Final = (
    "Aisha",
    "Alma",
    "Amara",
    "Anna",
    "Arjun",
    "Aroha",
    "Bruno",
    "Carla",
    "Chen",
    "Chloe",
    "Clara",
    "Daan",
    "David",
    "Diego",
    "Elena",
    "Elif",
    "Emil",
    "Emma",
    "Eva",
    "Femi",
    "Finn",
    "Freya",
    "Greta",
    "Hana",
    "Hugo",
    "Ines",
    "Iris",
    "Ivan",
    "Jack",
    "Jana",
    "Jonas",
    "Juan",
    "Kai",
    "Karim",
    "Lars",
    "Leila",
    "Lena",
    "Liam",
    "Lina",
    "Lucia",
    "Luis",
    "Lukas",
    "Maja",
    "Malik",
    "Marta",
    "Mateo",
    "Maya",
    "Mia",
    "Milan",
    "Mina",
    "Mira",
    "Nadia",
    "Nia",
    "Nina",
    "Noah",
    "Nora",
    "Olga",
    "Omar",
    "Oscar",
    "Paula",
    "Pavel",
    "Pedro",
    "Petra",
    "Priya",
    "Rafa",
    "Remi",
    "Rosa",
    "Sam",
    "Sara",
    "Sofia",
    "Sven",
    "Tariq",
    "Theo",
    "Tomas",
    "Uma",
    "Vera",
    "Viktor",
    "Wei",
    "Yara",
    "Yuki",
    "Zoe",
    "Zofia",
)
#: zone, locale, how many of a hundred
_PLACES: Final = (
    ("Europe/Berlin", "de-DE", 24),
    ("Europe/London", "en-GB", 22),
    ("Europe/Madrid", "es-ES", 16),
    ("America/New_York", "en-US", 20),
    ("America/Toronto", "en-CA", 12),
    (NIGHT_ZONE, "en-NZ", 3),
    (LATE_NIGHT_ZONE, "en-AU", 3),
)


class Role(StrEnum):
    """What a few of them are there for; the others are of the public."""

    BIRTHDAY = "birthday"
    MEMBER = "member"
    FIRST_YEAR = "first_year"
    NIGHT = "night"
    LATE_NIGHT = "late_night"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"
    PUBLIC = "public"


_CAST: Final = (
    Role.NIGHT,
    Role.BIRTHDAY,
    Role.LATE_NIGHT,
    Role.UNREACHABLE,
    Role.DECLINED,
    Role.BIRTHDAY,
    Role.MEMBER,
    Role.FIRST_YEAR,
    Role.NIGHT,
    Role.MEMBER,
    Role.FIRST_YEAR,
    Role.NIGHT,
)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One customer. ``profile`` is the data of their first ``profile_updated``.

    ``anniversary_ms`` is an instant on today's date a year ago: their first order, if they have
    the role for it.
    """

    customer_id: str
    #: first name and an initial: enough to tell them apart on a screen
    name: str
    role: Role
    profile: dict[str, Any]
    anniversary_ms: int


def make_people(seed: int, count: int, moment_ms: int) -> list[Person]:
    """The same for the same seed and moment: those with a role first, then the public."""
    rng = Random(f"{seed}|people")
    year_before_ms = _instant_on_date_ms(moment_ms)
    people = []
    for number in range(1, count + 1):
        role = _CAST[number - 1] if number <= len(_CAST) else Role.PUBLIC
        name = rng.choice(_NAMES)
        profile = _profile(rng, number, name)
        _fit(profile, role, moment_ms)
        people.append(
            Person(
                customer_id=f"c-{number:04d}",
                name=f"{name} {rng.choice(ascii_uppercase)}.",
                role=role,
                profile=profile,
                anniversary_ms=year_before_ms,
            )
        )
    return people


def registrations(people: list[Person], at_ms: int) -> Iterator[Happening]:
    """The profile of each, as the shop's customer system publishes it at the start."""
    for person in people:
        body = EventBody(
            event_id=f"{person.customer_id}-profile",
            type="profile_updated",
            occurred_ms=at_ms,
            data=person.profile,
        )
        yield Happening(at_ms=at_ms, topic="profiles", customer_id=person.customer_id, body=body)


def _profile(rng: Random, number: int, name: str) -> dict[str, Any]:
    weights = [weight for _, _, weight in _PLACES]
    zone, locale, _ = rng.choices(_PLACES, weights)[0]
    profile: dict[str, Any] = {
        "first_name": name,
        "email": f"{name.lower()}.{number}@example.com",
        "timezone": zone,
        "locale": locale,
        "birthday": f"{rng.randint(1950, 2005)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        "channels": rng.choice((["email"], ["push", "email"], ["push"], ["email", "sms"])),
        "consent": {"email": rng.random() < 0.94, "sms": rng.random() < 0.3},
        "attributes": {"tier": rng.choice(("basic", "basic", "silver", "gold"))},
    }
    if rng.random() < 0.6:
        profile["push_token"] = f"demo-device-{number:04d}"
    if rng.random() < 0.4:
        # a range kept free for fiction
        profile["phone"] = f"+447700900{number % 1000:03d}"
    return profile


def _fit(profile: dict[str, Any], role: Role, moment_ms: int) -> None:
    """Make the profile what the role needs."""
    match role:
        case Role.BIRTHDAY:
            _celebrate(profile)
            profile["birthday"] = date_years_before(moment_ms, PARTY_ZONE, 31).isoformat()
        case Role.MEMBER:
            _celebrate(profile)
            since = date_years_before(moment_ms, PARTY_ZONE, 3).isoformat()
            profile["attributes"]["loyalty_since"] = since
        case Role.FIRST_YEAR:
            _celebrate(profile)
        case Role.NIGHT | Role.LATE_NIGHT:
            profile["timezone"] = NIGHT_ZONE if role is Role.NIGHT else LATE_NIGHT_ZONE
            profile["locale"] = "en-NZ" if role is Role.NIGHT else "en-AU"
            profile["push_token"] = f"demo-device-{profile['first_name'].lower()}"
            profile["channels"] = ["push"]
            profile["consent"] = {"email": False, "push": True}
        case Role.UNREACHABLE:
            for field in ("email", "phone", "push_token"):
                profile.pop(field, None)
        case Role.DECLINED:
            profile["consent"] = {"email": False, "push": False, "sms": False}
        case Role.PUBLIC:
            pass


def _celebrate(profile: dict[str, Any]) -> None:
    profile |= {
        "timezone": PARTY_ZONE,
        "locale": "de-DE",
        "channels": ["email"],
        "consent": {"email": True},
    }


def _instant_on_date_ms(moment_ms: int) -> int:
    """A year before the moment, to the day in PARTY_ZONE."""
    day = date_years_before(moment_ms, PARTY_ZONE, 1)
    # 11:00 UTC falls on the same date in Berlin, in summer and in winter
    return int(datetime.combine(day, time(11), UTC).timestamp() * 1000)
