"""What the worker's web server answers about a customer; the worker itself is a stand-in."""

import asyncio
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from app.core.errors import InfrastructureError
from app.core.rules.model import Rules
from app.explain.written import explanation_json, explanation_text
from app.live.customer_snapshot import CustomerSnapshot, OwnedElsewhere, Recovering
from app.live.web.customer_lookup import LiveExplanations
from app.live.web.recent_decisions import RecentDecisions
from app.live.web.routes import ExplainRoutes
from app.rules_file.load import parse_rules
from app.settings.parsers import Secret
from tests.unit.explain.test_explain import HOUR, RULES, T0, explained, replayed

TOKEN = "a token that nobody guesses"  # noqa: S105 - it guards nothing
NOW_MS = T0 + round(21.5 * HOUR)
#: Ids that a careless server would stumble over; each has Ann's record.
ODD_IDS = ["a/b", "a?b#c", "a%2Fb", "{ann}", "..", "Zoë 李", "<b>&\"'", "a\r\nX: y", "a" * 256]


class OneWorker:
    """Has partition 0 with Ann and the odd ones; the first letter says where others are."""

    def __init__(self) -> None:
        self.rules: Rules = parse_rules(RULES.encode())
        self.fails = False
        self.asked: list[int] = []

    def partition_of(self, customer_id: str) -> int:
        return {"else": 1, "lost": 2, "soon": 3}.get(customer_id, 0)

    def snapshot(self, partition: int, customer_id: str) -> CustomerSnapshot | None:
        if partition:
            return None
        customer, _ = replayed()
        customer.customer_id = customer_id
        known = customer_id == "ann" or customer_id in ODD_IDS
        return CustomerSnapshot(customer if known else None, self.rules, NOW_MS)

    def owner(self, partition: int) -> OwnedElsewhere | Recovering:
        if partition == 3:
            return Recovering(3)
        return OwnedElsewhere(partition, "http://other:6066" if partition == 1 else None)

    def read(self, customer_id: str, partition: int, wanted: int) -> RecentDecisions:
        if self.fails:
            raise InfrastructureError("Kafka is away")
        self.asked.append(wanted)
        _, decisions = replayed()
        return RecentDecisions([orjson.dumps(each) for each in decisions], None)


class Answered:
    """Status, headers and text of an answer."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status, self.headers, self.text = status, headers, text

    @property
    def error(self) -> str:
        return str(orjson.loads(self.text)["error"])


def ask(
    *paths: str, token: str | None = TOKEN, given: str | None = None, worker: Any = None
) -> list[Answered]:
    """The answers to GETs one after the other; redirects are not followed."""

    async def go() -> list[Answered]:
        one = worker or OneWorker()
        explanations = LiveExplanations(one, one.read)
        app = web.Application()
        app.add_routes(ExplainRoutes(explanations, Secret(token) if token else None).routes())
        headers = {"Authorization": given} if given is not None else {}
        answers = []
        async with TestClient(TestServer(app)) as client:
            for path in paths:
                async with client.get(
                    URL(path, encoded=True), headers=headers, allow_redirects=False
                ) as answer:
                    answers.append(Answered(answer.status, answer.headers, await answer.text()))
        return answers

    return asyncio.run(go())


def test_json_and_text_are_those_of_the_command() -> None:
    """The same functions write them; caches are told not to store them."""
    as_json, as_text = ask("/explain/ann", "/explain/ann?format=text")
    assert (as_json.status, as_text.status) == (200, 200)
    assert orjson.loads(as_json.text) == explanation_json(explained())
    assert as_text.text == explanation_text(explained())
    assert as_json.headers["Cache-Control"] == "no-store"
    assert as_json.headers["X-Content-Type-Options"] == "nosniff"


def test_so_many_decisions_as_asked_for() -> None:
    """Bounded, and no more are read from Kafka."""
    worker = OneWorker()
    (answer,) = ask("/explain/ann?last=1", worker=worker)
    assert len(orjson.loads(answer.text)["decisions"]) == 1
    assert worker.asked == [1]


PERSONAL = ("ann@example.com", "Ann", "+43123", "1990-05-06", "gold")


def test_personal_data_needs_the_token() -> None:
    """Whole and exact; and it is not enough to have it, it must be asked for."""
    path = "/explain/ann?show_personal=1"
    (shown,) = ask(path, given=f"Bearer {TOKEN}")
    assert all(secret in shown.text for secret in PERSONAL)
    for scheme in ("bearer", "BEARER"):
        (shown,) = ask(path, given=f"{scheme} {TOKEN}")
        assert shown.status == 200
    (not_asked,) = ask("/explain/ann", given=f"Bearer {TOKEN}")
    assert not any(secret in not_asked.text for secret in PERSONAL)
    for given in (
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        "Bearer \u00e9",
    ):
        (refused,) = ask(path, given=given)
        # the protocol takes white space at the end of a header away
        if given == f"Bearer {TOKEN} ":
            continue
        assert refused.status == 401, given
        assert "WWW-Authenticate" in refused.headers
        assert not any(secret in refused.text for secret in PERSONAL)


@pytest.mark.parametrize("given", [None, "Bearer ", "Bearer None", "Bearer"])
def test_without_a_configured_token_no_personal_data_is_shown(given: str | None) -> None:
    """Any token is refused with 403."""
    (refused,) = ask("/explain/ann?show_personal=1", token=None, given=given)
    assert refused.status == 403
    assert "TRIGGER_WEB_TOKEN" in refused.error


def test_other_workers_customers() -> None:
    """A redirect to where it is known, 421 where it is not, 503 while it is being recovered."""
    there, lost, soon = ask(
        "/explain/else?last=3&format=text", "/explain/lost", "/explain/soon?last=2"
    )
    assert there.status == 307
    assert there.headers["Location"] == "http://other:6066/explain/else?last=3&format=text"
    assert lost.status == 421
    assert orjson.loads(lost.text)["partition"] == 2
    assert soon.status == 503
    assert soon.headers["Retry-After"] == "2"


def test_odd_ids_are_found_under_their_escaped_names() -> None:
    """Ids with slashes, quotes, spaces and non-ASCII letters."""
    paths = [f"/explain/{quote(each, safe='') if each != '..' else '%2E%2E'}" for each in ODD_IDS]
    answers = dict(zip(ODD_IDS, ask(*paths), strict=True))
    del answers[".."]  # every client takes it for the folder above
    for customer_id, answer in answers.items():
        assert answer.status == 200, customer_id
        assert orjson.loads(answer.text)["customer_id"] == customer_id


def test_errors_are_reported_to_the_client() -> None:
    """With the status that fits, and no trace of a stack."""
    wrong = [
        ("/explain/bob", 404),
        ("/explain/" + "a" * 257, 400),
        ("/explain/ann?last=-1", 400),
        ("/explain/ann?last=201", 400),
        ("/explain/ann?last=%D9%A1", 400),
        ("/explain/ann?format=xml", 400),
        ("/explain/ann?trigger=none", 400),
        ("/explain/ann?trigger=", 400),
        ("/explain/ann?since=now", 400),
        ("/explain/ann?since=", 400),
        ("/explain/ann?show_personal=yes", 400),
        ("/explain/", 404),
    ]
    for (path, status), answer in zip(wrong, ask(*(path for path, _ in wrong)), strict=True):
        assert answer.status == status, path
        assert "Traceback" not in answer.text


def test_a_kafka_that_is_away_is_503(caplog: pytest.LogCaptureFixture) -> None:
    """The worker has the same trouble and says so elsewhere."""
    worker = OneWorker()
    worker.fails = True
    (answer,) = ask("/explain/ann", worker=worker)
    assert answer.status == 503
    assert "Kafka" in answer.error
    (line,) = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert line.exc_info is None
