"""Explaining customers of running workers."""

import json
import socket
from contextlib import ExitStack
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from app.cli import main
from app.kafka.partitioning import partition_for
from tests.process.conftest import Instance
from tests.process.running import wait_for

TOKEN = "a token that nobody guesses"  # noqa: S105 - it guards nothing

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def get(url: str) -> tuple[int, str, str]:
    """Status, Location and body; no redirect is followed."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=120)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read().decode()
    finally:
        connection.close()


def test_a_worker_explains_its_customers_also_after_a_restart(instance: Instance) -> None:
    """With gates; the decisions are on Kafka, so that a restart loses none of them."""
    wire = instance.wire
    known, other = instance.customers(2)
    cause = wire.event("orders", known, "order_placed")
    wire.event("orders", other, "order_placed")
    wire.flush()
    for _ in range(2):
        with instance.worker() as worker:
            worker.wait_until_ready()
            wire.wait_for_values("decisions", 2)
            found = wait_for("explained", lambda: worker.get(f"/explain/{known}")[1])
            explanation = json.loads(found)
            assert worker.get("/explain/nobody")[0] == 404
            assert worker.get(f"/explain/{known}?show_personal=1")[0] == 403
            assert worker.stop() == 0
        (decision,) = explanation["decisions"]
        assert (decision["trigger"], decision["words"]) == ("order_placed", "sent by email")
        assert decision["gates"][0]["words"] == "in time"
        assert explanation["profile"] == {"email": True}
        assert explanation["decisions_since_at"] is None
        assert cause in [event["event_id"] for event in explanation["events"]]


def test_a_worker_redirects_to_the_worker_that_has_the_customer(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any of them may be asked; Faust's assignment says where each partition is. A search finds
    the customers of both.
    """
    ids = instance.customers(8)
    assert len({partition_for(each.encode(), instance.wire.partitions) for each in ids}) > 1
    urls = [f"http://127.0.0.1:{port}" for port in free_ports(2)]
    with ExitStack() as workers:
        for number, url in enumerate(urls):
            worker = instance.worker(
                TRIGGER_WEB_URL=url,
                TRIGGER_WEB_PORT=url.rpartition(":")[2],
                TRIGGER_INSTANCE_ID=f"w{number}",
                TRIGGER_DATA_DIR=str(instance.data_dir / str(number)),
                TRIGGER_WEB_TOKEN=TOKEN,
            )
            # one after the other: the embedded broker may fail members that join at the same time
            workers.enter_context(worker).wait_until_ready()

        def answers() -> list[list[tuple[int, str, str]]]:
            return [[get(f"{url}/explain/{each}?last=1") for url in urls] for each in ids]

        def is_settled() -> bool:
            return all(sorted(a[0] for a in pair) == [200, 307] for pair in answers())

        wait_for("each customer at one worker", is_settled)
        has = set()
        for customer_id, pair in zip(ids, answers(), strict=True):
            owner = 0 if pair[0][0] == 200 else 1
            has.add(owner)
            assert json.loads(pair[owner][2])["customer_id"] == customer_id
            assert pair[1 - owner][1] == f"{urls[owner]}/explain/{customer_id}?last=1"
        assert has == {0, 1}
        monkeypatch.setenv("TRIGGER_WEB_TOKEN", TOKEN)
        for url in urls:
            assert main(["explain", "--worker", url, "--find", "@EXAMPLE.org"]) == 0
            shown = capsys.readouterr()
            assert sorted(shown.out.splitlines()) == [f"{each}  email" for each in sorted(ids)]
            assert "of 2 workers\n" in shown.err
