"""Headless Chromium driven over its DevTools protocol: widths, keys, pictures."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from tests.needs import program

_DEADLINE_S: Final = 300
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
#: Key code and what is typed, if anything.
_KEYS: Final = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " ")}


class Tab:
    """One page; every command waits until Chromium has done it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        #: Addresses that the page asked for.
        self.requested: list[str] = []

    async def open(self, url: str, width: int, height: int = 900) -> Self:
        """Go to the page, in a window so wide, and wait until it has loaded."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        await self.command("Page.enable")
        await self.command("Network.enable")
        await self.command("Page.navigate", url=url)
        await self.loaded()
        return self

    async def loaded(self) -> None:
        """Wait for the load event of a page."""
        async with asyncio.timeout(_DEADLINE_S):
            while (await self._receive()).get("method") != "Page.loadEventFired":
                pass

    async def ask(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.command("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        """Press and release a key."""
        code, text = _KEYS[key]
        event = {"key": key, "windowsVirtualKeyCode": code}
        await self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        await self.command("Input.dispatchKeyEvent", type="keyUp", **event)

    async def type(self, text: str) -> None:
        """Type text where the focus is."""
        await self.command("Input.insertText", text=text)

    async def focused(self) -> str:
        """Text, or name, of the element that has the focus."""
        script = "(document.activeElement.name || document.activeElement.textContent).trim()"
        return str(await self.ask(script))

    async def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = await self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                message = await self._receive()
                if message.get("id") == self._number:
                    assert "error" not in message, message
                    found: dict[str, Any] = message["result"]
                    return found

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self._socket.receive_str())
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        return message


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a Chromium of its own; the test is skipped where there is none."""
    process = await asyncio.create_subprocess_exec(
        program("browser", "chromium"),
        *FLAGS,
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(_DEADLINE_S):
            port = await _port(process.stderr)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=64 << 20
            ) as socket:
                yield Tab(socket)
    finally:
        process.kill()
        await process.communicate()


async def _port(lines: asyncio.StreamReader) -> int:
    async for line in lines:
        _, found, rest = line.decode().partition("DevTools listening on ws://127.0.0.1:")
        if found:
            return int(rest.partition("/")[0])
    raise AssertionError("Chromium ended before it listened")
