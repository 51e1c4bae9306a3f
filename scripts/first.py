"""What ./quickstart asks of Higgins, with nothing but the standard library: first.py URL COMMAND [ARGUMENT...]."""

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

NAME = "hello"
SCRIPT = (
    "trap 'exit 0' TERM; echo \"Hello from container $(hostname), on Linux $(uname -r).\";"
    ' echo "Your command runs as process $$ of its own little world."; sleep 2147483647 & wait'
)
PATIENCE = 120


class Trouble(Exception):
    """What went wrong, for the one who runs ./quickstart."""


def ask(method: str, url: str, body: object = None, *, token: str | None = None) -> tuple[Any, str]:
    """The decoded answer and the token in its header. Raises Trouble with the service's own words."""
    headers = {"Content-Type": "application/json", "OpenStack-API-Version": "container 1.40"}
    if token:
        headers["X-Auth-Token"] = token
    request = urllib.request.Request(
        url, method=method, headers=headers, data=None if body is None else json.dumps(body).encode()
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            return (json.loads(content) if content else None), answer.headers.get("X-Subject-Token", "")
    except urllib.error.HTTPError as refusal:
        raise Trouble(f"{method} {url}: {refusal.code} {_words(refusal.read())}") from refusal
    except OSError as failure:
        raise Trouble(f"{method} {url}: {failure}") from failure


def taken(url: str) -> str:
    """Succeeds if anything at all listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=2).close()
    except OSError as free:
        raise Trouble("nothing listens there") from free
    return ""


def answers(url: str) -> str:
    """Succeeds if it is a containers service."""
    versions, _ = ask("GET", f"{url}/")
    if "versions" not in versions:
        raise Trouble(f"{url} is something else")
    return ""


def login(url: str) -> str:
    """Succeeds if the demo user may log in."""
    _token(url)
    return ""


def run(url: str) -> str:
    """Run the first container anew. The first line says how that went, the others are its output."""
    image, token = sys.argv[3], _token(url)
    began = time.monotonic()
    _remove_former(url, token)
    body = {
        "name": NAME,
        "image": image,
        "image_pull_policy": "ifnotpresent",
        "command": ["sh", "-c", SCRIPT],
        "interactive": False,
    }
    asked = time.monotonic()
    container = ask("POST", f"{url}/v1/containers?run=true", body, token=token)[0]
    here = f"{url}/v1/containers/{container['uuid']}"
    while container["status"] == "Creating" or (container["status"] != "Error" and not _logs(here, token)):
        if time.monotonic() - began > PATIENCE:
            raise Trouble(f"it is still {container['status']} after {PATIENCE} s: {container['status_reason']}")
        time.sleep(0.02)
        container = ask("GET", here, token=token)[0]
    if container["status"] == "Error":
        raise Trouble(container["status_reason"])
    milliseconds = (time.monotonic() - asked) * 1000
    return f"{NAME}, {container['status']} {milliseconds:.0f} ms after the request\n{_logs(here, token)}"


def _remove_former(url: str, token: str) -> None:
    for former in ask("GET", f"{url}/v1/containers?name={NAME}", token=token)[0]["containers"]:
        here = f"{url}/v1/containers/{former['uuid']}"
        ask("DELETE", f"{here}?force=true", token=token)
        _until_gone(here, token)


def _until_gone(here: str, token: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            ask("GET", here, token=token)
        except Trouble as trouble:
            if ": 404 " in str(trouble):
                return
            raise
        time.sleep(0.05)
    raise Trouble("the container of the last time cannot be removed")


def _logs(here: str, token: str) -> str:
    return str(ask("GET", f"{here}/logs", token=token)[0]).strip()


def _token(url: str) -> str:
    domain = {"name": "Default"}
    user = {"name": "demo", "domain": domain, "password": os.environ["HIGGINS_PASSWORD"]}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "demo", "domain": domain}},
        }
    }
    return ask("POST", f"{url}/identity/v3/auth/tokens", body)[1]


def _words(content: bytes) -> str:
    try:
        told = json.loads(content)
        error = told["errors"][0] if "errors" in told else told["error"]
        return str(error.get("detail") or error.get("message") or error)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return content.decode(errors="replace")[:200]


COMMANDS = {"taken": taken, "answers": answers, "login": login, "run": run}


def main() -> None:
    """Print the answer; one line on standard error and status 1 when there is none."""
    try:
        print(COMMANDS[sys.argv[2]](sys.argv[1]), end="")
    except Trouble as trouble:
        sys.exit(" ".join(str(trouble).split()))


if __name__ == "__main__":
    main()
