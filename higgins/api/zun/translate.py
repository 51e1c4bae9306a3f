"""From the API's words to the model's: what was asked for becomes a container, a list's parameters become a query."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from higgins import errors
from higgins.api.zun import form, forms, reach, values
from higgins.logic.statusword import Status
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerPort,
    Desired,
    Healthcheck,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
)
from higgins.model.ids import ContainerId, RegistryId
from higgins.model.network import Published
from higgins.model.query import FILTERS, SORT_KEYS, Query
from higgins.model.volume import Mount
from higgins.service.containers import Wish
from higgins.service.networks import NetworkNamed

_LONGEST_WORD = 128 * 1024 - 1
"""Bytes of one argument: the kernel takes no more."""
_LONGEST_FIRST = 8 * 1024
"""Bytes of a first word, which may be the name of a program. A runtime that cannot find it repeats it in its complaint: one that fills a pipe hangs
runc for ever, and with it whoever asks the engine about that container."""

_MOST_TEXT = 128 * 1024
"""Bytes of all names and values of one map: every list carries them."""


def spec(
    asked: forms.CreateContainer,
    container_id: ContainerId,
    defaults: Resources,
    registry: RegistryId | None = None,
    mounts: tuple[Mount, ...] = (),
) -> CapsuleSpec:
    """What was asked for: one container. Raises Invalid where its parts contradict each other."""
    return CapsuleSpec(
        containers=(replace(_container(asked, container_id, defaults, registry), mounts=mounts),),
        desired=Desired.RUNNING if asked.run else Desired.CREATED,
        auto_remove=bool(asked.auto_remove),
        auto_heal=bool(asked.auto_heal),
        runtime=asked.runtime or None,
        availability_zone=asked.availability_zone,
        host=asked.host,
        hints=plain(asked.hints, "hints"),
        exposed=_exposed(asked.exposed_ports or {}),
        published=published(
            [
                Published(host_port=int(one.host_port or 0), port=int(one.port), protocol=one.protocol or "tcp")
                for one in asked.published_ports or ()
            ],
            "published_ports",
        ),
    )


def published(asked: Sequence[Published], name: str) -> tuple[Published, ...]:
    """Each once. Raises Invalid, naming the field, where one port of a host is to lead to two."""
    wanted = tuple(dict.fromkeys(asked))
    named = Counter((one.host_port, one.protocol) for one in wanted if one.host_port)
    for (number, protocol), times in named.items():
        if times > 1:
            raise form.invalid(name, "A port of a host leads to one port only.", value=f"{number}/{protocol}")
    return wanted


def _exposed(asked: Mapping[str, object]) -> tuple[ContainerPort, ...]:
    return tuple(dict.fromkeys(_port(key) for key in asked))


def _port(text: str) -> ContainerPort:
    """80/tcp, 53/udp, or 80, which is of TCP. Raises Invalid."""
    number, _, protocol = text.partition("/")
    if protocol not in ("", "tcp", "udp"):
        raise form.invalid("exposed_ports", f"value {protocol[:20]} is an invalid protocol", value=text)
    if not (number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= 65535):
        raise form.invalid("exposed_ports", f"value {number[:20]} is invalid as publish port.", value=text)
    return ContainerPort(number=int(number), protocol=protocol or "tcp")


def _container(
    asked: forms.CreateContainer, container_id: ContainerId, defaults: Resources, registry: RegistryId | None
) -> Container:
    return Container(
        id=container_id,
        name=asked.name or "",
        image=asked.image,
        image_driver="docker",
        registry=registry,
        pull=PullPolicy(asked.image_pull_policy.lower()) if asked.image_pull_policy else None,
        command=arguments(asked.command, "command"),
        entrypoint=arguments(asked.entrypoint, "entrypoint"),
        environment=plain(asked.environment, "environment"),
        labels=plain(asked.labels, "labels"),
        workdir=asked.workdir or None,
        hostname=asked.hostname,
        tty=bool(asked.tty),
        interactive=bool(asked.interactive),
        privileged=bool(asked.privileged),
        limits=Resources(
            cpu=defaults.cpu if asked.cpu is None else float(asked.cpu),
            memory=defaults.memory if asked.memory is None else int(asked.memory),
            disk=defaults.disk if asked.disk is None else int(asked.disk),
        ),
        cpu_policy="shared",
        restart=_restart(asked.restart_policy),
        healthcheck=_healthcheck(asked.healthcheck),
    )


def networks(asked: Sequence[reach.Attachment] | None) -> Sequence[NetworkNamed]:
    """The networks that a container is to be on."""
    return [named(one.network, one.port, one.v4) for one in asked or ()]


def named(network: str | None, port: str | None, address: str | None) -> NetworkNamed:
    """One network that a container is to be on."""
    return NetworkNamed(network=network, port=port, address=None if address is None else str(address))


def wish(asked: forms.UpdateContainer) -> Wish:
    """What is to be different about a container."""
    return Wish(
        name=asked.name,
        cpu=None if asked.cpu is None else float(asked.cpu),
        memory=None if asked.memory is None else int(asked.memory),
        auto_heal=None if asked.auto_heal is None else bool(asked.auto_heal),
    )


def statuses(asked: values.Statuses) -> Sequence[Status]:
    """What somebody waits for; nothing of it where only the end is waited for, which is no status that anybody reads."""
    return [Status(word) for word in asked.split(",") if word in [*Status]]


def words(command: str, name: str) -> tuple[str, ...]:
    """A command line as a shell would split it. Raises Invalid for a quotation that does not end, and for a word that is too long."""
    try:
        return _bounded(shlex.split(command), name)
    except ValueError as error:
        raise form.invalid(name, f"It cannot be split into words: {error}.", value=command) from error


def query(asked: forms.ListContainers, longest: int) -> Query:
    """A page of at most `longest` containers. Raises Invalid for a sort key or direction that there is not."""
    sort_key = asked.sort_key or "id"
    check_order(sort_key, asked.sort_dir, SORT_KEYS)
    return Query(
        filters={name: _several(value) for name in FILTERS if (value := getattr(asked, name)) is not None},
        sort_key=sort_key,
        descending=asked.sort_dir == "desc",
        limit=min(longest, asked.limit or longest),
        marker=asked.marker,
        all_projects=bool(asked.all_projects),
    )


def check_order(sort_key: str, sort_dir: str | None, keys: Sequence[str]) -> None:
    """Raises Invalid for a sort key or direction that there is not."""
    if sort_key not in keys:
        raise errors.Invalid(
            f'The sort_key value "{sort_key[:100]}" is an invalid field for sorting; use one of {", ".join(keys)}.',
            code="invalid-parameter-value",
        )
    if sort_dir not in (None, "asc", "desc"):
        raise form.invalid("sort_dir", "It must be asc or desc.", value=sort_dir)


def _several(value: str | int | list[str]) -> Sequence[str]:
    match value:
        case list():
            return value
        case str():
            return (value,)
        case truth:
            return ("true" if truth else "false",)


def arguments(asked: str | Sequence[str] | None, name: str) -> tuple[str, ...] | None:
    """The words of a command. Nothing and an empty list both mean what the image says: clients send the one or the other.

    Raises Invalid, naming the field, for a word that is too long.
    """
    match asked:
        case None:
            return None
        case str():
            return words(asked, name) or None
        case _:
            return _bounded([str(word) for word in asked], name) or None


def _bounded(given: Sequence[str], name: str) -> tuple[str, ...]:
    for place, word in enumerate(given):
        longest = _LONGEST_WORD if place else _LONGEST_FIRST
        if len(word.encode()) > longest:
            raise form.invalid(name, f"Its word number {place + 1} is longer than {longest} bytes.", value=word)
    return tuple(given)


def plain(asked: Mapping[str, str] | None, name: str) -> Mapping[str, str] | None:
    """Plain strings; None for none. Raises Invalid, naming the field, for too much of them."""
    if not asked:
        return None
    plain = {key: str(value) for key, value in asked.items()}
    if sum(len(key.encode()) + len(value.encode()) for key, value in plain.items()) > _MOST_TEXT:
        raise form.invalid(name, f"It is longer than {_MOST_TEXT} bytes in all.", value="...")
    return plain


def _healthcheck(asked: forms.Healthcheck | None) -> Healthcheck | None:
    if asked is None or asked == forms.Healthcheck():
        return None
    if asked.cmd is None:
        raise form.invalid("healthcheck", "It needs cmd, the command that finds out; the numbers alone check nothing.")
    return Healthcheck(test=asked.cmd, interval=asked.interval, timeout=asked.timeout, retries=asked.retries)


def _restart(asked: forms.RestartPolicy | None) -> RestartPolicy | None:
    if asked is None:
        return None
    name, maximum = RestartName(asked.name), int(asked.maximum or 0)
    match name:
        case RestartName.NO:
            return RestartPolicy(name=name)
        case RestartName.ALWAYS | RestartName.UNLESS_STOPPED if maximum:
            raise form.invalid("restart_policy", f"maximum retry count not valid with restart policy of {name}")
        case _:
            return RestartPolicy(name=name, maximum=maximum)
