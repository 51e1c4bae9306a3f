"""The documents by which clients find out what is here, before they log in."""

from msgspec import Struct

from higgins.api.zun import microversion
from higgins.api.zun.views import Link

RESOURCES = (
    "services",
    "containers",
    "images",
    "networks",
    "hosts",
    "capsules",
    "availability_zones",
    "quotas",
    "quota_classes",
    "registries",
)


class Offer(Struct):
    """One version of the API."""

    id: str
    links: list[Link]
    status: str
    max_version: str
    min_version: str


class Versions(Struct):
    """All versions of the API."""

    name: str
    description: str
    versions: list[Offer]
    default_version: Offer


def versions(address: str) -> Versions:
    """The root document. Clients take the first version whose status is CURRENT."""
    offer = Offer(
        id="v1",
        links=[Link(f"{address}/v1/", "self")],
        status="CURRENT",
        max_version=str(microversion.MAX),
        min_version=str(microversion.MIN),
    )
    return Versions(
        name="OpenStack Zun API",
        description="Higgins: an OpenStack containers service, compatible with Zun.",
        versions=[offer],
        default_version=offer,
    )


def resources(address: str) -> dict[str, object]:
    """The document of version 1: its resources, each as a key of its own."""
    return {
        "id": "v1",
        "media_types": [{"base": "application/json", "type": "application/vnd.openstack.zun.v1+json"}],
        "links": [
            {"href": f"{address}/v1/", "rel": "self"},
            {
                "href": "https://docs.openstack.org/developer/zun/dev/api-spec-v1.html",
                "rel": "describedby",
                "type": "text/html",
            },
        ],
        **{name: [Link(f"{address}/v1/{name}/", "self"), Link(f"{address}/{name}/", "bookmark")] for name in RESOURCES},
    }
