"""The studio in headless Chromium: widths, keys, nothing asked of another place."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.chromium import chromium
from tests.unit.studio.one_run import make_run

pytestmark = [pytest.mark.slow, pytest.mark.needs_browser]

#: Of a run that the command must end within.
_DEADLINE_S = 300
_FITS = "document.documentElement.scrollWidth <= window.innerWidth"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_reader_goes_from_the_search_to_a_request_by_keyboard(tmp_path: Path, width: int) -> None:
    """The command serves until interrupted; every page fits its width and asks it alone."""
    out = make_run(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "studio", str(out), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None
        asyncio.run(_walk(found[0], width, tmp_path))
        process.send_signal(signal.SIGINT)
        assert process.wait(_DEADLINE_S) == 130
    finally:
        process.kill()
        process.communicate()


async def _walk(url: str, width: int, folder: Path) -> None:
    async with chromium(folder) as tab:
        for path in ("/", "/decisions", "/plan", "/report", "/customers?find=ann"):
            await tab.open(url + path, width)
            assert await tab.ask(_FITS), path

        await tab.open(url, width)
        await tab.press("Tab")
        assert await tab.focused() == "Skip to the content"
        assert await tab.ask("document.activeElement.getBoundingClientRect().left >= 0")
        for name in ("Overview", "Decisions", "Plan", "Report", "find"):
            await tab.press("Tab")
            assert await tab.focused() == name
        await tab.type("ANN@")
        await tab.press("Enter")
        await tab.loaded()
        assert await tab.ask("location.search") == "?find=ANN%40"
        await tab.ask("document.querySelector('td, tbody th').closest('.scroll').focus()")
        await tab.press("Tab")
        assert await tab.focused() == "ann"
        await tab.press("Enter")
        await tab.loaded()
        assert await tab.ask(_FITS)
        label = "What the channel sender gets for seen"
        for _ in range(40):
            await tab.press("Tab")
            if (await tab.focused()).startswith(label):
                break
        await tab.press("Enter")
        script = "document.activeElement.parentElement.open"
        assert await tab.ask(script)
        assert '"template": "seen"' in await tab.ask("document.activeElement.nextSibling.innerText")
        assert await tab.ask(_FITS)
        asked = [address for address in tab.requested if not address.startswith("data:")]
        assert all(address.startswith(url) for address in asked)
        await tab.picture(folder / "customer.png")
        assert (folder / "customer.png").stat().st_size > 10_000
