"""Finding customers of a running worker by a part of their id, name or address.

There is no index for it: the worker's own records are read, in small portions with pauses, so that
deciding goes on. One request reads for a bounded time and says where the next one goes on.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from app.core.customer.codec import WithProfile
from app.core.events import MAX_CUSTOMER_ID_CHARS
from app.explain.narrowing import find_customers
from app.live.customer_snapshot import OwnedElsewhere, Recovering
from app.live.web.answers import private, refusal, refused_without_token
from app.settings.parsers import Secret

_log: Final = logging.getLogger(__name__)

FIND_PATH: Final = "/find"
#: A request finds so many at the most.
MAX_FOUND: Final = 50
#: A request reads for so long at the most, pauses counted in.
SEARCH_S: Final = 5.0
#: Records that are read in one go: a millisecond's work.
_PORTION: Final = 100
#: A pause is so many times as long as the portion before it.
_PAUSE: Final = 3
_MAX_BODY_BYTES: Final = 4096


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a search goes on: after this customer of this partition."""

    partition: Annotated[int, Meta(ge=0)] = 0
    customer_id: Annotated[str, Meta(max_length=MAX_CUSTOMER_ID_CHARS)] = ""


class SearchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends, as JSON: in the body, because logs of proxies hold addresses."""

    text: Annotated[str, Meta(min_length=1, max_length=200)]
    show_personal: bool = False
    after: Place = Place()


class Searched(msgspec.Struct, frozen=True):
    """Matches with the field that matched, how many records were read, and where to go on."""

    matches: Sequence[tuple[WithProfile, str]]
    count: int
    #: None: all was read
    next: Place | None


class SearchedPartitions(Protocol):
    """The partitions of a worker, whose customers are searched."""

    @property
    def numbers(self) -> Sequence[int]:
        """Those that it works on, in order."""

    @property
    def addresses(self) -> frozenset[str]:
        """Profile fields with addresses."""

    def profiles_after(
        self, partition: int, customer_id: str, limit: int
    ) -> tuple[list[WithProfile], str | None] | None:
        """The next customers, and after which it goes on; None: not this worker's any more."""

    def others(self) -> list[OwnedElsewhere | Recovering]:
        """Where the other partitions are."""


async def search(
    partitions: SearchedPartitions, text: str, after: Place, *, search_s: float = SEARCH_S
) -> Searched:
    """Read customers from ``after`` on until enough are found or time is over.

    At least one portion is read, so that repeated requests come to the end.
    """
    ends = time.monotonic() + search_s
    matches: list[tuple[WithProfile, str]] = []
    count = 0
    for number in [each for each in partitions.numbers if each >= after.partition]:
        customer_id: str | None = after.customer_id if number == after.partition else ""
        while customer_id is not None:
            started = time.monotonic()
            read = partitions.profiles_after(number, customer_id, _PORTION)
            if read is None:
                break
            customers, customer_id = read
            matches += find_customers(customers, text, partitions.addresses)
            count += len(customers)
            following = Place(number + 1) if customer_id is None else Place(number, customer_id)
            if len(matches) >= MAX_FOUND or time.monotonic() >= ends:
                return Searched(matches, count, following)
            await asyncio.sleep((time.monotonic() - started) * _PAUSE)
    return Searched(matches, count, None)


class SearchRoute:
    """Answers ``POST /find``, one request at a time, for clients that have the token."""

    def __init__(self, partitions: SearchedPartitions, token: Secret | None) -> None:
        self._partitions = partitions
        self._token = token
        self._is_searching = False

    def routes(self) -> list[web.RouteDef]:
        """For the web server."""
        return [web.post(FIND_PATH, self._find)]

    async def _find(self, request: web.Request) -> web.Response:
        refused = refused_without_token(request, self._token)
        if refused is not None:
            return refused
        if (request.content_length or 0) > _MAX_BODY_BYTES:
            return refusal(413, f"expected {_MAX_BODY_BYTES} bytes at the most")
        try:
            asked = msgspec.json.decode(await request.read(), type=SearchRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            return refusal(400, f'expected JSON like {{"text": "ann@"}}: {exc}')
        if not asked.text.strip():
            return refusal(400, "text: expected more than spaces")
        if self._is_searching:
            return refusal(503, "another search runs; try again", {"Retry-After": "2"})
        self._is_searching = True
        try:
            found = await search(self._partitions, asked.text, asked.after)
        finally:
            self._is_searching = False
        _log.info(
            "customers searched",
            extra={"action": "find", "records": found.count, "found": len(found.matches)},
        )
        return private(_written(found, self._partitions.others(), asked), "application/json")


def _written(
    found: Searched, others: Sequence[OwnedElsewhere | Recovering], asked: SearchRequest
) -> str:
    matches = []
    for customer, field in found.matches:
        match: dict[str, Any] = {"customer_id": customer.customer_id, "field": field}
        if asked.show_personal and field != "id":
            match["value"] = customer.profile[field]
        matches.append(match)
    urls = {one.url for one in others if isinstance(one, OwnedElsewhere) and one.url is not None}
    unknown = [one.partition for one in others if isinstance(one, Recovering) or one.url is None]
    answer = {
        "found": matches,
        "searched": found.count,
        "next": found.next
        and {"partition": found.next.partition, "customer_id": found.next.customer_id},
        "other_workers": sorted(urls),
        "not_searched": unknown,
    }
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n"
