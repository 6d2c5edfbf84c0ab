"""The studio's pages over a real folder, asked over HTTP as a browser asks."""

import asyncio
import re
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import quote

import aiohttp
import orjson
import pytest

from app.cli import main
from app.studio.folder import StudioFolder
from app.studio.frame import POLICY
from app.studio.server import StudioServer
from tests.unit.explain.test_page import Outline
from tests.unit.studio.one_run import HISTORY, RULES, event, make_run

Answer = tuple[int, str, Mapping[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, which no test changes."""
    return make_run(tmp_path_factory.mktemp("run"))


def ask(folder: StudioFolder, *paths: str, personal: bool = False, **headers: str) -> list[Answer]:
    """What the studio answers, one request after the other."""

    async def go() -> list[Answer]:
        server = StudioServer(folder, show_personal=personal)
        port = await server.start(0)
        answers: list[Answer] = []
        try:
            async with aiohttp.ClientSession() as session:
                for path in paths:
                    url = f"http://127.0.0.1:{port}{path}"
                    async with session.get(url, headers=headers) as answer:
                        answers.append((answer.status, await answer.text(), answer.headers))
        finally:
            await server.stop()
        return answers

    return asyncio.run(go())


def page(run: Path, path: str, *, personal: bool = False) -> Outline:
    """One page that has to be there; it loads nothing and runs nothing."""
    ((status, body, headers),) = ask(StudioFolder(run), path, personal=personal)
    assert status == 200, body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    outline = Outline(body.replace("<br>", ""))
    assert {"script", "link", "img", "iframe"}.isdisjoint(name for name, _ in outline.elements)
    assert not [attrs for _, attrs in outline.elements if "style" in attrs]
    return outline


def links(outline: Outline) -> list[str]:
    return [str(attrs["href"]) for name, attrs in outline.elements if name == "a"]


def rows(body: str, caption: str) -> list[str]:
    """The rows of a table as text, cells apart."""
    start = body.index(f"<caption>{caption}")
    table = body[start : body.index("</table>", start)]
    return [
        "|".join(Outline(cell).text for cell in re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row))
        for row in table.split("<tr>")[1:]
    ]


def test_sends_stand_at_the_local_day_and_hour_of_the_rules(run: Path) -> None:
    """18:05 UTC is 23:50 of a Thursday in Kathmandu."""
    ((_, body, _),) = ask(StudioFolder(run), "/")
    head, *days = rows(body, "Sends by date and hour")
    assert head.split("|")[:3] == ["date", "all", "00"]
    assert [day.split("|") for day in days] == [["2026-01-01", "1", *[""] * 23, "1"]]
    thursday = rows(body, "Sends by day of the week")[4].split("|")
    assert thursday == ["Thursday", "1", *[""] * 23, "1"]
    assert "/decisions?outcome=send&amp;day=2026-01-01" in body


def test_verdicts_are_counted_by_trigger_and_reason(run: Path) -> None:
    """Each leads to its decisions."""
    ((_, body, _),) = ask(StudioFolder(run), "/")
    assert rows(body, "Decisions by trigger and reason")[1:] == [
        "seen|sent|1|50.0\u00a0%",
        "seen|suppressed: no address for the channel|1|50.0\u00a0%",
        "cart|suppressed: had as many messages as allowed|1|100.0\u00a0%",
    ]
    assert "/decisions?trigger=cart&amp;outcome=suppress&amp;reason=cap" in body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ann|seen", "ann|cart", "bob|seen"]),
        ("trigger=seen&outcome=send", ["ann|seen"]),
        ("reason=cap", ["ann|cart"]),
        ("day=2026-01-01&hour=23", ["ann|seen"]),
        ("weekday=friday&outcome=suppress&trigger=", ["ann|cart", "bob|seen"]),
        ("day=2025-12-31", []),
    ],
)
def test_decisions_are_narrowed(run: Path, query: str, expected: list[str]) -> None:
    """By trigger, outcome, reason, and local day and hour; empty means any."""
    ((status, body, _),) = ask(StudioFolder(run), f"/decisions?{query}")
    assert status == 200
    found = rows(body, "Decisions")[1:] if expected else []
    assert ["|".join(row.split("|")[1:3]) for row in found] == expected
    assert ("<caption>" in body) == bool(expected)


def test_a_customer_is_found_by_id_name_and_address(run: Path) -> None:
    """In any case; what it was found in is shown only when personal data were asked for."""
    for text, field in (("ANN", "id"), ("n <B", "first_name"), ("@EXAMPLE", "email")):
        path = f"/customers?find={quote(text)}"
        found = page(run, path)
        assert "/customer?id=ann" in links(found)
        assert "ann@example.com" not in found.text
        assert field in found.text
        if field != "id":
            assert ("ann@example.com" if field == "email" else "Ann <b>") in page(
                run, path, personal=True
            ).text
    assert "No customer has 'nobody'" in page(run, "/customers?find=nobody").text
    assert "Type a part" in page(run, "/customers?find=").text


def test_a_customer_s_page_has_every_gate_and_the_request(run: Path) -> None:
    """Personal data come when asked for; nothing that others write is markup."""
    shown = page(run, "/customer?id=ann")
    assert "sent by email" in shown.text
    assert "stopped: email: 1 of 1 messages in the last 24 h" in shown.text
    assert "What the channel sender gets for seen" in shown.text
    assert '"template": "seen"' in shown.text
    assert "cart <i>1" in shown.text
    assert {"i", "b"}.isdisjoint(name for name, _ in shown.elements)
    for secret in ("ann@example.com", "Ann <b>"):
        assert secret not in shown.text
    assert '"address": "hidden: start the studio with --show-personal"' in shown.text

    whole = page(run, "/customer?id=ann", personal=True)
    assert '"address": "ann@example.com"' in whole.text
    assert '"name": "Ann <b>"' in whole.text


def test_a_plan_in_the_folder_of_the_run_is_shown(run: Path, tmp_path: Path) -> None:
    """plan.json of the folder, or another file; without one the page says how to make it."""
    assert "triggers plan OLD NEW" in page(run, "/plan").text
    copy = tmp_path / "out"
    shutil.copytree(run, copy)
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(RULES)
    new.write_text(RULES.replace("limit: 1", "limit: 3"))
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(HISTORY))
    with (copy / "plan.json").open("w") as file, redirect_stdout(file):
        command = ["plan", str(old), str(new), "--events", str(events), "--format", "json"]
        assert main([*command, "--until", "2026-01-03T00:00:00Z"]) == 3
    shown = page(copy, "/plan")
    assert "something differs" in shown.text
    assert "1 → 2 (+1)" in shown.text or "0 → 1 (+1)" in shown.text
    assert "throttle.caps" in shown.text


def test_a_newer_run_in_the_folder_is_read(tmp_path: Path) -> None:
    """At the next page, without a restart."""
    out = make_run(tmp_path)
    folder = StudioFolder(out)
    assert folder.load().customers == 2
    assert folder.load() is folder.load()
    late = event("orders", "product_viewed", "2026-01-02T04:00:00Z", "eve")
    make_run(tmp_path, lines=[*HISTORY, late])
    assert folder.load().customers == 3


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/decisions?day=tomorrow", 400, "day: expected a date as 2026-01-31, got 'tomorrow'"),
        ("/decisions?hour=24", 400, "hour: expected one of 0, 1"),
        ("/?trigger=none", 400, "trigger: expected one of cart, seen, got 'none'"),
        ("/decisions?outcome=sent", 400, "outcome: expected one of send, "),
        ("/customer?id=nobody", 404, "No customer 'nobody'"),
        ("/customer?id=%ff", 404, "No customer"),
        ("/customer", 404, "No customer"),
        ("/no-such", 404, "There is no such page"),
    ],
)
def test_what_cannot_be_shown_has_an_error_page(
    run: Path, path: str, status: int, said: str
) -> None:
    """With what was got and what was expected, and the navigation."""
    ((got, body, headers),) = ask(StudioFolder(run), path)
    assert got == status
    assert said in Outline(body).text
    assert "/decisions" in body
    assert headers["Content-Security-Policy"] == POLICY


def test_another_site_s_name_is_refused(run: Path) -> None:
    """A web page whose name leads to this machine cannot read what the studio shows."""
    for host, status in (
        ("evil.example:6070", 403),
        ("localhost:6070", 200),
        ("127.0.0.1", 200),
        ("localhost.evil.example", 403),
    ):
        ((got, _, _),) = ask(StudioFolder(run), "/", Host=host)
        assert got == status, host


def test_the_report_of_the_run_is_served(run: Path, tmp_path: Path) -> None:
    """As it is; a run without one says so."""
    ((status, body, _),) = ask(StudioFolder(run), "/report")
    assert (status, body) == (200, (run / "report.html").read_text())
    copy = tmp_path / "out"
    shutil.copytree(run, copy)
    (copy / "report.html").unlink()
    ((status, body, _),) = ask(StudioFolder(copy), "/report")
    assert (status, "no report.html" in body) == (404, True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda out: shutil.rmtree(out), "run.json: cannot be read: No such file"),
        (lambda out: (out / "decisions.jsonl").unlink(), "decisions.jsonl: cannot be read"),
        (
            lambda out: (out / "decisions.jsonl").write_bytes(b'{"trigger":1}\n'),
            "decisions.jsonl, line 1: expected a decision",
        ),
        (
            lambda out: (out / "plan.json").write_bytes(orjson.dumps({"a": 1})),
            "plan.json: not a plan",
        ),
    ],
)
def test_a_folder_that_is_none_is_bad_input(
    tmp_path: Path, damage: Callable[[Path], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything listens: one line, the file, what was expected; exit code 2."""
    out = make_run(tmp_path)
    damage(out)
    assert main(["studio", str(out), "--port", "0"]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_options_that_cannot_be_used(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is none or a missing plan is bad input, a port in use a failure."""
    assert main(["studio", str(run), "--port", "70000"]) == 2
    assert "expected a port from 0 to 65535" in capsys.readouterr().err
    assert main(["studio", str(run), "--plan", str(run / "none.json")]) == 2
    assert "none.json: cannot be read" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["studio", str(run), "--port", str(port)]) == 1
    shown = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 cannot be used" in shown
    assert "--port" in shown
