"""The API as the commands of one invocation use it, logged in when a command first asks for it."""

from typing import Any

from higgins import errors
from higgins.cli.tenant import credentials, kept
from higgins.cli.tenant.credentials import Credentials
from higgins.client.cloud import VERSION, Cloud, Opened
from higgins.client.identity import HeldToken, Login, Session


def cloud() -> Cloud:
    """The API of whoever is logged in. A login that is still good costs no request."""
    return opened(credentials.found())


def opened(found: Credentials) -> Cloud:
    """The same for known credentials."""
    login = Login(found.auth_url, found.trust, region=found.region, interface=found.interface)
    held = isinstance(found.proof, HeldToken)

    def renewed() -> Session:
        try:
            session = login.log_in(found.proof)
        except errors.Unauthenticated as refusal:
            refusal.add_note(f"The credentials came from {found.source}.")
            raise
        keep(Opened(session=session))
        return session

    def keep(opened: Opened) -> None:
        if not held:
            kept.remember(found.key, document(opened))

    known = None if held else kept.token(found.key)
    current = _opened(known) if known else None
    if current is None:
        current = Opened(session=renewed())
    return Cloud(current, found.trust, renew=None if held else renewed, keep=keep)


def document(opened: Opened) -> dict[str, Any]:
    """A session as it is kept."""
    session = opened.session
    return {
        "token": session.token,
        "expires_at": session.expires_at,
        "user_id": session.user_id,
        "user": session.user,
        "project_id": session.project_id,
        "project": session.project,
        "roles": list(session.roles),
        "endpoint": session.endpoint,
        "version": opened.version,
    }


def _opened(document: Any) -> Opened | None:
    """What was kept; None for what an older or newer release wrote."""
    try:
        return Opened(
            session=Session(
                token=document["token"],
                expires_at=document["expires_at"],
                user_id=document["user_id"],
                user=document["user"],
                project_id=document["project_id"],
                project=document["project"],
                roles=tuple(document["roles"]),
                endpoint=document["endpoint"],
            ),
            # A server that was old a while ago may have been upgraded since: it is asked anew with every token.
            version=document.get("version", VERSION),
        )
    except (KeyError, TypeError):
        return None
