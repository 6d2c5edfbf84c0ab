"""Finding customers of a worker: what is found, how far it reads, and who may ask."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from app.core.customer.codec import WithProfile
from app.core.customer.record import Customer
from app.live.customer_snapshot import OwnedElsewhere, Recovering
from app.live.web.customer_search import (
    FIND_PATH,
    MAX_FOUND,
    Place,
    SearchedPartitions,
    SearchRoute,
    search,
)
from app.settings.parsers import Secret
from tables import records
from tests.unit.live.web.test_routes import TOKEN

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def known(customer_id: str, email: str) -> WithProfile:
    """What is read of a customer with this address."""
    customer = Customer(customer_id, profile={"email": email})
    return records.decode_profile(records.encode(customer))


class SearchedWorker:
    """Has partitions 0 and 2 with so many customers each; 1 is elsewhere, 3 being recovered."""

    addresses = frozenset({"email", "phone"})

    def __init__(self, customers: int = 3) -> None:
        ids = [f"c{number:05}" for number in range(customers)]
        self.customers = {
            number: [known(each, f"{each}.{number}@example.org") for each in ids]
            for number in (0, 2)
        }

    @property
    def numbers(self) -> Sequence[int]:
        return sorted(self.customers)

    def profiles_after(
        self, partition: int, customer_id: str, limit: int
    ) -> tuple[list[WithProfile], str | None] | None:
        if partition not in self.customers:
            return None
        later = [each for each in self.customers[partition] if each.customer_id > customer_id]
        read = later[:limit]
        return read, read[-1].customer_id if len(read) == limit else None

    def others(self) -> list[OwnedElsewhere | Recovering]:
        return [OwnedElsewhere(1, "http://other:6066"), Recovering(3)]


def find(
    *bodies: object, token: str | None = TOKEN, headers: dict[str, str] = HEADERS
) -> list[tuple[int, Any]]:
    """Status and JSON of the answers to POSTs that come at once."""

    async def go() -> list[tuple[int, Any]]:
        app = web.Application()
        app.add_routes(SearchRoute(SearchedWorker(), Secret(token) if token else None).routes())

        async def post(client: TestClient[Any, Any], body: object) -> tuple[int, Any]:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            async with client.post(FIND_PATH, data=data, headers=headers) as answer:
                return answer.status, await answer.json()

        async with TestClient(TestServer(app)) as client:
            return list(await asyncio.gather(*(post(client, body) for body in bodies)))

    return asyncio.run(go())


def test_a_part_of_an_address_finds_customers_of_all_partitions() -> None:
    """With the field; its value when personal data is asked for; and where the others are."""
    ((status, answer),) = find({"text": "C00001."})
    assert status == 200
    match = {"customer_id": "c00001", "field": "email"}
    assert answer == {
        "found": [match, match],
        "searched": 6,
        "next": None,
        "other_workers": ["http://other:6066"],
        "not_searched": [3],
    }
    ((_, answer),) = find({"text": "c00001.2", "show_personal": True})
    assert answer["found"] == [match | {"value": "c00001.2@example.org"}]
    ((_, answer),) = find({"text": "c00001", "after": {"partition": 1}})
    assert answer["found"] == [{"customer_id": "c00001", "field": "id"}]


def test_only_clients_with_the_token_may_search() -> None:
    """Also for ids, since a match of an address says that its owner is a customer."""
    assert find({"text": "c"}, token=None)[0][0] == 403
    assert find({"text": "c"}, headers={})[0][0] == 401
    assert find({"text": "c"}, headers={"Authorization": "Bearer guess"})[0][0] == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({}, 400),
        ({"text": " "}, 400),
        ({"text": "a" * 201}, 400),
        ({"text": "a", "more": 1}, 400),
        ({"text": "a", "after": {"partition": -1}}, 400),
        (b" " * 5000, 413),
    ],
)
def test_wrong_requests_are_refused_in_words(body: object, status: int) -> None:
    """The answer's error says what was expected."""
    ((got, answer),) = find(body)
    assert got == status
    assert "expected" in answer["error"].lower()


def test_requests_go_on_where_the_one_before_ended() -> None:
    """Without time left each reads one portion; together they find everybody once."""

    async def go(worker: SearchedPartitions) -> tuple[list[str], int]:
        found: list[str] = []
        requests = 0
        after: Place | None = Place()
        while after is not None:
            searched = await search(worker, "9.", after, search_s=0)
            found += [customer.customer_id for customer, _ in searched.matches]
            requests += 1
            after = searched.next
        return found, requests

    found, requests = asyncio.run(go(SearchedWorker(1000)))
    expected = [f"c{number:05}" for number in range(1000) if number % 10 == 9]
    assert found == expected * 2
    assert requests > 10


def test_a_search_ends_when_enough_are_found() -> None:
    """And says where to go on."""
    searched = asyncio.run(search(SearchedWorker(1000), "example", Place()))
    assert MAX_FOUND <= len(searched.matches) <= 2 * MAX_FOUND
    assert searched.next == Place(0, searched.matches[-1][0].customer_id)


def test_a_partition_that_leaves_during_a_search_is_passed_over() -> None:
    """It is among the others then."""
    worker = SearchedWorker()

    def leave(partition: int, customer_id: str, limit: int) -> None:
        worker.customers.clear()

    worker.profiles_after = leave  # type: ignore[method-assign]
    searched = asyncio.run(search(worker, "c", Place()))
    assert (searched.matches, searched.next) == ([], None)
