"""What each resource looks like: every field, its type, and from which version on it is there."""

from tests.compat.kinds import (
    ANY,
    CONSOLE,
    DIGITS,
    EXEC_ID,
    ID,
    ISO_TIME,
    NULL,
    NUMBER,
    REQUEST_ID,
    SPACED_TIME,
    TEXT,
    TRUTH,
    URL,
    WHOLE,
    Changed,
    Fields,
    ForAdmins,
    ListOf,
    MapOf,
    Maybe,
    OrEmpty,
    Plain,
    Since,
    Until,
    fields,
    matching,
    words,
)

NOTHING = NULL
"""The body of an action that has nothing to say is the JSON null."""

NONE_AT_ALL = Plain("empty list", lambda value: value == [])
LINKS = ListOf(fields(href=URL, rel=words("self", "bookmark")))

OFFER = fields(
    id=words("v1"),
    links=ListOf(fields(href=URL, rel=words("self"))),
    status=words("CURRENT"),
    max_version=matching("version", r"1\.\d+"),
    min_version=words("1.1"),
)
VERSIONS = fields(name=words("OpenStack Zun API"), description=TEXT, versions=ListOf(OFFER), default_version=OFFER)
VERSION_1 = fields(
    id=words("v1"),
    media_types=ListOf(fields(base=words("application/json"), type=words("application/vnd.openstack.zun.v1+json"))),
    links=ListOf(ANY),
    services=LINKS,
    containers=LINKS,
    images=LINKS,
    networks=LINKS,
    hosts=LINKS,
    capsules=LINKS,
    availability_zones=LINKS,
    quotas=LINKS,
    quota_classes=LINKS,
    registries=LINKS,
)

STATUS = words(
    *("Creating", "Created", "Running", "Stopped", "Paused", "Error", "Unknown", "Dead"),
    *("Restarting", "Rebuilding", "Deleting", "Deleted"),
)
TASK = matching("task", "(container|sg|network)_[a-z]+")
ADDRESS = fields(addr=TEXT, version=WHOLE, port=TEXT, subnet_id=TEXT, preserve_on_delete=TRUTH)
_EMPTY = Fields({})
_RESTART = fields(Name=words("no", "always", "on-failure", "unless-stopped"), MaximumRetryCount=DIGITS)


PUBLISHED = ListOf(fields(port=WHOLE, protocol=words("tcp", "udp"), host_port=Maybe(WHOLE)))
LISTED_CONTAINER = fields(
    uuid=ID,
    name=TEXT,
    project_id=TEXT,
    user_id=TEXT,
    image=TEXT,
    image_driver=Maybe(words("docker", "glance")),
    command=ListOf(TEXT),
    entrypoint=ListOf(TEXT),
    cpu=Maybe(NUMBER),
    cpu_policy=words("shared", "dedicated"),
    memory=Maybe(DIGITS),
    disk=WHOLE,
    status=STATUS,
    status_reason=Maybe(TEXT),
    status_detail=Maybe(TEXT),
    task_state=Maybe(TASK),
    environment=MapOf(TEXT),
    labels=MapOf(TEXT),
    workdir=Maybe(TEXT),
    hostname=Maybe(TEXT),
    auto_remove=TRUTH,
    auto_heal=TRUTH,
    interactive=TRUTH,
    tty=TRUTH,
    ports=ListOf(WHOLE),
    addresses=MapOf(ListOf(ADDRESS)),
    security_groups=ListOf(TEXT),
    restart_policy=OrEmpty(
        fields(Name=words("no", "always", "on-failure", "unless-stopped"), MaximumRetryCount=DIGITS)
    ),
    healthcheck=MapOf(ANY),
    registry_id=Maybe(ID),
    created_at=SPACED_TIME,
    updated_at=Maybe(SPACED_TIME),
    host=ForAdmins(Maybe(TEXT)),
    image_pull_policy=ForAdmins(Maybe(TEXT)),
    runtime=ForAdmins(Maybe(TEXT)),
    privileged=ForAdmins(TRUTH),
    # Ours.
    health=Since(
        41, Maybe(fields(status=words("starting", "healthy", "unhealthy"), failing_streak=WHOLE, output=Maybe(TEXT)))
    ),
    exit_code=Since(41, Maybe(WHOLE)),
    started_at=Since(41, Maybe(SPACED_TIME)),
    finished_at=Since(41, Maybe(SPACED_TIME)),
    desired_state=Since(41, words("created", "running", "stopped", "paused", "deleted")),
    progress=Since(41, Maybe(fields(layers=WHOLE, layers_done=WHOLE, size=WHOLE, done=WHOLE))),
    deadline=Since(41, Maybe(SPACED_TIME)),
    mounts=Since(
        41,
        ListOf(
            fields(
                type=words("volume", "bind", "tmpfs"),
                destination=TEXT,
                source=Maybe(ID),
                size=Maybe(WHOLE),
                read_only=TRUTH,
            )
        ),
    ),
    published_ports=Since(41, PUBLISHED),
)
CONTAINER = Fields({**LISTED_CONTAINER.fields, "links": LINKS})
NULL_AT_FIRST = (
    *("command", "entrypoint", "environment", "labels", "ports"),
    *("addresses", "restart_policy", "security_groups", "healthcheck"),
)
NEW_CONTAINER = CONTAINER.nullable(*NULL_AT_FIRST)
DRY_RUN = fields(
    fits=TRUTH,
    claim=fields(cpu=NUMBER, memory=WHOLE, disk=WHOLE),
    runtime=Maybe(TEXT),
    availability_zone=Maybe(TEXT),
    hosts=Maybe(WHOLE),
    fitting=Maybe(WHOLE),
    refused=ListOf(fields(rule=TEXT, hosts=WHOLE, reason=TEXT)),
    temporary=TRUTH,
    reason=Maybe(TEXT),
    change=Maybe(Fields({"field": TEXT, "from": ANY, "to": Maybe(NUMBER)})),
)
"""What somebody is told who asks only what would happen, from 1.41 on."""
"""In the answer to its creation what was not given is null; from the first read on it is empty."""
CONTAINERS = fields(containers=ListOf(LISTED_CONTAINER), next=Maybe(URL))
"""Without links."""

CAPSULE = fields(
    uuid=ID,
    links=LINKS,
    name=Since(32, Maybe(TEXT)),
    meta_name=Until(31, Maybe(TEXT)),
    project_id=TEXT,
    user_id=TEXT,
    cpu=NUMBER,
    memory=DIGITS,
    status=STATUS,
    status_reason=Maybe(TEXT),
    labels=Since(32, MapOf(TEXT)),
    meta_labels=Until(31, MapOf(TEXT)),
    annotations=Maybe(MapOf(TEXT)),
    addresses=MapOf(ListOf(ADDRESS)),
    restart_policy=Changed(31, words("no", "always", "on-failure"), _RESTART),
    created_at=SPACED_TIME,
    updated_at=Maybe(SPACED_TIME),
    containers=ListOf(LISTED_CONTAINER),
    init_containers=ListOf(LISTED_CONTAINER),
    host=ForAdmins(Maybe(TEXT)),
    # Once there were these, and nothing was ever in them.
    volumes_info=Until(31, _EMPTY),
    containers_uuids=Until(31, NONE_AT_ALL),
    init_containers_uuids=Until(31, NONE_AT_ALL),
    capsule_version=Until(31, words("")),
    # Ours.
    task_state=Since(41, Maybe(TASK)),
    deadline=Since(41, Maybe(SPACED_TIME)),
    published_ports=Since(41, PUBLISHED),
)
CAPSULES = fields(capsules=ListOf(CAPSULE), next=Maybe(URL))
"""With links."""

NETWORKS_OF = fields(
    networks=ListOf(
        fields(
            net_id=ID,
            port_id=ID,
            fixed_ips=Since(18, ListOf(fields(subnet_id=ID, version=WHOLE, ip_address=TEXT))),
            subnet_id=Until(17, ID),
            version=Until(17, WHOLE),
            ip_address=Until(17, TEXT),
        )
    )
)
"""Those that a container is on."""
REGISTERED = fields(uuid=ID, name=TEXT, project_id=Maybe(TEXT), user_id=TEXT, network_id=Maybe(TEXT), neutron_net_id=ID)
_NETWORK = fields(uuid=ID, name=TEXT, project_id=Maybe(TEXT), subnet=TEXT, gateway=TEXT, created_at=SPACED_TIME)
NETWORK = Fields({**_NETWORK.fields, "links": LINKS})
NETWORKS = fields(networks=ListOf(_NETWORK), next=Maybe(URL))
"""Without links."""

LOGS = TEXT
TOP = fields(Titles=ListOf(TEXT), Processes=ListOf(ListOf(TEXT)))
EXECUTED = fields(output=TEXT, exit_code=WHOLE, exec_id=NULL, proxy_url=NULL)
TO_BE_EXECUTED = fields(output=NULL, exit_code=NULL, exec_id=EXEC_ID, proxy_url=CONSOLE)
ATTACHED = CONSOLE
ARCHIVE = fields(data=TEXT, stat=fields(name=TEXT, size=WHOLE, mode=WHOLE, mtime=TEXT, linkTarget=TEXT))
COMMITTED = fields(uuid=ID)
STATS = Fields(
    {
        "CONTAINER": TEXT,
        "CPU %": NUMBER,
        "MEM USAGE(MiB)": NUMBER,
        "MEM LIMIT(MiB)": NUMBER,
        "MEM %": NUMBER,
        "BLOCK I/O(B)": matching("two counts", r"\d+/\d+"),
        "NET I/O(B)": matching("two counts", r"\d+/\d+"),
        "read_at": Since(41, SPACED_TIME),
        "cpu_seconds": Since(41, NUMBER),
        "system_cpu_seconds": Since(41, NUMBER),
        "cores": Since(41, WHOLE),
        "memory_bytes": Since(41, WHOLE),
        "memory_limit_bytes": Since(41, WHOLE),
        "block_read_bytes": Since(41, WHOLE),
        "block_written_bytes": Since(41, WHOLE),
        "received_bytes": Since(41, WHOLE),
        "sent_bytes": Since(41, WHOLE),
        "pids": Since(41, WHOLE),
    }
)

_LISTED_ACTION = fields(
    action=words(
        *("create", "delete", "rebuild", "reboot", "stop", "start", "pause", "unpause", "kill", "commit"),
        *("update", "resize_container", "network_attach", "network_detach"),
        *("add_security_group", "remove_security_group"),
    ),
    container_uuid=ID,
    request_id=REQUEST_ID,
    user_id=TEXT,
    project_id=TEXT,
    start_time=ISO_TIME,
    finish_time=Maybe(ISO_TIME),
    message=Maybe(words("Error")),
    deadline=Since(41, Maybe(ISO_TIME)),
)
_EVENT = fields(
    event=TEXT,
    start_time=ISO_TIME,
    finish_time=Maybe(ISO_TIME),
    result=Maybe(words("Success", "Error")),
    traceback=Maybe(TEXT),
    message=Since(41, Maybe(TEXT)),
)
ACTIONS = fields(containerActions=ListOf(_LISTED_ACTION))
ACTION = Fields({**_LISTED_ACTION.fields, "events": ListOf(_EVENT)})

IMAGE = fields(
    uuid=ID,
    links=LINKS,
    repo=TEXT,
    tag=Maybe(TEXT),
    image_id=Maybe(TEXT),
    size=Maybe(TEXT),
    project_id=TEXT,
    host=TEXT,
    state=Since(41, TEXT),
    reason=Since(41, Maybe(TEXT)),
    progress=Since(41, Maybe(fields(layers=WHOLE, layers_done=WHOLE, size=WHOLE, done=WHOLE))),
)
IMAGES = fields(images=ListOf(IMAGE), next=Maybe(URL))

HOST = fields(
    uuid=ID,
    links=LINKS,
    hostname=TEXT,
    mem_total=WHOLE,
    mem_used=WHOLE,
    cpus=WHOLE,
    cpu_used=NUMBER,
    disk_total=WHOLE,
    disk_used=WHOLE,
    disk_quota_supported=TRUTH,
    total_containers=WHOLE,
    architecture=TEXT,
    os_type=TEXT,
    os=TEXT,
    kernel_version=TEXT,
    labels=MapOf(TEXT),
    runtimes=ListOf(TEXT),
    enable_cpu_pinning=TRUTH,
    runtime=Since(41, TEXT),
    runtime_version=Since(41, TEXT),
    default_runtime=Since(41, TEXT),
    capabilities=Since(41, ListOf(TEXT)),
    availability_zone=Since(41, TEXT),
    state=Since(41, words("up", "down")),
)
HOSTS = fields(hosts=ListOf(HOST), next=Maybe(URL))

SERVICE = fields(
    id=WHOLE,
    host=TEXT,
    binary=TEXT,
    state=words("up", "down"),
    disabled=TRUTH,
    disabled_reason=Maybe(TEXT),
    forced_down=TRUTH,
    report_count=WHOLE,
    last_seen_up=Maybe(ISO_TIME),
    created_at=ISO_TIME,
    updated_at=Maybe(ISO_TIME),
    availability_zone=TEXT,
)
SERVICES = fields(services=ListOf(SERVICE))
"""Without a next."""
ENABLED = fields(service=fields(host=TEXT, binary=TEXT, disabled=TRUTH, disabled_reason=Maybe(TEXT)))
FORCED = fields(service=fields(host=TEXT, binary=TEXT, forced_down=TRUTH))
ZONES = fields(availability_zones=ListOf(fields(availability_zone=Maybe(TEXT))), next=Maybe(URL))

_LISTED_REGISTRY = fields(
    uuid=ID,
    name=Maybe(TEXT),
    project_id=TEXT,
    user_id=TEXT,
    domain=TEXT,
    username=Maybe(TEXT),
    password=words("***"),
)
REGISTRY = fields(registry=Fields({**_LISTED_REGISTRY.fields, "links": LINKS}))
REGISTRIES = fields(registries=ListOf(_LISTED_REGISTRY), next=Maybe(URL))

_LISTED_GROUP = fields(
    uuid=ID,
    name=TEXT,
    project_id=TEXT,
    rules=ListOf(
        fields(
            protocol=Maybe(words("tcp", "udp", "icmp")),
            port_min=Maybe(WHOLE),
            port_max=Maybe(WHOLE),
            source=Maybe(TEXT),
        )
    ),
    created_at=SPACED_TIME,
)
SECURITY_GROUP = Fields({**_LISTED_GROUP.fields, "links": LINKS})
SECURITY_GROUPS = fields(security_groups=ListOf(_LISTED_GROUP), next=Maybe(URL))

LIMITS = fields(containers=WHOLE, memory=WHOLE, disk=WHOLE, cpu=WHOLE)
_USE = fields(limit=WHOLE, in_use=NUMBER)
QUOTA = fields(containers=_USE, memory=_USE, disk=_USE, cpu=_USE)

CAPABILITIES = fields(
    runtimes=ListOf(TEXT), capabilities=ListOf(TEXT), architectures=ListOf(TEXT), default_runtime=Maybe(TEXT)
)
VOLUME = fields(
    uuid=ID,
    links=LINKS,
    name=Maybe(TEXT),
    size=Maybe(WHOLE),
    project_id=TEXT,
    user_id=TEXT,
    auto_remove=TRUTH,
    users=WHOLE,
    created_at=SPACED_TIME,
)
VOLUMES = fields(volumes=ListOf(VOLUME), next=Maybe(URL))
EVENTS = fields(events=ListOf(ANY), next=Maybe(WHOLE), lost=TRUTH)

REFUSALS = fields(
    errors=ListOf(
        fields(
            request_id=words(""),
            code=matching("code", r"container\.[a-z0-9-]*"),
            status=WHOLE,
            title=TEXT,
            detail=TEXT,
            links=ListOf(ANY),
        )
    )
)
UNAUTHORIZED = fields(
    error=fields(
        code=WHOLE,
        title=words("Unauthorized"),
        message=words("The request you have made requires authentication."),
    )
)
