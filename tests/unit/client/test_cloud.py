"""What the client promises about requests: which are sent again, and what refusals become."""

import dataclasses
import os
import signal

import pytest

from higgins import errors
from higgins.client.cloud import Cloud, Opened, path
from higgins.client.connection import Place, Trust
from tests.unit.client.stub import Asked, Given, serving, session

REFUSED = {"errors": [{"code": "container.x", "title": "short", "detail": "A long story."}]}


def test_a_request_carries_its_token_and_the_newest_version():
    with serving(Given(200, {"containers": []})) as server:
        server.cloud().get("/containers", {"limit": 3, "name": ["a", "b"], "run": True, "not": None})
    (asked,) = server.asked
    assert asked.target == "/v1/containers?limit=3&name=a&name=b&run=true"
    assert asked.headers["X-Auth-Token"] == "secret"
    assert asked.headers["OpenStack-API-Version"] == "container 1.41"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (500, errors.Broken),
        (418, errors.Invalid),
    ],
)
def test_a_refusal_is_sorted_by_remedy_and_keeps_the_words_of_the_server(status, kind):
    with serving(Given(status, REFUSED)) as server, pytest.raises(kind) as refusal:
        server.cloud().get("/containers")
    assert refusal.value.message == "A long story"


@pytest.mark.parametrize(("name", "shown"), [("memory", True), ("networks", False)])
def test_whoever_has_too_much_is_led_to_what_shows_it_where_something_does(name, shown):
    title = f"Quota exceeded for resources: ['{name}']. {name}: 1 more were asked for, 2 of 2 are in use."
    refused = {"errors": [{"code": "container.over-quota", "title": title, "detail": title}]}
    with serving(Given(403, refused)) as server, pytest.raises(errors.Forbidden) as refusal:
        server.cloud().get("/containers")
    assert ("higgins quota show" in " ".join(getattr(refusal.value, "__notes__", ()))) == shown


def test_a_refusal_that_is_a_page_of_a_proxy_is_told_by_its_status():
    with serving(Given(502, b"<html>bad</html>")) as server, pytest.raises(errors.Unavailable) as refusal:
        server.cloud().get("/containers")
    assert refusal.value.message == "the server answered 502"


def test_a_failure_of_the_server_tells_its_request_id():
    given = Given(500, REFUSED, {"x-openstack-request-id": "req-7"})
    with serving(given) as server, pytest.raises(errors.Broken) as refusal:
        server.cloud().get("/containers")
    assert "req-7" in " ".join(refusal.value.__notes__)


def test_a_question_whose_answer_was_lost_is_asked_again():
    with serving(Given(broken=True), Given(200, {"a": 1})) as server:
        assert server.cloud().get("/x") == {"a": 1}


def test_whoever_is_interrupted_can_still_ask_for_something_else():
    def interrupted(_: Asked) -> Given:
        os.kill(os.getpid(), signal.SIGINT)
        return Given(200, {})

    with serving(interrupted, Given(204, b"")) as server:
        cloud = server.cloud()
        with pytest.raises(KeyboardInterrupt):
            cloud.get("/containers/x", {"wait": "Running"})
        cloud.delete("/containers/x")
    assert [asked.method for asked in server.asked] == ["GET", "DELETE"]


def test_what_makes_something_is_sent_again_under_the_same_key():
    with serving(Given(broken=True), Given(503, REFUSED, {"Retry-After": "0"}), Given(202, {"uuid": "u"})) as server:
        assert server.cloud().post("/containers", None, {"image": "x"}) == {"uuid": "u"}
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert len(server.asked) == 3


def test_two_requests_have_two_keys():
    with serving(Given(202, None)) as server:
        cloud = server.cloud()
        cloud.post("/containers")
        cloud.post("/containers")
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_a_removal_whose_answer_was_lost_is_not_sent_again():
    with serving(Given(broken=True)) as server, pytest.raises(errors.Unavailable):
        server.cloud().delete("/containers/x")
    assert len(server.asked) == 1


def test_a_server_that_stays_away_is_given_up_after_some_tries():
    with serving(Given(503, REFUSED, {"Retry-After": "0"})) as server, pytest.raises(errors.Unavailable):
        server.cloud().get("/x")
    assert len(server.asked) == 3


def test_a_long_wait_that_a_server_asks_for_is_left_to_the_caller():
    with serving(Given(503, REFUSED, {"Retry-After": "600"})) as server, pytest.raises(errors.Unavailable):
        server.cloud().get("/x")
    assert len(server.asked) == 1


def test_a_token_that_ended_early_is_replaced_once():
    kept: list[Opened] = []
    with serving(Given(401, {}), Given(200, {})) as server:
        renewed = dataclasses.replace(session(server.url), token="another")
        cloud = server.cloud(renew=lambda: renewed, keep=kept.append)
        cloud.get("/x")
    assert server.asked[-1].headers["X-Auth-Token"] == "another"
    assert [opened.session.token for opened in kept] == ["another"]


def test_who_is_refused_with_a_new_token_too_is_told_to_log_in():
    with serving(Given(401, {})) as server, pytest.raises(errors.Unauthenticated) as refusal:
        server.cloud(renew=lambda: session(server.url)).get("/x")
    assert "higgins login" in " ".join(refusal.value.__notes__)
    assert len(server.asked) == 2


def test_an_older_server_is_asked_in_its_own_version_and_without_keys():
    words = "Version 1.41 was requested ... The supported version range is: [container 1.1, container 1.40]."
    kept: list[Opened] = []
    with serving(Given(406, {"errors": [{"detail": words}]}), Given(202, {})) as server:
        cloud = server.cloud(keep=kept.append)
        cloud.post("/containers")
    assert server.asked[-1].headers["OpenStack-API-Version"] == "container 1.40"
    assert "Idempotency-Key" not in server.asked[-1].headers
    assert [opened.version for opened in kept] == ["1.40"]


def test_pages_are_followed_to_the_end():
    pages = [
        Given(200, {"containers": [{"uuid": "1"}], "next": "http://elsewhere"}),
        Given(200, {"containers": [{"uuid": "2"}], "next": None}),
    ]
    with serving(*pages) as server:
        assert [one["uuid"] for one in server.cloud().pages("/containers", "containers", {"a": 1})] == ["1", "2"]
    assert server.asked[1].target == "/v1/containers?a=1&marker=1"


def test_what_is_sent_in_pieces_arrives_whole():
    with serving(Given(200, None)) as server:
        upload, finish = server.cloud().upload("POST", "/x", {"path": "/"}, "application/x-tar")
        for piece in (b"ab", b"", b"c" * 70000):
            upload.write(piece)
        finish()
    assert server.asked[0].body == b"ab" + b"c" * 70000


def test_nobody_there_is_told_with_the_address_and_what_to_look_at():
    with serving(Given()) as server:
        pass
    with pytest.raises(errors.Unavailable) as refusal:
        server.cloud().get("/x")
    assert refusal.value.message.startswith(f"nothing answers at {server.url}: ")
    assert refusal.value.__notes__


def test_a_login_whose_catalogue_lacks_the_service_is_told():
    with pytest.raises(errors.NotFound, match="no containers service"):
        Cloud(Opened(session=dataclasses.replace(session("http://x"), endpoint=None)), Trust())


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "http://x:port", "http://[::1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(errors.Invalid):
        Place.of(url)


def test_a_place_keeps_its_path_and_knows_its_port():
    place = Place.of("https://[::1]/container/v1/")
    assert (place.origin, place.path, place.secure) == ("[::1]:443", "/container/v1", True)


def test_names_in_a_path_stay_names():
    assert path("images", "a/b:c?d", "search") == "/images/a%2Fb%3Ac%3Fd/search"
