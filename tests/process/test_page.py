"""A customer's page, from a running worker into headless Chromium."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.needs import program
from tests.process.chromium import FLAGS
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, wait_for
from tests.process.test_worker_explain import free_ports
from tests.unit.explain.test_page import Outline

#: About the engine, whatever the broker.
pytestmark = [
    pytest.mark.needs_browser,
    pytest.mark.slow,
    pytest.mark.parametrize("broker", ["embedded"], indirect=True),
]

_DEADLINE_S = 300


def in_chromium(url: str, folder: Path, *options: str) -> str:
    """What Chromium prints about the page; the test is skipped where there is none."""
    return subprocess.run(
        [
            program("browser", "chromium"),
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            *options,
            url,
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=_DEADLINE_S,
    ).stdout


@pytest.mark.parametrize("width", [500, 1200])
def test_a_browser_shows_the_page(instance: Instance, tmp_path: Path, width: int) -> None:
    """Its structure survives the browser's parser, its style applies, and a picture can be made."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    ordered_ms = int(time.time() * 1000) - 1_000
    wire.event("orders", customer_id, "order_placed", occurred_ms=ordered_ms)
    wire.event("orders", customer_id, "cart_updated", {"cart_id": "<i>1"})
    wire.flush()
    (port,) = free_ports(1)
    with instance.worker(TRIGGER_WEB_PORT=str(port)) as worker:
        worker.wait_until_ready()
        page = wait_for("a page", lambda: _with_decision(worker, customer_id))
        url = f"http://127.0.0.1:{port}/customers/{customer_id}"
        dom = in_chromium(url, tmp_path, "--dump-dom", f"--window-size={width},900")
        picture = tmp_path / "page.png"
        in_chromium(url, tmp_path, f"--screenshot={picture}", f"--window-size={width},900")
        for source in (page, dom):
            outline = Outline(source)
            assert "sent by email" in outline.text
            assert "<i>1" in outline.text
            assert outline.count("i") == 0
            assert outline.count("details") > 0
        assert picture.stat().st_size > 10_000
        assert json.loads(worker.get(f"/explain/{customer_id}")[1])["customer_id"] == customer_id


def _with_decision(worker: RunningWorker, customer_id: str) -> str:
    page = worker.get(f"/customers/{customer_id}")[1]
    # the record says that something was sent; the decision itself is read back a little later
    wanted = "sent by email", "&lt;i&gt;1", "<details"
    return page if all(each in page for each in wanted) else ""
