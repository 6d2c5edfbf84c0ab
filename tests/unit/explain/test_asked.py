"""``triggers explain`` against a worker's web server; the worker behind it is a stand-in."""

import asyncio
import threading
from collections.abc import Iterable, Iterator

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.cli import main
from app.explain.page import customer_page
from app.explain.written import explanation_text
from app.live.customer_snapshot import OwnedElsewhere, Recovering
from app.live.web.customer_lookup import LiveExplanations
from app.live.web.customer_search import SearchRoute
from app.live.web.routes import ExplainRoutes
from app.settings.parsers import Secret
from tests.unit.explain.test_explain import explained
from tests.unit.live.web.test_customer_search import SearchedWorker
from tests.unit.live.web.test_routes import TOKEN, OneWorker


class Served:
    """Workers that serve from a thread of their own, each with its address."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[TestServer] = []

    def add(self, worker: OneWorker) -> str:
        """Its URL."""
        return self._serve(
            ExplainRoutes(LiveExplanations(worker, worker.read), Secret(TOKEN)).routes()
        )

    def add_searched(self, worker: SearchedWorker) -> str:
        """The URL of one that can be searched."""
        return self._serve(SearchRoute(worker, Secret(TOKEN)).routes())

    def _serve(self, routes: Iterable[web.RouteDef]) -> str:
        async def go() -> str:
            app = web.Application()
            app.add_routes(routes)
            server = TestServer(app)
            await server.start_server()
            self._servers.append(server)
            return str(server.make_url("")).rstrip("/")

        return asyncio.run_coroutine_threadsafe(go(), self._loop).result(5)

    def close(self) -> None:
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def served() -> Iterator[Served]:
    """A place for workers."""
    found = Served()
    yield found
    found.close()


class Referring(OneWorker):
    """Has nobody; says where everybody is."""

    def __init__(self, url: str = "") -> None:
        super().__init__()
        self.url = url

    def partition_of(self, customer_id: str) -> int:
        return 1

    def owner(self, partition: int) -> OwnedElsewhere:
        return OwnedElsewhere(partition, self.url)


def test_the_text_is_the_worker_s(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as from a folder, also by way of a worker that does not have the customer."""
    url = served.add(OneWorker())
    for worker in (url, served.add(Referring(url))):
        assert main(["explain", "ann", "--worker", worker]) == 0
        assert capsys.readouterr().out == explanation_text(explained())


def test_a_worker_narrows_and_serves_its_page(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """One trigger, what is late, and HTML, as from a folder; also by way of another worker."""
    url = served.add(OneWorker())
    command = ["explain", "ann", "--worker", served.add(Referring(url)), "--format"]
    assert main([*command, "json", "--trigger", "seen"]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert {each["trigger"] for each in shown["decisions"]} == {"seen"}
    assert {each["trigger"] for each in shown["sends"]} == {"seen"}
    assert shown["instances"] == []
    assert main([*command, "json", "--since", "2026-01-01T14:00:00Z"]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert shown["decisions"]
    assert all(each["decided_at"] >= "2026-01-01T14" for each in shown["decisions"])
    assert main([*command, "html"]) == 0
    assert capsys.readouterr().out == customer_page(explained())
    for option, wrong, said in (
        ("--trigger", "none", "trigger: expected one of birthday, cart, saved, seen"),
        ("--since", "now", "--since"),
    ):
        assert main([*command, "text", option, wrong]) == 2
        assert said in capsys.readouterr().err


class Neighbour(SearchedWorker):
    """Knows where another worker is."""

    def __init__(self, url: str, customers: int) -> None:
        super().__init__(customers)
        self.url = url

    def others(self) -> list[OwnedElsewhere | Recovering]:
        return [OwnedElsewhere(1, self.url), Recovering(3)]


def test_customers_of_all_workers_are_found(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker names the others; without a token, or without a match, the exit code is 2."""
    last = Neighbour("", 2)
    url = served.add_searched(last)
    first = Neighbour(url, 3)
    last.url = served.add_searched(first)
    command = ["explain", "--worker", last.url, "--find"]
    assert main([*command, "c00001."]) == 2
    assert "TRIGGER_WEB_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("TRIGGER_WEB_TOKEN", TOKEN)
    assert main([*command, "c00002."]) == 0
    shown = capsys.readouterr()
    assert shown.out == "c00002  email\n"
    assert "searched 10 customers of 2 workers; not partitions 3" in shown.err
    assert main([*command, "c00002.2", "--show-personal"]) == 0
    assert capsys.readouterr().out == "c00002  email: c00002.2@example.org\n"
    assert main([*command, "nobody"]) == 2
    assert "no customer has 'nobody' in id, name or address; searched 10" in capsys.readouterr().err
    assert main([*command, " "]) == 2
    assert "expected 1 to 200 characters" in capsys.readouterr().err
    monkeypatch.setenv("TRIGGER_WEB_TOKEN", "guess")
    assert main([*command, "c"]) == 2
    assert "bearer token" in capsys.readouterr().err


def test_more_matches_than_are_shown_are_announced(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends at the 50th match and asks for more of the text."""
    monkeypatch.setenv("TRIGGER_WEB_TOKEN", TOKEN)
    url = served.add_searched(SearchedWorker(300))
    assert main(["explain", "--worker", url, "--find", "example"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 51
    assert lines[-1] == "more than 50: give more of the text"


def test_the_token_of_the_environment_shows_personal_data(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a wrong one is bad input."""
    command = ["explain", "ann", "--worker", served.add(OneWorker()), "--show-personal"]
    monkeypatch.setenv("TRIGGER_WEB_TOKEN", TOKEN)
    assert main(command) == 0
    assert capsys.readouterr().out == explanation_text(explained(show_personal=True))
    monkeypatch.setenv("TRIGGER_WEB_TOKEN", "guess")
    assert main(command) == 2
    assert "bearer token" in capsys.readouterr().err


def test_what_fails_is_one_and_what_is_wrong_is_two(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unreachable workers and circles end with 1; unknown customers and wrong options with 2."""
    url = served.add(OneWorker())
    circle = Referring()
    circle.url = served.add(circle)
    for code, customer, worker, said in (
        (1, "ann", "http://127.0.0.1:1", "no worker answers"),
        (1, "lost", url, "another worker has this customer"),
        (1, "ann", circle.url, "from one to the other"),
        (1, "ann", served.add(Referring("ftp://x")), "no web address"),
        (2, "bob", url, "no such customer"),
        (2, "ann", "localhost:6066", "expected http://host:port"),
    ):
        assert main(["explain", customer, "--worker", worker]) == code, said
        assert said in capsys.readouterr().err
    assert main(["explain", "ann", "--worker", url, "--out", "somewhere"]) == 2
