"""The served document describes every route, and is what it says it is."""

import json
import re

import openapi_spec_validator

from higgins.api.zun import openapi, parameters, values, views
from higgins.api.zun.routes import ROUTES

DOCUMENT = json.loads(openapi.document(values.Bounds()))


def test_the_document_is_valid_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1")
    openapi_spec_validator.validate(DOCUMENT)


def test_every_route_is_an_operation_of_the_document():
    described = {
        (method.upper(), path.removeprefix("/v1")) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(route.method, route.path.removeprefix("/v1")) for route in ROUTES}


def test_the_bounds_of_the_deployment_are_in_the_document():
    document = json.loads(openapi.document(values.Bounds(maximum_memory=77)))
    memory = document["components"]["schemas"]["CreateContainer"]["properties"]["memory"]
    assert '"maximum": 77' in json.dumps(memory)


def test_whatever_the_forms_take_is_in_the_document():
    for route in ROUTES:
        path = route.path if not route.versioned or route.path == "/v1" else f"/v1{route.path}"
        operation = DOCUMENT["paths"][path][route.method.lower()]
        query = {one["name"] for one in operation["parameters"] if one.get("in") == "query"}
        assert query == set(route.form.names if route.form.query is None else route.form.query)
        if route.method in parameters.WITH_BODY and route.form.names:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": f"#/components/schemas/{route.form.params.__name__}"}


def operation(method: str, path: str) -> dict:
    return dict(DOCUMENT["paths"][path][method])


def answers(method: str, path: str, status: str = "200") -> dict:
    """What an answer's body is, by content type."""
    return {kind: one["schema"] for kind, one in operation(method, path)["responses"][status]["content"].items()}


def test_every_answer_says_what_kinds_of_content_it_can_be():
    assert answers("get", "/v1/containers/{container}/logs") == {
        "application/json": {"type": "string"},
        "text/plain": {"type": "string"},
    }
    assert answers("get", "/v1/containers/{container}/get_archive")["application/x-tar"]["format"] == "binary"
    assert answers("get", "/v1/containers/{container}/attach") == {"application/json": {"type": "string"}}
    assert answers("get", "/v1/events")["text/event-stream"] == {"type": "string"}
    assert answers("get", "/healthcheck") == {"text/plain": {"type": "string"}}
    assert answers("post", "/v1/containers/{container}/start", "202") == {"application/json": {"type": "null"}}
    assert "content" not in operation("delete", "/v1/containers/{container}")["responses"]["204"]


def test_an_archive_may_be_sent_as_it_is():
    taken = operation("post", "/v1/containers/{container}/put_archive")["requestBody"]["content"]
    assert set(taken) == {"application/json", "application/x-tar"}


def test_whoever_needs_a_token_is_told_in_which_words_it_is_asked_for():
    for path, item in DOCUMENT["paths"].items():
        for one in item.values():
            assert ("401" in one["responses"]) is (one["security"] != []), path


def told(method: str, path: str) -> dict:
    """What is said of each parameter."""
    return {one["name"]: one["description"] for one in operation(method, path)["parameters"] if "name" in one}


def test_a_parameter_says_with_which_version_it_came():
    show = told("get", "/v1/containers/{container}")
    assert show["wait"].startswith("From version 1.41 on. ") and "version" not in show["all_projects"]
    create = DOCUMENT["components"]["schemas"]["CreateContainer"]["properties"]
    for name, since in {"auto_remove": "1.3", "hostname": "1.9", "healthcheck": "1.22", "entrypoint": "1.40"}.items():
        assert create[name]["description"].startswith(f"From version {since} on. "), name


def test_a_field_of_an_answer_says_with_which_version_it_came():
    container = DOCUMENT["components"]["schemas"]["Container"]["properties"]
    for name in views.SINCE:
        assert container[name]["description"].startswith(f"From version {views.SINCE[name]} on. "), name


def test_what_is_not_offered_yet_is_said():
    create = DOCUMENT["components"]["schemas"]["CreateContainer"]["properties"]
    assert create["cpu_policy"]["description"].endswith("Not offered by this deployment yet: dedicated CPUs.")


def test_every_parameter_and_every_field_of_every_request_is_described():
    for path, item in DOCUMENT["paths"].items():
        for method, one in item.items():
            for parameter in one["parameters"]:
                assert "$ref" in parameter or parameter["description"], (method, path, parameter)
            for kind in one.get("requestBody", {"content": {}})["content"].values():
                assert undescribed(kind["schema"]) == []


def undescribed(schema: dict) -> list[str]:
    """The fields of what is sent, and of what stands in it, of which nothing is said."""
    found = []
    for name in re.findall("#/components/schemas/(\\w+)", json.dumps(schema)):
        for field, described in DOCUMENT["components"]["schemas"][name].get("properties", {}).items():
            found += [] if described.get("description") else [f"{name}.{field}"]
            found += undescribed(described)
    return found


def test_a_query_has_no_null_in_it():
    for item in DOCUMENT["paths"].values():
        for one in item.values():
            for parameter in one["parameters"]:
                if parameter.get("in") == "query":
                    assert '"null"' not in json.dumps(parameter), parameter


def test_every_status_of_an_answer_is_said_and_what_its_headers_are():
    create = operation("post", "/v1/containers")["responses"]
    assert set(create) == {"200", "202", "400", "401", "403", "404", "406", "409", "413", "415", "500", "503"}
    assert {"Location", "X-Openstack-Request-Id", "OpenStack-API-Version"} <= set(create["202"]["headers"])
    assert "Location" not in create["200"]["headers"]
    assert (
        answers("post", "/v1/capsules") == answers("post", "/v1/containers") != answers("post", "/v1/containers", "202")
    )
    assert set(operation("get", "/")["responses"]) == {"200", "500"}
    assert "415" not in operation("post", "/v1/containers/{container}/stop")["responses"]


def test_every_post_can_be_given_a_key():
    for path, item in DOCUMENT["paths"].items():
        for method, one in item.items():
            keyed = {"$ref": "#/components/parameters/key"} in one["parameters"]
            assert keyed is (method == "post"), (method, path)


def test_only_the_public_documents_need_no_token():
    free = {path for path, item in DOCUMENT["paths"].items() for one in item.values() if one["security"] == []}
    assert free == {"/", "/v1", "/healthcheck", "/openapi.json", "/v1/console"}
