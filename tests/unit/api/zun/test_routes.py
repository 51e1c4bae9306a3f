"""A path finds its route however clients write it."""

import pytest

from higgins.api.zun import routes
from higgins.api.zun.routes import ROUTES, Found, Missed


def found(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    match routes.find(method, path):
        case Found(route=route, path=variables):
            return route.path, variables
        case missed:
            return str(missed), ()


LIST, ONE = "/containers", "/containers/{container}"


@pytest.mark.parametrize(
    ("path", "route", "variables"),
    [
        ("", "/", ()),
        ("/", "/", ()),
        ("/v1", "/v1", ()),
        ("/v1/", "/v1", ()),
        ("/v1.json", "/v1", ()),
        ("/healthcheck", "/healthcheck", ()),
        ("/openapi.json", "/openapi.json", ()),
        ("/v1/containers", LIST, ()),
        ("/v1/containers/", LIST, ()),
        ("/containers", LIST, ()),
        ("/v1/containers.json", LIST, ()),
        ("/v1/containers/web", ONE, ("web",)),
        ("/v1/containers//web", ONE, ("web",)),
        ("/v1//containers///web/", ONE, ("web",)),
        ("/containers/web", ONE, ("web",)),
        ("/v1/containers/web.txt", ONE, ("web.txt",)),
        ("/v1/containers/web.json", ONE, ("web",)),
        ("/v1/containers/w%65b", ONE, ("web",)),
        ("/v1/containers/a%2Fb", ONE, ("a/b",)),
        ("/v1/containers/%FF", ONE, ("\ufffd",)),
        ("/v1/containers/a\udcffb", ONE, ("a\ufffdb",)),
        ("/v1/containers/{}", ONE, ("{}",)),
        ("/v1/containers/v1", ONE, ("v1",)),
        ("/v1/containers/web/logs", ONE + "/logs", ("web",)),
        ("/v1/containers/web/container_actions/req-1", ONE + "/container_actions/{request_id}", ("web", "req-1")),
    ],
)
def test_a_path_is_read_as_clients_write_it(path, route, variables):
    assert found("GET", path) == (route, variables)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/containers",
        "/v1/nothing",
        "/v1/containers/web/nothing",
        "/v1/containers/web/logs/more",
        "/v1/containers/web/container_actions/req-1/more",
        "/v1/containers/we%00b",
        "/{}/{}",
        "/containers/{}/{}",
    ],
)
def test_other_paths_lead_nowhere(path):
    assert routes.find("GET", path) == Missed()


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/containers/web"), ("OPTIONS", "/v1/containers/web"), ("POST", "/v1/containers/web")],
)
def test_a_wrong_method_on_a_resource_is_told_the_right_ones(method, path):
    assert routes.find(method, path) == Missed(("GET", "PATCH", "DELETE"))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/containers/web/start"), ("POST", "/v1/containers/web/logs"), ("HEAD", "/v1/containers/web/stop")],
)
def test_a_wrong_method_on_an_action_leads_nowhere(method, path):
    assert routes.find(method, path) == Missed()


def test_whatever_can_be_got_can_be_asked_for_its_head():
    for route in ROUTES:
        if route.method == "GET":
            path = route.path.replace("{container}", "web").replace("{request_id}", "req-1")
            assert routes.find("HEAD", path) == routes.find("GET", path)


def test_no_two_routes_are_the_same():
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_documents_can_be_read_without_a_token_and_a_console_has_one_of_its_own():
    assert {route.path for route in ROUTES if route.public} == {"/", "/v1", "/healthcheck", "/openapi.json", "/console"}
