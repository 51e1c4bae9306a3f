"""Whatever is sent to whatever route of a real server, it is never the server that fails."""

import json
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from higgins.api.zun import openapi
from higgins.api.zun.values import Bounds
from tests.system.servers import AllInOne, Login

EXAMPLES = 20
"""Of each operation, good ones and bad ones; each is tried twice. Together under a minute."""

OPERATIONS = [
    (method, path)
    for path, operations in json.loads(openapi.document(Bounds()))["paths"].items()
    for method in operations
]


class Session(requests.Session):
    """Requests of one user, all to one server."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.url = url
        self.token = token
        self.headers["X-Auth-Token"] = token
        self.trust_env = False

    def target(self) -> str:
        """A container that is there, whatever was done to the one before. Its image can never be fetched, so that nothing runs."""
        found = self.get(f"{self.url}/v1/containers/target")
        if found.status_code != 200:
            body = {"image": "higgins.invalid/none", "name": "target"}
            found = self.post(f"{self.url}/v1/containers", json=body)
            assert found.status_code == 202, found.text
        return str(found.json()["uuid"])

    def send_case(self, case: schemathesis.Case) -> None:
        """What schemathesis thought of, as it thought of it."""
        answer = case.call(base_url=self.url, session=self)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)


@pytest.fixture(scope="module")
def served(all_in_one: AllInOne) -> schemathesis.BaseSchema:
    """What the server says of itself."""
    return schemathesis.openapi.from_url(f"{all_in_one.url}/openapi.json")


@pytest.fixture(scope="module")
def member_session(all_in_one: AllInOne, member: Login) -> Iterator[Session]:
    """An ordinary user, who leaves nothing behind."""
    with Session(all_in_one.url, member.token()) as session:
        yield session
        for one in session.get(f"{session.url}/v1/containers").json()["containers"]:
            session.delete(
                f"{session.url}/v1/containers/{one['uuid']}?stop=true",
                headers={"OpenStack-API-Version": "container 1.40"},
            )


def test_the_server_serves_a_description_of_every_operation(served: schemathesis.BaseSchema) -> None:
    assert {(method, path) for path in served for method in served[path]} == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_input_however_bad_is_a_fault_of_the_service(
    served: schemathesis.BaseSchema,
    member_session: Session,
    method: str,
    path: str,
    mode: schemathesis.GenerationMode,
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=served[path][method].as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        member_session.send_case(case)
        # Once more, past what is refused at once: by a known caller, in a version that is offered, about a container that is there.
        case.headers["X-Auth-Token"] = member_session.token
        case.headers["OpenStack-API-Version"] = "container 1.13" if path.endswith("/rename") else "container 1.40"
        if "container" in case.path_parameters:
            case.path_parameters["container"] = member_session.target()
        member_session.send_case(case)

    try:
        attempt()
    except Unsatisfiable:
        # Nothing can be wrong about what takes no parameters.
        assert mode is schemathesis.GenerationMode.NEGATIVE
