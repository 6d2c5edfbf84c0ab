"""A web server that says what a test wants it to say."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answers:
    """What it answers from now on, and what it was asked: headers and body."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.headers: dict[str, str] = {"Content-Type": "application/json"}
        self.body = b""
        self.asked: list[tuple[dict[str, str], str]] = []


class QuietHandler(BaseHTTPRequestHandler):
    """Logs no request."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(handler: type[QuietHandler]) -> Iterator[str]:
    """The URL of a server on a free loopback port, which answers inside ``with``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering() -> Iterator[Answers]:
    """On a free loopback port."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            answers.asked.append((dict(self.headers.items()), self.rfile.read(length).decode()))
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            if answers.status == 302:
                self.send_header("Location", f"{answers.url}/elsewhere")
            self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body)

        do_GET = do_POST

    with serving(Handler) as url:
        answers = Answers(url)
        yield answers
