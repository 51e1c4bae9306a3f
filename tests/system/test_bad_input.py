"""Whatever is sent to whatever route of a real server, it is never the server that fails, and every answer is what the document says."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, checks

from higgins.api.zun import openapi
from higgins.api.zun.microversion import MAX
from higgins.api.zun.values import Bounds
from tests.system.engine import BUSYBOX
from tests.system.servers import AllInOne, Login

EXAMPLES = int(os.environ.get("HIGGINS_FUZZ_EXAMPLES", "6"))
"""Of each operation, good ones and bad ones; each is tried twice. With the default all together take about a minute; scripts/fuzz takes longer."""
PATIENCE = 30
"""Seconds in which everything has to be answered."""
LONGEST_LINE = 64 * 1024
LATEST = f"container {MAX}"

PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""What is checked of every answer. Not here, because Zun's clients want it otherwise: an unknown parameter may be ignored, and a wrong method for an
action is a 404."""
MAY_BE_AWAY = {"/v1/images/{name}/search"}
"""What asks somebody else, who may not be there: a 503 is an answer."""
NOT_HERE = {"/v1/console": "it is a WebSocket, and what comes over it has tests of its own"}

CAPSULE = {
    "kind": "capsule",
    "metadata": {"name": "there", "labels": {"app": "x"}},
    "spec": {
        "initContainers": [{"image": BUSYBOX, "command": ["true"]}],
        "containers": [{"image": BUSYBOX, "command": ["sh", "-c", "trap exit TERM; sleep 600 & wait"]}],
    },
}

PATHS = json.loads(openapi.document(Bounds()))["paths"]
OPERATIONS = [(method, path) for path, item in PATHS.items() for method in item if path not in NOT_HERE]


def asks(method: str, path: str) -> bool:
    """Whether there is anything to say in a query or a body."""
    operation = PATHS[path][method]
    return "requestBody" in operation or any(one.get("in") == "query" for one in operation["parameters"])


class Ground:
    """What there is to be asked about: whatever is done to it, it is there again when the next test begins."""

    def __init__(self, server: AllInOne, member: Login, admin: Login, registry: str) -> None:
        self.url = server.url
        self.search = f"{registry}/hello"
        self.tokens = {"member": member.token(), "admin": admin.token()}
        self.session = requests.Session()
        self.session.trust_env = False
        self.host = self.ask("GET", "/hosts")["hosts"][0]["hostname"]
        self.project = member.project()
        self.parts: dict[str, str] = {}

    def request(self, method: str, path: str, body: Any = None) -> requests.Response:
        """As an administrator, in the newest version."""
        return self.session.request(
            method, f"{self.url}/v1{path}", headers=self.known("admin"), json=body, timeout=PATIENCE
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The same, which must not be refused. None: there is no such thing."""
        answer = self.request(method, path, body)
        # That an image is not there is a 400, as in Zun.
        if answer.status_code == 404 or "image-not-found" in answer.text:
            return None
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def known(self, who: str) -> dict[str, str]:
        """What a request says that is made by somebody."""
        return {"X-Auth-Token": self.tokens[who], "OpenStack-API-Version": LATEST}

    def prepare(self) -> None:
        """Everything as it was."""
        self.ask("DELETE", f"/quotas/{self.project}")
        for verb in ("enable", "force_down?forced_down=false"):
            self.ask("PUT", f"/services/{verb}{'&' if '?' in verb else '?'}host={self.host}&binary=zun-compute")
        # Ended by SIGTERM at once; everything that is asked of what runs can be asked of it.
        loop = ["sh", "-c", "trap exit TERM; while :; do sleep 1 & wait; done"]
        self._container("running", "Running", loop, interactive=True, tty=True)
        self._container("ended", "Stopped", ["echo", "hello"])
        actions = self.ask("GET", f"/containers/{self.parts['running']}/container_actions")["containerActions"]
        self.parts["request_id"] = actions[-1]["request_id"]
        self.parts |= {"project": self.project, "quota_class": "gold"}
        if not self._there("capsules", "capsule"):
            self.parts["capsule"] = self.ask("POST", "/capsules", {"template": CAPSULE})["uuid"]
        if not self._there("registries", "registry"):
            made = self.ask("POST", "/registries", {"registry": {"domain": "higgins.invalid", "password": "secret"}})
            self.parts["registry"] = made["registry"]["uuid"]
        if not self._there("volumes", "volume"):
            made = self.ask("POST", "/volumes", {"name": f"bad-input-{secrets.token_hex(4)}"})
            self.parts["volume"] = made["uuid"]
        for collection, part in (("networks", "network"), ("security_groups", "group")):
            if not self._there(collection, part):
                self.parts[part] = self.ask("POST", f"/{collection}", {"name": "spare"})["uuid"]
        if not self._there("images", "image"):
            name = f"higgins-test/bad-input-{secrets.token_hex(4)}"
            self.parts["image"] = self.ask("POST", f"/containers/{self.parts['ended']}/commit?repository={name}")[
                "uuid"
            ]

    def _there(self, collection: str, part: str) -> bool:
        return part in self.parts and self.ask("GET", f"/{collection}/{self.parts[part]}") is not None

    def _container(self, part: str, status: str, command: list[str], **asked: object) -> None:
        known = self.parts.get(part)
        found = (known and self.ask("GET", f"/containers/{known}")) or {}
        # What somebody has asked for may not have happened yet.
        if (found.get("status"), found.get("desired_state")) == (status, "running"):
            return
        if known:
            self.ask("DELETE", f"/containers/{known}?force=true")
        # Without the request's limits a machine that is small, or busy with other tests, would be full soon.
        body = {"image": BUSYBOX, "image_pull_policy": "never", "command": command, "cpu": 0.1, "memory": 16, **asked}
        made = self.ask("POST", "/containers?run=true", body)
        self.parts[part] = made["uuid"]
        found = self.ask("GET", f"/containers/{made['uuid']}?wait={status}&timeout={PATIENCE}")
        assert found["status"] == status, found

    def clear(self) -> None:
        """Nothing is left; the images too are gone from the engine."""
        for one in self.ask("GET", "/containers")["containers"]:
            self.ask("DELETE", f"/containers/{one['uuid']}?force=true")
        for one in self.ask("GET", "/capsules")["capsules"]:
            self.ask("DELETE", f"/capsules/{one['uuid']}")
        deadline = time.monotonic() + PATIENCE
        while self.ask("GET", "/capsules")["capsules"] and time.monotonic() < deadline:
            time.sleep(0.2)
        while self.ask("GET", "/containers")["containers"] and time.monotonic() < deadline:
            time.sleep(0.2)
        for one in self.ask("GET", "/volumes")["volumes"]:
            self.ask("DELETE", f"/volumes/{one['uuid']}")
        for one in self.ask("GET", "/images")["images"]:
            self.ask("DELETE", f"/images/{one['uuid']}")
        while self.ask("GET", "/images")["images"]:
            assert time.monotonic() < deadline, "images stay"
            time.sleep(0.2)
        self.session.close()

    # What is sent.

    def send(self, case: Case) -> None:
        """What schemathesis thought of, as it is; the answer has kept every promise."""
        try:
            answer = case.call(base_url=self.url, session=self.session, timeout=PATIENCE)
        except requests.RequestException as trouble:
            curl = case.as_curl_command(base_url=self.url)
            raise AssertionError(f"{curl}\ngot no whole answer within {PATIENCE} seconds: {trouble}") from None
        if len(answer.request.url or "") > LONGEST_LINE:
            # What does not even fit into the first line of a request is no matter of the API's.
            assert answer.status_code == 400
            return
        away = answer.status_code == 503 and case.path in MAY_BE_AWAY
        case.validate_response(answer, checks=PROMISES[1:] if away else PROMISES)

    def aim(self, case: Case, which: str) -> None:
        """Past what is refused at once: in a version that is offered, about what is there."""
        case.headers["OpenStack-API-Version"] = "container 1.13" if case.path.endswith("/rename") else LATEST
        query = case.query
        # What would last is asked of what has ended, and nobody waits for long.
        which = "ended" if "follow" in query else which
        if "wait" in query:
            query["timeout"] = "0"
        there = {**self.parts, "container": self.parts[which], "host": self.host, "name": self.search}
        for part in case.path_parameters or ():
            case.path_parameters[part] = there[part]
        if case.path.startswith("/v1/services"):
            query |= {"host": self.host, "binary": "zun-compute"}


@pytest.fixture(scope="module")
def ground(docker_url: str, registry_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A server of its own: an administrator who tries everything disturbs everybody."""
    server = AllInOne(tmp_path_factory.mktemp("bad-input"), docker_url, {"networks": {"provider": "local"}})
    server.start()
    try:
        member = server.add("martha", "garden", "member")
        found = Ground(server, member, server.add("ada", "garden", "admin"), registry_address)
        yield found
        found.clear()
        server.assert_no_traceback()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def served(ground: Ground) -> schemathesis.BaseSchema:
    """What the server says of itself."""
    return schemathesis.openapi.from_url(f"{ground.url}/openapi.json")


def test_the_server_serves_a_description_of_every_operation(served: schemathesis.BaseSchema) -> None:
    described = {(method, path) for path in served for method in served[path] if path not in NOT_HERE}
    assert described == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_input_however_bad_is_a_fault_of_the_service(
    served: schemathesis.BaseSchema, ground: Ground, method: str, path: str, mode: schemathesis.GenerationMode
) -> None:
    ground.prepare()
    # What takes no parameters is always the same request, but for its version and what it is about.
    examples = EXAMPLES if asks(method, path) else min(EXAMPLES, 3)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        case=served[path][method].as_strategy(generation_mode=mode),
        who=st.sampled_from(["member", "admin"]),
        which=st.sampled_from(["running", "ended"]),
    )
    def attempt(case: Case, who: str, which: str) -> None:
        # Without a token nothing is ever looked at; that has a test of its own.
        case.headers["X-Auth-Token"] = ground.tokens[who]
        ground.send(case)
        ground.aim(case, which)
        ground.send(case)

    try:
        attempt()
    except Unsatisfiable:
        # Nothing can be wrong about what takes no parameters.
        assert mode is schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize("token", [None, "", "nonsense", "\xff", "gAAAAA" * 200])
def test_whatever_needs_a_token_is_told_to_nobody_without_one(
    served: schemathesis.BaseSchema, ground: Ground, token: str | None
) -> None:
    ground.prepare()
    for method, path in OPERATIONS:
        if not PATHS[path][method]["security"]:
            continue
        there = {**ground.parts, "container": ground.parts["running"], "host": ground.host, "name": "busybox"}
        parts = {name: value for name, value in there.items() if f"{{{name}}}" in path}
        case = served[path][method].Case(path_parameters=parts)
        answer = case.call(
            base_url=ground.url, session=ground.session, headers={} if token is None else {"X-Auth-Token": token}
        )
        assert answer.status_code == 401, (method, path)
        case.validate_response(answer, checks=PROMISES)


RARE = [
    ("get", "/v1/hosts/{host}", "", None),
    ("put", "/v1/services/force_down", "forced_down=false&host={host}&binary=zun-compute", None),
    ("put", "/v1/services/disable", "", {"host": "{host}", "binary": "zun-compute", "disabled_reason": "why"}),
    ("post", "/v1/images", "", {"repo": "higgins.invalid/none:1", "host": "{host}"}),
    ("post", "/v1/registries", "", {"registry": {"domain": "higgins.invalid:5000", "username": "ann"}}),
    ("post", "/v1/containers/{container}/resize", "w=80&h=24", None),
    ("post", "/v1/containers/{container}/pause", "", None),
    ("get", "/v1/containers/{container}", "wait=Paused&timeout=30", None),
    ("post", "/v1/containers/{container}/unpause", "", None),
    ("get", "/v1/containers/{container}", "wait=Running&timeout=30", None),
    ("get", "/v1/containers/{container}/get_archive", "path=/etc", None),
    ("get", "/v1/containers/{container}/top", "ps_args=-ef", None),
    ("get", "/v1/containers/{container}/stats", "", None),
    ("post", "/v1/capsules", "", {"template": CAPSULE}),
    ("post", "/v1/capsules", "", {"template": json.dumps(CAPSULE)}),
    ("post", "/v1/containers", "dry_run=true&run=yes", {"image": "busybox", "cpu": 0.5}),
    ("post", "/v1/containers", "dry_run=true", {"image": "busybox", "availability_zone": "nowhere"}),
    ("post", "/v1/containers", "", {"image": "busybox", "host": "{host}", "disk": 160, "dry_run": True}),
    ("post", "/v1/capsules", "dry_run=true", {"template": CAPSULE}),
    ("get", "/v1/capsules/{capsule}", "wait=Running&timeout=30", None),
    ("get", "/v1/capsules", "limit=1&sort_key=status", None),
    ("post", "/v1/networks", "", {"name": "another", "subnet": "10.20.30.0/24"}),
    ("post", "/v1/networks", "", {"name": "shared", "shared": True}),
    ("get", "/v1/networks", "limit=1&sort_key=subnet", None),
    ("post", "/v1/containers/{container}/network_attach", "network={network}", None),
    ("get", "/v1/containers/{container}", "wait=Running&timeout=30", None),
    ("get", "/v1/containers/{container}/network_list", "", None),
    ("post", "/v1/containers/{container}/network_detach", "network={network}", None),
    ("get", "/v1/containers/{container}", "wait=Running&timeout=30", None),
    ("post", "/v1/containers/{container}/add_security_group", "name={group}", None),
    ("get", "/v1/containers/{container}", "wait=Running&timeout=30", None),
    ("post", "/v1/containers/{container}/remove_security_group", "name={group}", None),
    ("post", "/v1/containers", "dry_run=true", {"image": "busybox", "nets": [{"network": "spare"}]}),
    ("get", "/v1/quotas/{project}", "usages=true", None),
    ("put", "/v1/quotas/{project}", "", {"containers": 40, "memory": "51200", "disk": -1}),
    ("put", "/v1/quota_classes/{quota_class}", "cpu=-1", None),
]
"""What is seldom hit by chance."""


def test_what_is_well_said_succeeds_as_the_document_says(served: schemathesis.BaseSchema, ground: Ground) -> None:
    ground.prepare()
    there = {**ground.parts, "container": ground.parts["running"], "host": ground.host}
    for method, path, query, body in RARE:
        text = json.dumps(body).replace("{host}", ground.host)
        answer = ground.request(method.upper(), f"{path}?{query}".removeprefix("/v1").format(**there), json.loads(text))
        assert answer.status_code < 300, (method, path, answer.text)
        parts = {name: value for name, value in there.items() if f"{{{name}}}" in path}
        served[path][method].Case(path_parameters=parts).validate_response(answer, checks=PROMISES)


def test_what_is_no_json_is_what_the_document_says(served: schemathesis.BaseSchema, ground: Ground) -> None:
    ground.prepare()
    container = f"{ground.url}/v1/containers/{ground.parts['ended']}"
    answers = {}
    for path, kind in (("logs?follow=true", "text/plain"), ("get_archive?path=/etc", "application/x-tar")):
        headers = {**ground.known("member"), "Accept": kind}
        answer = ground.session.get(f"{container}/{path}", headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith(kind), (path, answer.headers)
        case = served[f"/v1/containers/{{container}}/{path.split('?')[0]}"]["get"].Case(
            path_parameters={"container": "web"}
        )
        case.validate_response(answer, checks=PROMISES)
        answers[kind] = answer.content
    # Whoever came before may have started it again.
    assert set(answers["text/plain"].splitlines()) == {b"hello"} and b"ustar" in answers["application/x-tar"]
    headers = {**ground.known("member"), "Content-Type": "application/x-tar"}
    sent = ground.session.post(
        f"{container}/put_archive?path=/tmp", data=answers["application/x-tar"], headers=headers, timeout=PATIENCE
    )
    assert (sent.status_code, sent.json()) == (200, None)
    # This one never ends by itself.
    headers = {**ground.known("member"), "Accept": "text/event-stream"}
    with ground.session.get(f"{ground.url}/v1/events?since=0", headers=headers, stream=True, timeout=PATIENCE) as sent:
        assert sent.headers["Content-Type"].startswith("text/event-stream")
        assert next(sent.iter_lines()).startswith(b"id: ")


WORDS = [
    "Zürich",
    "中文名字",
    "имя",
    "اسم",
    "नाम",
    "👩‍👩‍👧",
    "e\u0301",
    "\u00e9",
    "\u202egnp.exe",
    "a b",
    "a/b",
    "-web",
    "..",
    "{}",
    "%00",
    "\x1b[31m",
]


def test_words_in_every_script_come_back_as_they_went_in_and_names_are_those_of_zun(ground: Ground) -> None:
    made = {}
    for word in WORDS:
        body: dict[str, Any] = {
            "image": BUSYBOX,
            "image_pull_policy": "never",
            "command": ["printf", "%s", word],
            "memory": 16,
        }
        body |= {"labels": {word: word}, "environment": {"WORD": word}}
        refused = ground.request("POST", "/containers?run=true", {**body, "name": word})
        assert refused.status_code == 400 and "'name'" in refused.json()["errors"][0]["detail"], word
        made[word] = ground.ask("POST", "/containers?run=true", body)["uuid"]
    for word, uuid in made.items():
        ended = ground.ask("GET", f"/containers/{uuid}?wait=Stopped&timeout={PATIENCE}")
        assert (ended["status"], ended["exit_code"]) == ("Stopped", 0), ended
        assert (ended["labels"], ended["environment"]) == ({word: word}, {"WORD": word})
        assert ground.ask("GET", f"/containers/{uuid}/logs") == word
        ground.ask("DELETE", f"/containers/{uuid}?force=true")


def test_a_thousand_environment_variables_arrive_all(ground: Ground) -> None:
    variables = {f"VARIABLE_{number}": f"{number}" * 8 for number in range(1000)}
    body = {"image": BUSYBOX, "image_pull_policy": "never", "command": ["env"], "environment": variables, "memory": 16}
    uuid = ground.ask("POST", "/containers?run=true", body)["uuid"]
    assert ground.ask("GET", f"/containers/{uuid}?wait=Stopped&timeout={PATIENCE}")["status"] == "Stopped"
    printed = dict(line.split("=", 1) for line in ground.ask("GET", f"/containers/{uuid}/logs").splitlines())
    assert variables.items() <= printed.items()
    assert ground.ask("GET", f"/containers/{uuid}")["environment"] == variables
    ground.ask("DELETE", f"/containers/{uuid}?force=true")
