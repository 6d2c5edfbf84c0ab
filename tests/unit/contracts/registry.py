"""A Schema Registry on a loopback port: the part of its REST API that clients of ours use."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

_ROUTES: Final = {
    "POST /subjects/([^/]+)/versions": "register",
    "GET /schemas/ids/([0-9]+)": "by_id",
    "GET /subjects/([^/]+)/versions/([0-9]+)": "by_version",
}


class Registry:
    """Registered schemas, what was asked, and how to misbehave."""

    def __init__(self, credentials: str | None = None) -> None:
        self._credentials = credentials
        self._schemas: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        #: what to answer instead: (status, body)
        self.instead: tuple[int, bytes] | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = registry._handle(
                    f"{self.command} {self.path.partition('?')[0]}",
                    body,
                    self.headers.get("Authorization"),
                )
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests have no use for it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def register(
        self, subject: str, schema: object, kind: str = "AVRO", references: Any = ()
    ) -> int:
        """Add a schema; its id."""
        body = {"schema": json.dumps(schema), "schemaType": kind, "references": list(references)}
        self._schemas.append((subject, body))
        return len(self._schemas)

    def _handle(self, request: str, body: bytes, authorization: str | None) -> tuple[int, bytes]:
        self.asked.append(request)
        if self.instead is not None:
            return self.instead
        if self._credentials is not None:
            expected = "Basic " + base64.b64encode(self._credentials.encode()).decode()
            if authorization != expected:
                return 401, b'{"error_code": 401, "message": "Unauthorized"}'
        for pattern, name in _ROUTES.items():
            match = re.fullmatch(pattern, request)
            if match:
                found = getattr(self, f"_{name}")(*match.groups(), body)
                break
        else:
            found = None
        if found is None:
            return 404, b'{"error_code": 40403, "message": "Schema not found"}'
        return 200, json.dumps(found).encode()

    def _register(self, subject: str, body: bytes) -> dict[str, Any]:
        entry = (subject, json.loads(body))
        if entry not in self._schemas:
            self._schemas.append(entry)
        return {"id": self._schemas.index(entry) + 1}

    def _by_id(self, schema_id: str, body: bytes) -> dict[str, Any] | None:
        number = int(schema_id)
        return self._schemas[number - 1][1] if 0 < number <= len(self._schemas) else None

    def _by_version(self, subject: str, version: str, body: bytes) -> dict[str, Any] | None:
        of_subject = [
            (number, schema)
            for number, (name, schema) in enumerate(self._schemas, 1)
            if name == subject
        ]
        if not 0 < int(version) <= len(of_subject):
            return None
        number, schema = of_subject[int(version) - 1]
        return schema | {"id": number, "version": int(version), "subject": subject}
