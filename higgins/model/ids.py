"""The identifiers of every noun, each a type of its own so that one cannot be passed for another."""

import uuid
from typing import NewType

CapsuleId = NewType("CapsuleId", str)
"""A UUID in lower-case hyphenated form."""
ContainerId = NewType("ContainerId", str)
"""A UUID; also of a sandbox, which a runtime has among its containers. The container of a capsule of one has its capsule's id."""
HostId = NewType("HostId", str)
"""A UUID, given to a host when it enrols."""
ProjectId = NewType("ProjectId", str)
UserId = NewType("UserId", str)
RequestId = NewType("RequestId", str)
"""`req-` and a UUID; names the action that the request caused."""
RegistryId = NewType("RegistryId", str)
"""A UUID."""
ImageId = NewType("ImageId", str)
"""A UUID: of one image on one host, as the API lists it. What a runtime calls the id of an image is its digest here."""
VolumeId = NewType("VolumeId", str)
"""A UUID, that is never given to another volume."""
FileId = NewType("FileId", str)
"""A UUID; the content of one file that is mounted into a container."""
NetworkId = NewType("NetworkId", str)
"""A UUID."""
PortId = NewType("PortId", str)
"""A UUID."""
SecurityGroupId = NewType("SecurityGroupId", str)
"""A UUID."""
ExecId = NewType("ExecId", str)
"""64 hexadecimal digits; one command run inside a container."""

_MADE = uuid.UUID("5f1c7a58-7d0f-4c55-9b1b-6a2f3d5d0c11")


def made_by(request: RequestId, part: str = "") -> str:
    """The id of what a request makes, or of a part of that: the same UUID however often it is tried, so that it is made once."""
    return str(uuid.uuid5(_MADE, f"{request} {part}" if part else request))
