"""What is generated, and what travels in envelopes."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from higgins import errors
from higgins.link import envelopes, failures, messages
from higgins.link import higgins_pb2 as wire
from higgins.model import live
from higgins.model.capsule import CapsuleSpec, CapsuleStatus, Container, ContainerStatus, Desired
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, ContainerId, ExecId, HostId, ProjectId
from higgins.model.live import Execute, Kill, ReadLogs
from higgins.model.registry import Login

C = ContainerId("c")
ROOT = Path(__file__).parents[3]
INVENTORY = Inventory(runtime="fake", labels={"rack": "7"})
STATUS = CapsuleStatus(containers={ContainerId("c"): ContainerStatus(restarts=2)})
WORK = messages.Work(
    capsule_id=CapsuleId("c"),
    project_id=ProjectId("p"),
    epoch=3,
    spec=CapsuleSpec(
        containers=(Container(id=ContainerId("c"), name="web", image="busybox", command=("a", "ü")),),
        desired=Desired.RUNNING,
    ),
    status=STATUS,
)


def test_the_generated_code_is_that_of_the_definition(tmp_path: Path):
    command = f"-m grpc_tools.protoc -I. --python_out={tmp_path} --pyi_out={tmp_path} --grpc_python_out={tmp_path}"
    subprocess.run([sys.executable, *command.split(), "higgins/link/higgins.proto"], cwd=ROOT, check=True)
    fresh = sorted((tmp_path / "higgins/link").iterdir())
    assert len(fresh) == 3
    for path in fresh:
        assert (ROOT / "higgins/link" / path.name).read_text() == path.read_text(), f"generate {path.name} again"


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello(host_id=HostId("h"), name="h1", availability_zone="nova", inventory=INVENTORY),
        messages.Heartbeat(known="k", inventory=INVENTORY),
        messages.Report(findings=(messages.Finding(capsule_id=CapsuleId("c"), epoch=1, sequence=2, status=STATUS),)),
    ],
)
def test_what_a_host_says_arrives_as_it_was(message: messages.HostMessage):
    sent = envelopes.pack_host(message).SerializeToString()
    assert envelopes.unpack_host(wire.HostEnvelope.FromString(sent)) == message


@pytest.mark.parametrize(
    "message",
    [
        messages.Welcome(session=1, heartbeat=5.0),
        messages.Whole(number=1, capsules=(CapsuleId("c"), CapsuleId("d"))),
        messages.Changed(number=1, work=(WORK, WORK)),
        messages.Withdrawn(number=1, capsules=(CapsuleId("c"),)),
        messages.Acknowledged(sequences=(1, 2)),
        messages.OpenCall(call_id="1", request=ReadLogs(container_id=ContainerId("c"), tail=3)),
        messages.OpenCall(call_id="1", request=Execute(container_id=ContainerId("c"), command=("ls",), timeout=1.0)),
        messages.OpenCall(call_id="1", request=Kill(container_id=ContainerId("c"), signal="SIGHUP")),
    ],
)
def test_what_the_control_plane_says_arrives_as_it_was(message: messages.ControlMessage):
    sent = envelopes.pack_control(message).SerializeToString()
    assert envelopes.unpack_control(wire.ControlEnvelope.FromString(sent)) == message


@pytest.mark.parametrize(
    "request_",
    [
        live.Enter(container_id=C, exec_id=ExecId("e"), command=("sh",), terminal=False),
        live.Launch(container_id=C, exec_id=ExecId("e"), command=("sh", "-c", ""), terminal=True),
        live.Attach(container_id=C, stdin=False, logs=True, again=True),
        live.Resize(container_id=C, width=80, height=24),
        live.ListProcesses(container_id=C, arguments="-ef"),
        live.ReadUsage(container_id=C),
        live.GetArchive(container_id=C, path="/etc/hosts"),
        live.PutArchive(container_id=C, path="/tmp"),
        live.Commit(container_id=C, project_id=ProjectId("p"), repository="mine"),
        live.PullImage(
            reference="a/b", project_id=ProjectId("p"), login=Login(domain="a", username="u", password="secret")
        ),
        live.RemoveImage(reference="a/b"),
        live.SearchImages(term="b", exact=True),
    ],
    ids=lambda request: type(request).__name__,
)
def test_every_request_arrives_as_it_was(request_: live.LiveRequest):
    sent = envelopes.pack_control(messages.OpenCall(call_id="1", request=request_)).SerializeToString()
    arrived = envelopes.unpack_control(wire.ControlEnvelope.FromString(sent))
    assert arrived == messages.OpenCall(call_id="1", request=request_)


def test_every_request_has_its_place():
    assert set(envelopes.REQUESTS.values()) == set(get_args(live.LiveRequest))
    assert set(envelopes.REQUESTS) == {field.name for field in wire.OpenCall.DESCRIPTOR.oneofs[0].fields}


def test_a_kind_that_only_a_newer_peer_knows_is_skipped():
    assert envelopes.unpack_host(wire.HostEnvelope()) is None
    assert envelopes.unpack_control(wire.ControlEnvelope()) is None
    assert envelopes.unpack_control(wire.ControlEnvelope(open_call=wire.OpenCall(call_id="1"))) is None


def test_a_document_that_cannot_be_read_is_somebodys_fault():
    with pytest.raises(errors.Broken):
        envelopes.unpack_host(wire.HostEnvelope(hello=b"{}"))


@pytest.mark.parametrize("kind", errors.Failure.__subclasses__())
def test_every_failure_arrives_with_its_remedy(kind: type[errors.Failure]):
    for failure in (kind("what to do", code="special", retry_after=3.0), kind("ü")):
        arrived = failures.unpack(failures.pack(failure))
        assert type(arrived) is kind
        assert (arrived.message, arrived.name, arrived.retry_after) == (
            failure.message,
            failure.name,
            failure.retry_after,
        )


def test_a_remedy_that_only_a_newer_peer_knows_is_the_operators_matter():
    arrived = failures.unpack(b'{"remedy": "Sleep", "message": "m"}')
    assert isinstance(arrived, errors.Broken)
    assert arrived.message == "m"
