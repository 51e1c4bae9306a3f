"""What every request meets at the door, whatever the service behind it says."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.api.zun.verbs import Services
from higgins.link.directory import Directory
from higgins.model.action import Action
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, RequestId, UserId
from higgins.model.live import ExecResult
from higgins.model.quota import Limits
from higgins.service.capsules import Capsules
from higgins.service.containers import Containers
from higgins.service.events import Events
from higgins.service.fleet import Fleet
from higgins.service.hints import Hints
from higgins.service.hosts import Hosts
from higgins.service.images import Images
from higgins.service.live import LiveVerbs
from higgins.service.networks import Networks
from higgins.service.policy import Policy
from higgins.service.quotas import Quotas
from higgins.service.registries import Registries
from higgins.service.repeats import Repeats
from higgins.service.secrets import Secrets
from higgins.service.security_groups import SecurityGroups
from higgins.service.volumes import Volumes
from higgins.store.database import Database
from tests.patience import PATIENCE

VERSION = "OpenStack-API-Version"
PIECES = [b'one "', b"caf\xc3", b"\xa9\n\xff\x00", b"end"]


class Porter:
    """Knows one token."""

    async def caller(self, token: str) -> Caller:
        if token != "good":
            raise errors.Unauthenticated("no such token")
        return Caller(user_id=UserId("u1"), project_id=ProjectId("p1"), roles=frozenset({"member", "reader"}))


class Moods(Containers):
    """A service that answers as the name of the container says; the rest of it has flow tests of its own."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.live = LiveMoods()
        self.closed = self.live.closed

    async def start(self, caller: Caller, request: RequestId, ref: str) -> None:
        self.started.append(request)
        match ref:
            case "busy":
                raise errors.Unavailable("its host is silent", retry_after=7.2)
            case "gone":
                raise errors.NotFound("Container gone could not be found.", code="container-not-found")
            case "broken":
                raise RuntimeError("secret of the house")

    async def delete(self, caller: Caller, request: RequestId, ref: str, **how) -> None:
        pass

    async def actions(self, caller: Caller, ref: str) -> list[Action]:
        return []


class LiveMoods(LiveVerbs):
    """The same for what hosts answer."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    @asynccontextmanager
    async def logs(
        self, caller: Caller, ref: str, *, follow: bool = False, **how
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            yield self._pieces(ref)
        finally:
            self.closed.set()

    async def _pieces(self, ref: str) -> AsyncIterator[bytes]:
        if ref == "silent":
            return
        if ref == "absent":
            raise errors.Unavailable("its host is silent")
        for piece in PIECES:
            yield piece
        if ref == "cut":
            raise errors.Unavailable("its host fell silent")
        while ref == "endless":
            yield b"x" * 65536
        while ref == "waiting":
            await asyncio.sleep(3600)

    async def execute(self, caller: Caller, ref: str, command, *, interactive: bool = False) -> ExecResult:
        return ExecResult(output=json.dumps(list(command)).encode(), exit_code=int(interactive))


class Client:
    """Sends requests as they are told, without tidying their paths."""

    def __init__(self, session: aiohttp.ClientSession, url: str, service: Moods) -> None:
        self.session, self.url, self.service = session, url, service

    async def __call__(self, method: str, path: str, body: object = None, **headers: str):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-Auth-Token": "good", "Content-Type": "application/json", **named}
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            await answer.read()
            return answer


def services(containers: Moods) -> Services:
    """The rest of them is never asked: its database was never opened."""
    database = Database("sqlite:////nowhere/at/all.sqlite")
    registries = Registries(database, Policy(), Secrets(Path("/nowhere/at/all.key"), make=False), Hints())
    return Services(
        containers=containers,
        capsules=Capsules(database, Policy(), Hints()),
        fleet=Fleet(database, Policy(), Hosts(database, Hints())),
        events=Events(database, Policy(), Hints()),
        repeats=Repeats(database),
        live=containers.live,
        registries=registries,
        volumes=Volumes(database, Policy()),
        images=Images(database, Policy(), Directory(), Hints(), registries),
        networks=Networks(database, Policy()),
        security_groups=SecurityGroups(database, Policy()),
        quotas=Quotas(database, Policy(), Limits()),
    )


@pytest.fixture
async def client():
    service = Moods()
    other = web.Application()

    async def login(_: web.Request) -> web.Response:
        return web.json_response({"who": "identity"})

    other.router.add_get("/v3", login)
    app = application(services(service), Porter(), Policy(), max_body=1000, others={"/identity": other})
    async with serving(app, host="127.0.0.1", port=0, grace=0.1) as listening, aiohttp.ClientSession() as session:
        yield Client(session, listening.url, service)


async def refusal(answer) -> dict:
    assert answer.content_type == "application/json"
    [error] = (await answer.json())["errors"]
    assert error["status"] == answer.status
    assert error["request_id"] == ""
    assert error["links"] == []
    return dict(error)


async def test_versions_are_told_without_a_token_with_and_without_a_slash(client):
    for path in ("", "/"):
        answer = await client("GET", path, X_Auth_Token="")
        body = await answer.json()
        [version] = body["versions"]
        assert version == body["default_version"]
        assert (version["status"], version["min_version"], version["max_version"]) == ("CURRENT", "1.1", "1.41")
        assert version["links"][0]["href"] == f"{client.url}/v1/"
        assert VERSION not in answer.headers


async def test_the_resources_are_told_without_a_token_in_a_version(client):
    for path in ("/v1", "/v1/"):
        answer = await client("GET", path, X_Auth_Token="", OpenStack_API_Version="container 1.12")
        assert answer.headers[VERSION] == "container 1.12"
        body = await answer.json()
        assert body["id"] == "v1"
        assert body["containers"][0] == {"href": f"{client.url}/v1/containers/", "rel": "self"}


async def test_health_is_told_without_a_token(client):
    answer = await client("GET", "/healthcheck", X_Auth_Token="")
    assert (answer.status, await answer.text()) == (200, "OK")


async def test_the_openapi_document_is_served_without_a_token(client):
    answer = await client("GET", "/openapi.json", X_Auth_Token="")
    assert (await answer.json())["openapi"] == "3.1.0"


async def test_other_applications_stand_beside_it_with_request_ids_too(client):
    answer = await client("GET", "/identity/v3", X_Auth_Token="")
    assert await answer.json() == {"who": "identity"}
    assert answer.headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.parametrize("token", ["", "bad", "caf\u00e9"])
async def test_whoever_is_not_known_is_told_where_to_log_in(client, token):
    for path in ("/v1/containers", "/v1/nothing", "/v1/containers/web/start"):
        answer = await client("GET", path, X_Auth_Token=token)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{client.url}/identity/v3"'
        assert await answer.json() == {
            "error": {
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }
        }
        assert VERSION not in answer.headers


async def test_every_answer_has_a_request_id_and_it_is_the_actions(client):
    answers = [
        await client("GET", "/"),
        await client("GET", "/v1/nothing"),
        await client("GET", "/v1/containers/web/logs"),
        await client("POST", "/v1/containers/web/start"),
    ]
    told = [answer.headers["x-openstack-request-id"] for answer in answers]
    assert len(set(told)) == 4
    assert all(re.fullmatch("req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in told)
    assert client.service.started == told[-1:]


async def test_an_action_is_accepted_with_null_in_the_version_asked_for(client):
    answer = await client("POST", "/v1/containers/web/start", OpenStack_API_Version="container 1.12")
    assert (answer.status, answer.content_type, await answer.text()) == (202, "application/json", "null")
    assert answer.headers[VERSION] == "container 1.12"
    assert answer.headers["OpenStack-API-Minimum-Version"] == "container 1.1"
    assert answer.headers["OpenStack-API-Maximum-Version"] == "container 1.41"
    assert answer.headers["Vary"] == VERSION


async def test_a_deletion_is_answered_with_nothing_at_all(client):
    answer = await client("DELETE", "/v1/containers/web?force=False&stop=False&all_projects=False")
    assert (answer.status, await answer.text()) == (204, "")
    assert "Content-Type" not in answer.headers


async def test_what_is_not_found_is_said_in_the_clients_shape(client):
    answer = await client("POST", "/v1/containers/gone/start")
    error = await refusal(answer)
    assert (answer.status, error["code"]) == (404, "container.container-not-found")
    assert error["title"] == error["detail"] == "Container gone could not be found."
    assert answer.headers[VERSION] == "container 1.1"


async def test_what_may_work_later_says_when(client):
    answer = await client("POST", "/v1/containers/busy/start", OpenStack_API_Version="container 1.41")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "8")
    assert (await refusal(answer))["detail"] == "its host is silent"


async def test_clients_of_older_versions_which_stumble_over_it_are_not_told_when(client):
    answer = await client("POST", "/v1/containers/busy/start", OpenStack_API_Version="container 1.40")
    assert answer.status == 503
    assert "Retry-After" not in answer.headers
    assert (await refusal(answer))["detail"] == "its host is silent"


async def test_trouble_of_the_service_is_told_to_the_log_and_not_to_the_caller(client, caplog):
    answer = await client("POST", "/v1/containers/broken/start")
    error = await refusal(answer)
    assert (answer.status, error["code"], error["title"]) == (500, "container.", "Internal Server Error")
    assert "secret" not in error["detail"]
    correlation = error["detail"].rpartition(": ")[2]
    [record] = [one for one in caplog.records if correlation in one.getMessage()]
    assert "secret of the house" in str(record.exc_info)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/containers", "/v1/containers/web/nothing", "/v1/%0Anothing"])
async def test_a_path_that_leads_nowhere_is_a_404_in_the_same_shape(client, path):
    answer = await client("GET", path)
    error = await refusal(answer)
    assert (answer.status, error["code"], error["title"]) == (404, "container.", "Not Found")
    assert VERSION not in answer.headers


async def test_a_wrong_method_is_told_the_right_ones(client):
    answer = await client("PUT", "/v1/containers/web")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, PATCH, DELETE")
    assert (await refusal(answer))["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    ("path", "version", "title", "detail"),
    [
        (
            "/v1/containers",
            "container 1.42",
            "Requested microversion is unsupported",
            "[container 1.1, container 1.41]",
        ),
        ("/v1/containers", "latest", "Not Acceptable", "Invalid service type for OpenStack-API-Version header"),
        ("/v1", "container x", "Not Acceptable", "Invalid value for OpenStack-API-Version header"),
    ],
)
async def test_a_version_that_is_not_offered_is_a_406_in_the_same_shape(client, path, version, title, detail):
    answer = await client("GET", path, OpenStack_API_Version=version)
    error = await refusal(answer)
    assert (answer.status, error["code"], error["title"]) == (406, "container.", title)
    assert detail in error["detail"]
    assert VERSION not in answer.headers


async def test_a_verb_that_ended_with_an_older_version_is_a_406(client):
    answer = await client("POST", "/v1/containers/web/rename?name=new", OpenStack_API_Version="container 1.14")
    detail = "Version 1.14 was requested but the requested API is not supported for this version."
    assert (answer.status, (await refusal(answer))["detail"]) == (406, detail)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (b'{"image": NaN}', "not valid JSON"),
        (b'{"image": "\xff"}', "not valid JSON"),
        (b'{"cpu": 1e999, "image": "nginx"}', "not valid JSON"),
        (b"[" * 900, "not valid JSON"),
        (b'{"image": "nginx", "x": ' + b"[" * 400 + b'"\\u0000"' + b"]" * 400 + b"}", "nested too deeply"),
        (b'{"image": "nginx", "name": ' + b"[" * 33 + b"]" * 33 + b"}", "nested too deeply"),
        (b"[]", "must be a JSON object"),
        (b'"image"', "must be a JSON object"),
        (b'{"image": "nginx\\u0000"}', "NUL"),
        (b'{"image": "nginx", "environment": {"a\\u0000": "b"}}', "NUL"),
        (b"", "'image' is a required property"),
        (b"null", "'image' is a required property"),
    ],
)
async def test_a_body_that_cannot_be_understood_is_refused(client, body, words):
    answer = await client("POST", "/v1/containers", body)
    assert answer.status == 400
    assert words in (await refusal(answer))["detail"]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_that_is_none_is_refused(client, coding):
    answer = await client("POST", "/v1/containers", b"nonsense", Content_Encoding=coding)
    assert answer.status == 400


async def test_a_body_that_is_too_large_is_refused_in_the_same_shape(client):
    answer = await client("POST", "/v1/containers", {"image": "x" * 2000})
    assert answer.status == 413
    assert "1000" in (await refusal(answer))["detail"]


async def test_a_container_is_created_from_json_only(client):
    answer = await client("POST", "/v1/containers", b"image=nginx", Content_Type="text/plain")
    assert answer.status == 415
    assert "application/json" in (await refusal(answer))["detail"]


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("?command=%22ls%22+%22-l%22&interactive=True", None, "application/json"),
        ("", {"command": '"ls" "-l"', "interactive": True}, "application/json"),
        ("?interactive=True", {"command": "ls -l"}, "application/octet-stream"),
        ("", b"command=ls+-l&interactive=true", "application/x-www-form-urlencoded"),
    ],
)
async def test_parameters_of_an_action_may_stand_in_the_query_or_in_the_body(client, query, body, kind):
    answer = await client("POST", f"/v1/containers/web/execute{query}", body, Content_Type=kind)
    assert await answer.json() == {"output": '["ls", "-l"]', "exit_code": 1, "exec_id": None, "proxy_url": None}


async def test_of_a_key_that_stands_twice_in_a_body_the_last_one_counts(client):
    answer = await client("POST", "/v1/containers/web/execute", b'{"command": "rm", "command": "ls -l"}')
    assert (await answer.json())["output"] == '["ls", "-l"]'


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?colour=red", "'colour' was unexpected"),
        ("?tail=a%00", "NUL"),
        ("?stdout=perhaps", "'stdout'"),
        ("?stdout=1&stdout=0", "'stdout'"),
        ("?" + "&".join(f"p{number}=1" for number in range(1001)), "too many"),
    ],
)
async def test_a_query_that_cannot_be_understood_is_refused(client, query, words):
    answer = await client("GET", f"/v1/containers/web/logs{query}")
    assert answer.status == 400
    assert words in (await refusal(answer))["detail"]


async def test_a_command_of_no_words_is_refused(client):
    answer = await client("POST", "/v1/containers/web/execute", {"command": "  "})
    assert "'command'" in (await refusal(answer))["detail"]


async def test_logs_are_one_json_string_whatever_the_bytes(client):
    answer = await client("GET", "/v1/containers/web/logs")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert await answer.json() == b"".join(PIECES).decode(errors="replace")
    assert answer.headers[VERSION] == "container 1.1"


async def test_no_logs_are_an_empty_string(client):
    assert await (await client("GET", "/v1/containers/silent/logs")).json() == ""


async def test_logs_that_cannot_be_read_at_all_are_refused_properly(client):
    answer = await client("GET", "/v1/containers/absent/logs")
    assert (answer.status, (await refusal(answer))["code"]) == (503, "container.unavailable")


async def test_logs_that_break_off_do_not_look_complete(client):
    with pytest.raises(aiohttp.ClientPayloadError):
        await client("GET", "/v1/containers/cut/logs")


async def test_logs_are_written_as_they_come_and_end_with_their_reader(client):
    head = {"X-Auth-Token": "good"}
    async with client.session.get(f"{client.url}/v1/containers/endless/logs", headers=head) as answer:
        assert len(await answer.content.readexactly(1_000_000)) == 1_000_000
        answer.close()
    async with asyncio.timeout(PATIENCE):
        await client.service.closed.wait()


async def test_the_head_of_logs_is_told_without_them(client):
    answer = await client("HEAD", "/v1/containers/endless/logs")
    assert (answer.status, answer.content_type) == (200, "application/json")
    async with asyncio.timeout(PATIENCE):
        await client.service.closed.wait()


async def test_nothing_of_a_token_is_ever_logged(client, caplog):
    caplog.set_level("DEBUG")
    await client("POST", "/v1/containers/broken/start", X_Auth_Token="good")
    await client("POST", "/v1/containers/broken/start", X_Auth_Token="unmistakable")
    assert "unmistakable" not in caplog.text


@pytest.mark.parametrize("host", ['"><b>', "caf\u00e9", "a b", "x" * 4000])
async def test_a_strange_host_header_breaks_nothing(client, host):
    answer = await client("GET", "/", Host=host)
    assert answer.status in (200, 400)


async def test_links_begin_with_the_public_address_where_one_is_configured():
    app = application(
        services(Moods()), Porter(), Policy(), public_url="https://cloud.example/container/", login_url="https://login"
    )
    async with serving(app, host="127.0.0.1", port=0) as listening, aiohttp.ClientSession() as session:
        async with session.get(listening.url) as answer:
            [version] = (await answer.json())["versions"]
            assert version["links"][0]["href"] == "https://cloud.example/container/v1/"
        async with session.get(f"{listening.url}/v1/containers") as answer:
            assert answer.headers["WWW-Authenticate"] == 'Keystone uri="https://login"'
