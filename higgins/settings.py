"""Configuration, read once into frozen values; nothing else reads files or the environment.

Every option is defined here once: its name, type, default, bounds and explanation. The reader, the sample file and the
reference page all come from these definitions. Files are oslo.config's; a variable OS_<GROUP>__<OPTION> wins over them.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from oslo_config import cfg

from higgins import errors

DEFAULT_FILE = Path("/etc/higgins/higgins.conf")
"""Read when no other file is named, and only if it is there."""


def option(
    default: Any,
    explanation: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    secret: bool = False,
) -> Any:
    """One option. Its name is the field's, its type the annotation's; a Literal lists the words that are allowed."""
    metadata = {"explanation": explanation, "minimum": minimum, "maximum": maximum, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where people and programs call."""

    host_ip: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    port: int = option(9517, "Port to listen on; 0 takes a free one.", minimum=0, maximum=65535)
    public_url: str | None = option(
        None, "How clients reach this service, where that is not how they called it (behind a TLS proxy): https://name."
    )
    max_limit: int = option(1000, "The most items on one page of a list.", minimum=1)
    keep_answers: float = option(
        24.0, "Hours in which a request with an Idempotency-Key is answered as it was the first time.", minimum=0.01
    )
    keep_most_answers: int = option(
        10_000, "The most such answers that are kept for each project; the oldest are forgotten first.", minimum=1
    )
    max_archive: int = option(
        32, "MiB of an archive that may come inside JSON; as a tar of its own it may have any size.", minimum=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The WebSockets of attach and of interactive commands."""

    public_url: str | None = option(
        None, "How clients reach them, where that is not how they called the API: wss://name; /v1/console is appended."
    )
    token_lifetime: float = option(60.0, "Seconds in which a console's address has to be used, once.", minimum=1)
    allowed_origins: str = option(
        "", "Names of other hosts whose web pages may open consoles, with commas between them: horizon.example.org."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The only truth."""

    connection: str = option("", "SQLAlchemy URL; empty: SQLite in state_dir. It may hold a password.", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Users, projects and roles kept by Higgins itself, and its login."""

    token_lifetime: float = option(3600.0, "Seconds that a token is good for.", minimum=1)
    region: str = option("RegionOne", "Name of the region in the catalogue.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may do what."""

    policy_file: Path | None = option(
        None, "oslo.policy rules (YAML) that replace the built-in ones of the same names."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where hosts call the control plane. In all-in-one the same link runs over a Unix socket in state_dir as well."""

    host_ip: str = option("127.0.0.1", "Address to listen on for hosts; 0.0.0.0 for all.")
    port: int = option(9518, "Port to listen on for hosts; 0 takes a free one.", minimum=0, maximum=65535)
    enrol_port: int = option(
        9519, "Port on which machines that are no hosts yet enrol; 0 takes a free one.", minimum=0, maximum=65535
    )
    advertise: str | None = option(
        None, "HOST:PORT at which hosts reach this control plane, as written into join tokens; empty: host_ip and port."
    )
    calls_per_project: int = option(
        100,
        "The most terminals, followed logs and events, commands and archives that a project may have open at the same time, at each control plane.",
        minimum=1,
    )
    calls_per_host: int = option(
        1000, "The most live calls to one host at the same time, of all projects together.", minimum=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """When a host counts as lost."""

    lease: float = option(30.0, "Seconds without a sign of life after which a host is down.", minimum=0.1)
    heartbeat: float = option(10.0, "Seconds between two signs of life.", minimum=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How many seconds a container may stay transitional; then it is in Error with a reason, and what it held is free."""

    create: float = option(
        600.0, "From the request to a created or running container, fetching its image included.", minimum=1
    )
    init: float = option(
        3600.0, "On top of that, for each container that runs before the others of a capsule.", minimum=1
    )
    start: float = option(120.0, "For a start.", minimum=1)
    stop: float = option(120.0, "For a stop, on top of the time that the container itself is given.", minimum=1)
    reboot: float = option(180.0, "For a reboot, on top of the time that the container itself is given.", minimum=1)
    pause: float = option(60.0, "For a pause, and for its end.", minimum=1)
    delete: float = option(300.0, "For a delete.", minimum=1)
    force_delete: float = option(60.0, "For a delete by force.", minimum=1)
    commit: float = option(600.0, "For an image to be made of a container.", minimum=1)
    fetch: float = option(1800.0, "For an image that was asked for by itself to be fetched.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """What a container gets and may ask for. CPU is in cores, memory in MiB, disk in GiB."""

    default_cpu: float = option(0.0, "CPU of a container that asks for none; 0: no limit.", minimum=0)
    default_memory: int = option(0, "Memory of a container that asks for none; 0: no limit.", minimum=0)
    default_disk: int = option(0, "Disk of a container that asks for none; 0: no limit.", minimum=0)
    minimum_cpu: float = option(0.1, "The least CPU that can be asked for.", minimum=0)
    maximum_cpu: float = option(16.0, "The most CPU that can be asked for.", minimum=0)
    minimum_memory: int = option(4, "The least memory that can be asked for.", minimum=0)
    maximum_memory: int = option(8192, "The most memory that can be asked for.", minimum=0)
    minimum_disk: int = option(1, "The least disk that can be asked for.", minimum=0)
    maximum_disk: int = option(160, "The most disk that can be asked for.", minimum=0)
    image_pull_policy: Literal["always", "ifnotpresent", "never"] = option(
        "ifnotpresent", "When an image is fetched, where the request does not say."
    )
    execute_timeout: float = option(
        60.0, "Seconds after which a caller stops waiting for a command inside a container.", minimum=1
    )
    unique_container_name_scope: Literal["", "project", "global"] = option(
        "", "Where a name may be used only once; empty: names may repeat."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What containers are on."""

    provider: Literal["auto", "local", "none"] = option(
        "auto",
        "local: networks that hosts make by themselves, apart from each other, and each project gets one; none: whatever the runtime of a host gives by "
        "itself; auto: local, but none for an all-in-one whose machine cannot make them. Containers keep what they were made with.",
    )
    pool: str = option(
        "10.88.0.0/13",
        "Where networks for which nobody names a subnet get theirs from, a /24 each; no two get the same.",
    )
    published: str = option(
        "30000-32767", "The ports of a host of which one is given to a container that publishes a port and names none."
    )
    host_ports: str = option(
        "1024-65535",
        "The ports of a host that a container may choose itself, unless one of the host's own programs has it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The most that a project may have for which no administrator has said anything else; -1: no limit."""

    containers: int = option(40, "Containers, whatever they do.", minimum=-1)
    memory: int = option(51200, "MiB of memory of all its containers together.", minimum=-1)
    cpu: int = option(20, "Cores of all its containers together.", minimum=-1)
    disk: int = option(100, "GiB of disk of all its containers together.", minimum=-1)
    networks: int = option(
        20,
        "Networks of its own. The one that its first container makes where there is none counts too, and is never refused. This and what follows "
        "holds for every project alike.",
        minimum=-1,
    )
    security_groups: int = option(20, "Security groups.", minimum=-1)
    volumes: int = option(100, "Volumes, those among them that were made along with a container.", minimum=-1)
    published_ports: int = option(200, "Ports that all its containers publish together.", minimum=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """How long it is remembered what changed."""

    keep_days: float = option(7.0, "Days after which an event is forgotten.", minimum=0.01)
    keep_rows: int = option(1_000_000, "The most events that are kept, of all projects together.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Where images come from, and when they go."""

    registries: str = option(
        "",
        "The registries that images may come from, separated by commas, with * and ? for what may vary; Docker Hub is docker.io. Empty: all, and "
        "whoever may make containers can have a host ask any address for an image, also such as only hosts reach.",
    )
    collect_above: float = option(
        0.85,
        "On a host: how full the disk of the images has to be, as a part of 1, for unused ones to be removed; 1: never. Only those go that were "
        "fetched for containers, the least recently used first.",
        minimum=0.01,
        maximum=1,
    )
    collect_below: float = option(0.80, "How full it may still be when that ends.", minimum=0, maximum=1)
    collect_period: float = option(60.0, "Seconds between two looks at the disk.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The passwords of registries, which are stored encrypted."""

    key_file: Path | None = option(
        None,
        "Fernet keys, one a line: the first encrypts, all decrypt, and what an older one encrypted is encrypted anew at the start. Empty: "
        "secrets.key in state_dir, made when it is first needed. Replicas need the same.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The daemon on a host."""

    control: str | None = option(
        None, "HOST:PORT of the control plane; empty: as the join token said. All-in-one needs none."
    )
    name: str | None = option(None, "Name of this host; empty: the machine's host name.")
    availability_zone: str = option("nova", "Availability zone of this host.")
    runtime: Literal["docker"] = option("docker", "What runs the containers.")
    starts_at_once: int = option(8, "How many containers may be created and started at the same time.", minimum=1)
    networks: Literal["auto", "none"] = option(
        "auto",
        "auto: this host attaches containers to networks, where it is able to: it needs root, and the programs ip, nft and dnsmasq; none: it never does.",
    )
    uplink: str = option(
        "100.127.0.0/16",
        "Two of these addresses lead from each network that is on this host out into the world. They should mean nothing else to the host.",
    )
    warm_sandboxes: int = option(
        4,
        "How many sandboxes this host keeps ready once containers there are attached to networks, so that the next ones start sooner; 0: none.",
        minimum=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """The Docker Engine of a host."""

    api_url: str = option("unix:///var/run/docker.sock", "Where the engine answers.")
    owner: str | None = option(
        None, "Marks which of the engine's containers are ours, where agents share one engine; empty: this host's id."
    )
    pids_limit: int = option(4096, "The most processes in one container; 0: no limit.", minimum=0)
    log_size: int = option(16, "MiB in one file of what a container prints.", minimum=1)
    log_files: int = option(2, "How many such files are kept of each container.", minimum=1)
    archive_limit: int = option(10, "GiB in one archive of files that goes into or out of a container.", minimum=1)


def _group(kind: type) -> Any:
    return field(default_factory=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. The options that stand here directly are in the file's [DEFAULT]."""

    state_dir: Path = option(
        Path("/var/lib/higgins"), "Directory for what must survive: SQLite, certificates and keys, the host's identity."
    )
    log_level: Literal["debug", "info", "warning", "error"] = option("info", "How much is logged, to standard error.")
    api: Api = _group(Api)
    console: Console = _group(Console)
    database: Database = _group(Database)
    identity: Identity = _group(Identity)
    oslo_policy: Policy = _group(Policy)
    link: Link = _group(Link)
    hosts: Hosts = _group(Hosts)
    deadlines: Deadlines = _group(Deadlines)
    containers: Containers = _group(Containers)
    networks: Networks = _group(Networks)
    quota: Quota = _group(Quota)
    events: Events = _group(Events)
    images: Images = _group(Images)
    secrets: Secrets = _group(Secrets)
    agent: Agent = _group(Agent)
    docker: Docker = _group(Docker)

    @property
    def database_url(self) -> str:
        """The URL in force."""
        return self.database.connection or f"sqlite:///{self.state_dir.absolute()}/higgins.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option as it was defined."""

    name: str
    kind: Any
    """str, int, float or Path."""
    optional: bool
    """Empty means None."""
    choices: tuple[str, ...]
    default: Any
    explanation: str
    minimum: float | None
    maximum: float | None
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One [group] as it was defined."""

    name: str
    purpose: str
    kind: type[Any]
    options: tuple[Option, ...]


def definitions() -> Sequence[Group]:
    """All there is, in the order of the file."""
    return [
        Group(name="DEFAULT", purpose="What concerns everything.", kind=Settings, options=tuple(_options(Settings))),
        *(
            Group(name=name, purpose=kind.__doc__ or "", kind=kind, options=tuple(_options(kind)))
            for name, kind in get_type_hints(Settings).items()
            if isinstance(kind, type) and is_dataclass(kind)
        ),
    ]


def _options(holder: Any) -> Iterator[Option]:
    hints = get_type_hints(holder)
    for each in fields(holder):
        if not each.metadata:
            continue
        kind = hints[each.name]
        optional = isinstance(kind, UnionType)
        if optional:
            (kind,) = (part for part in get_args(kind) if part is not NoneType)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        yield Option(
            name=each.name,
            kind=str if choices else kind,
            optional=optional,
            choices=choices,
            default=each.default,
            **each.metadata,
        )


def read(files: Sequence[Path] = (), *, environment: bool = True) -> Settings:
    """The settings that these files, or else DEFAULT_FILE, and the environment give.

    Raises Invalid, with a message that names file, group and option, for a file that cannot be read or understood, for a
    name that nobody knows and for a value that cannot be: what is configured is in force, or nothing starts.
    """
    paths = list(files) or [path for path in (DEFAULT_FILE,) if path.exists()]
    for path in paths:
        _refuse_unknown_names(path)
    conf = cfg.ConfigOpts()
    for group in definitions():
        conf.register_opts([_oslo_option(each) for each in group.options], group=_oslo_group(group))
    try:
        conf(args=[], default_config_files=[str(path) for path in paths], default_config_dirs=[], use_env=environment)
    except cfg.Error as error:
        raise errors.Invalid(f"configuration: {error}") from error
    everything, *parts = definitions()
    held = {part.name: part.kind(**_values(conf, part)) for part in parts}
    return _coherent(Settings(**_values(conf, everything), **held))


def _oslo_group(group: Group) -> str | None:
    return None if group.name == "DEFAULT" else group.name


def _oslo_option(each: Option) -> cfg.Opt:
    default = None if each.default is None else str(each.default)
    # Read as text and converted by us: an error then names the option in our words, and an empty value can mean "none".
    return cfg.StrOpt(each.name, default=default, help=each.explanation, secret=each.secret)


def _values(conf: cfg.ConfigOpts, group: Group) -> dict[str, Any]:
    return {each.name: _value(conf, group, each) for each in group.options}


def _value(conf: cfg.ConfigOpts, group: Group, each: Option) -> Any:
    try:
        text = (conf[group.name] if _oslo_group(group) else conf)[each.name]
    except (cfg.Error, ValueError) as error:
        raise errors.Invalid(f"configuration: [{group.name}] {each.name}: {error}") from error
    try:
        return _converted(each, text)
    except ValueError as error:
        location = conf.get_location(each.name, _oslo_group(group))
        place = f"{location.detail}: " if location and location.detail else ""
        raise errors.Invalid(f"{place}[{group.name}] {each.name} = {text}: {error}") from error


def _converted(each: Option, text: str | None) -> Any:
    """Raises ValueError with what is expected."""
    if each.optional and not text:
        return None
    text = text or ""
    if each.choices:
        if text not in each.choices:
            raise ValueError(f"must be one of {', '.join(word or '(empty)' for word in each.choices)}")
        return text
    if each.kind in (int, float):
        return _number(each, text)
    if each.kind is Path:
        if not text:
            raise ValueError("must be a path")
        return Path(text).expanduser()
    return text


def _number(each: Option, text: str) -> int | float:
    expected = "must be a whole number" if each.kind is int else "must be a number"
    try:
        number: int | float = each.kind(text)
    except ValueError:
        raise ValueError(expected) from None
    if number != number or abs(number) == float("inf"):
        raise ValueError(expected)
    if each.minimum is not None and number < each.minimum:
        raise ValueError(f"must be at least {each.minimum:g}")
    if each.maximum is not None and number > each.maximum:
        raise ValueError(f"must be at most {each.maximum:g}")
    return number


def _refuse_unknown_names(path: Path) -> None:
    """oslo.config passes over what it does not know; a misspelt deadline must not go unnoticed."""
    known = {group.name: [each.name for each in group.options] for group in definitions()}
    for group, names in _parsed(path).items():
        if group not in known:
            raise errors.Invalid(f"{path}: there is no group [{group}]{_nearest(group, list(known))}")
        for name in names:
            if name.replace("-", "_") not in known[group]:
                everywhere = {each: f"[{other}] {each}" for other, options in known.items() for each in options}
                nearest = _nearest(name, known[group]) or _nearest(name, list(everywhere), shown=everywhere)
                raise errors.Invalid(f"{path}: [{group}] has no option {name}{nearest}")


def _parsed(path: Path) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(str(path), sections).parse()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise errors.Invalid(f"{path}: cannot be read: {reason}") from error
    except cfg.ParseError as error:
        raise errors.Invalid(f"{path}: cannot be understood: {error.msg}, line {error.lineno}: {error.line}") from error
    return sections


def _nearest(name: str, known: list[str], *, shown: dict[str, str] | None = None) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {(shown or {}).get(near[0], near[0])}?" if near else ""


def _coherent(settings: Settings) -> Settings:
    """Refuse values that are each allowed but cannot be true together."""
    if settings.hosts.lease < 2 * settings.hosts.heartbeat:
        raise errors.Invalid("configuration: [hosts] lease must be at least twice [hosts] heartbeat")
    if settings.console.public_url and not settings.console.public_url.startswith(("ws://", "wss://")):
        raise errors.Invalid("configuration: [console] public_url must begin with ws:// or wss://")
    if settings.images.collect_below > settings.images.collect_above:
        raise errors.Invalid("configuration: [images] collect_below is above collect_above")
    containers = settings.containers
    for name in ("cpu", "memory", "disk"):
        least, most = getattr(containers, f"minimum_{name}"), getattr(containers, f"maximum_{name}")
        if least > most:
            raise errors.Invalid(f"configuration: [containers] minimum_{name} is above maximum_{name}")
        if getattr(containers, f"default_{name}") > most:
            raise errors.Invalid(f"configuration: [containers] default_{name} is above maximum_{name}")
    return settings
