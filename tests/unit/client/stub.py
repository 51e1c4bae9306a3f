"""A server that gives prepared answers, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from higgins.client.cloud import Cloud, Opened
from higgins.client.connection import Trust
from higgins.client.identity import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Given:
    """One answer; `broken` closes the connection instead."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


class Server:
    """Gives one answer after the other; the last one again and again."""

    def __init__(self, *answers: Given | Callable[[Asked], Given]) -> None:
        self.asked: list[Asked] = []
        self._answers = list(answers)
        self.url = ""

    def next(self, asked: Asked) -> Given:
        self.asked.append(asked)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, Given) else answer(asked)

    def cloud(self, **options: Any) -> Cloud:
        """Somebody who is logged in there."""
        return Cloud(Opened(session=session(self.url)), Trust(), **options)


def session(url: str, token: str = "secret") -> Session:
    """A login whose service is there."""
    return Session(
        token=token,
        expires_at=4e9,
        user_id="u",
        user="martha",
        project_id="p",
        project="garden",
        roles=("member",),
        endpoint=f"{url}/v1",
    )


@contextmanager
def serving(*answers: Given | Callable[[Asked], Given]) -> Iterator[Server]:
    """A server with these answers, while the block runs."""
    server = Server(*answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else self._chunks()
            asked = Asked(method=self.command, target=self.path, headers=dict(self.headers), body=body)
            given = server.next(asked)
            if given.broken:
                self.close_connection = True
                return
            content = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
            self.send_response(given.status)
            for name, value in {"Content-Type": "application/json", **given.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _chunks(self) -> bytes:
            found = b""
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            return found

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
