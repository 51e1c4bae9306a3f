"""Who wants to be logged in: the environment first, then a cloud of clouds.yaml, then what `higgins login` saved."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

from higgins import errors
from higgins.cli.tenant import kept
from higgins.client.connection import Trust
from higgins.client.identity import ApplicationCredential, HeldToken, Named, Password, Proof

_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Where to log in, and with what."""

    source: str
    """Where they were found, for people."""
    auth_url: str
    proof: Proof
    trust: Trust
    region: str | None = None
    interface: str = "public"

    @property
    def key(self) -> str:
        """What a session is remembered by: whose, and for what. The password is no part of it."""
        match self.proof:
            case Password(user=user, project=project):
                who = f"{user!r} {project!r}"
            case ApplicationCredential(id=credential, name=name, user=user):
                who = f"{credential} {name} {user!r}"
            case HeldToken():
                who = "token"
        return f"{who} {self.auth_url} {self.region} {self.interface}"


def found() -> Credentials:
    """Those that the next command uses. Raises Unauthenticated, with what to do, if there are none."""
    if cloud := os.environ.get("OS_CLOUD"):
        # Reading YAML takes as long as the rest of a command, and few need it.
        document: Mapping[str, Any] = import_module("higgins.cli.tenant.clouds").named(cloud)
        return from_cloud(document, f"the cloud {cloud} of clouds.yaml")
    if "OS_AUTH_URL" in os.environ:
        return from_cloud(_environment(), "the environment (OS_*)")
    if saved := kept.login():
        return from_cloud(saved, "higgins login")
    raise _nothing()


def from_cloud(document: Mapping[str, Any], source: str) -> Credentials:
    """From one cloud as clouds.yaml has it, which is also the shape of what is saved. Raises Invalid for what is missing."""
    auth = {name: str(value) for name, value in (document.get("auth") or {}).items() if value not in (None, "")}
    if "auth_url" not in auth:
        raise errors.Invalid(f"{source}: auth_url is missing")
    # An empty region stands in many files that were made for one region.
    return Credentials(
        source=source,
        auth_url=auth["auth_url"],
        proof=_proof(auth, str(document.get("auth_type") or ""), source),
        trust=Trust(authorities=document.get("cacert") or None, verify=document.get("verify", True) is not False),
        region=document.get("region_name") or None,
        interface=str(document.get("interface") or "public"),
    )


def _environment() -> Mapping[str, Any]:
    """The variables of OpenStack's clients, in the shape of clouds.yaml."""
    env = {name.removeprefix("OS_").lower(): value for name, value in os.environ.items() if name.startswith("OS_")}
    if "tenant_name" in env:
        env.setdefault("project_name", env["tenant_name"])
    return {
        "auth": env,
        "auth_type": env.get("auth_type"),
        "cacert": env.get("cacert"),
        "verify": env.get("insecure", "").lower() not in _TRUE,
        "region_name": env.get("region_name"),
        "interface": env.get("interface") or env.get("endpoint_type"),
    }


def _proof(auth: Mapping[str, str], kind: str, source: str) -> Proof:
    user = _named(auth, "user")
    if "application_credential_secret" in auth:
        return ApplicationCredential(
            id=auth.get("application_credential_id"),
            name=auth.get("application_credential_name"),
            user=user,
            secret=auth["application_credential_secret"],
        )
    if "token" in auth and ("token" in kind or "password" not in auth):
        return HeldToken(token=auth["token"])
    if user is None:
        _missing(source, "a user: OS_USERNAME")
    if "password" not in auth:
        _missing(source, "a password: OS_PASSWORD")
    if (project := _named(auth, "project")) is None:
        _missing(source, "a project: OS_PROJECT_NAME")
    return Password(user=user, password=auth["password"], project=project)


def _named(auth: Mapping[str, str], noun: str) -> Named | None:
    name = auth.get("username") if noun == "user" else auth.get(f"{noun}_name")
    if name is None and f"{noun}_id" not in auth:
        return None
    return Named(
        id=auth.get(f"{noun}_id"),
        name=name,
        domain_id=auth.get(f"{noun}_domain_id") or auth.get("domain_id") or auth.get("default_domain_id"),
        domain_name=auth.get(f"{noun}_domain_name") or auth.get("domain_name") or auth.get("default_domain_name"),
    )


def _missing(source: str, what: str) -> NoReturn:
    failure = errors.Unauthenticated(f"{source} lacks {what}")
    failure.add_note("Set it, or log in: higgins login")
    raise failure


def _nothing() -> errors.Unauthenticated:
    failure = errors.Unauthenticated("nobody is logged in")
    failure.add_note(
        "Log in with `higgins login URL`, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME, or OS_CLOUD."
    )
    failure.add_note('Where ./quickstart set up Higgins: eval "$(./quickstart env)"')
    return failure
