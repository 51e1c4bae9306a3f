"""The tables: what is filtered, sorted or guarded has a column, the nouns themselves are JSON documents beside them."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

capsules = sa.Table(
    "capsules",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # The order of creation.
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("folded_name", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float),
    # Of the spec.
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("desired", sa.String(16), nullable=False),
    sa.Column("image", sa.String(255), nullable=False),
    sa.Column("cpu", sa.Float, nullable=False),
    sa.Column("memory", sa.Integer, nullable=False),
    sa.Column("auto_remove", sa.Boolean, nullable=False),
    sa.Column("deadline", sa.Float),  # When it has to have settled; nothing while it is settled.
    sa.Column("published", sa.Integer, nullable=False, server_default="0"),  # How many ports of its host it asks for.
    # Of the assignment.
    sa.Column("host_id", sa.String(36)),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("given_up", sa.Integer, nullable=False),
    sa.Column("host_lost", sa.Boolean, nullable=False),
    sa.Column("provision", sa.String(16), nullable=False),
    sa.Column(
        "owed", sa.Boolean, nullable=False, server_default=sa.false()
    ),  # Something is to be allotted, or given back.
    sa.Column("lease_owner", sa.String(64)),  # Who works on the assignment outside of a transaction, and until when.
    sa.Column("lease_until", sa.Float),
    # Of the status.
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),  # Asked to be deleted, and nothing of it is left on its host.
    # Of all three: the words a user reads.
    sa.Column("status_word", sa.String(16), nullable=False),
    sa.Column("task_state", sa.String(32)),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("assignment", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),  # Goes up with every write to any of these.
    # Holds all that a list has to know of what it remembers: rows are twenty times as long.
    sa.Index("ix_capsules_listed", "project_id", "number", "kind", "id", "revision"),
    sa.Index(None, "project_id", "folded_name"),
    sa.Index(None, "project_id", "published"),
    sa.Index(None, "host_id"),
    sa.Index(None, "deadline"),
    sa.Index(None, "desired"),
    sa.Index(None, "owed"),
    sqlite_autoincrement=True,
)

actions = sa.Table(
    "actions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
    sa.Column("outcome", sa.String(16)),
    sa.Column("message", sa.Text),
    sa.Column("steps", sa.Text),  # A JSON document.
    sa.Index(None, "capsule_id", "request_id"),
)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False),
    # The operator's.
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("forced_down", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    # The control plane's.
    sa.Column("allocated_cpu", sa.Float, nullable=False),
    sa.Column("allocated_memory", sa.Integer, nullable=False),
    sa.Column("allocated_disk", sa.Integer, nullable=False),
    sa.Column("down", sa.Boolean, nullable=False),
    # The agent's.
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("seen_at", sa.Float),
    sa.Column("beats", sa.Integer, nullable=False, server_default="0"),  # How often it has been heard of.
    sa.Column("capacity_cpu", sa.Float, nullable=False),
    sa.Column("capacity_memory", sa.Integer, nullable=False),
    sa.Column("capacity_disk", sa.Integer, nullable=False),
    sa.Column("inventory", sa.Text),
)

enrolments = sa.Table(
    "enrolments",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float),
)

registries = sa.Table(
    "registries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("domain", sa.String(255), nullable=False),
    sa.Column("username", sa.String(255)),
    sa.Column("password", sa.Text),  # Encrypted.
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float),
    sa.Index(None, "project_id", "number"),
    sqlite_autoincrement=True,
)

# Which registries a capsule's containers name: those cannot be deleted.
registry_uses = sa.Table(
    "registry_uses",
    metadata,
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("registry_id", sa.String(36), sa.ForeignKey("registries.id"), primary_key=True),
    sa.Index(None, "registry_id"),
)

# Rules under a name. They never change, so that nothing has to be told of a change.
security_groups = sa.Table(
    "security_groups",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("rules", sa.Text, nullable=False),  # A JSON document.
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index(None, "project_id", "number"),
    sqlite_autoincrement=True,
)

# Which of them capsules have: those cannot be deleted.
security_group_uses = sa.Table(
    "security_group_uses",
    metadata,
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_id", sa.String(36), sa.ForeignKey("security_groups.id"), primary_key=True),
    sa.Index(None, "group_id"),
)

networks = sa.Table(
    "networks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # The order of creation.
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64)),  # Nothing: every project may use it.
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("subnet", sa.String(18), nullable=False),
    sa.Column("gateway", sa.String(15), nullable=False),
    sa.Column("given", sa.BigInteger, nullable=False),  # The address that was handed out last, as a number.
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index(None, "project_id", "number"),
    sqlite_autoincrement=True,
)

# What is allotted on them. It cannot outlive its capsule, nor its network go while it is there.
ports = sa.Table(
    "ports",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("network_id", sa.String(36), sa.ForeignKey("networks.id"), nullable=False),
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), nullable=False),
    sa.Column("mac", sa.String(17), nullable=False),
    sa.Column(
        "address", sa.BigInteger, nullable=False
    ),  # As a number: those that are free are looked for between others.
    sa.Column("interface", sa.String(15), nullable=False),
    sa.UniqueConstraint("network_id", "address"),
    sa.Index(None, "capsule_id"),
)

# Which ports of a host lead to which capsule: of each there is only one.
host_ports = sa.Table(
    "host_ports",
    metadata,
    sa.Column("host_id", sa.String(36), sa.ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("protocol", sa.String(8), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), nullable=False),
    sa.Index(None, "capsule_id"),
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("host_id", sa.String(36), sa.ForeignKey("hosts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("repo", sa.String(255), nullable=False),
    sa.Column("tag", sa.String(255), nullable=False),
    sa.Column("digest", sa.String(255)),
    sa.Column("size", sa.BigInteger),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("progress", sa.Text),  # A JSON document.
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("deadline", sa.Float),
    sa.Column("lease_owner", sa.String(64)),
    sa.Column("lease_until", sa.Float),
    sa.UniqueConstraint("host_id", "repo", "tag"),
    sa.Index(None, "project_id", "number"),
    sa.Index(None, "state"),
    sqlite_autoincrement=True,
)

# A project's own limits (nothing: those of everybody), and what counts towards them: the sums over its capsules.
quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("containers", sa.BigInteger),
    sa.Column("memory", sa.BigInteger),
    sa.Column("disk", sa.BigInteger),
    sa.Column("cpu", sa.BigInteger),
    sa.Column("used_containers", sa.BigInteger, nullable=False),
    sa.Column("used_memory", sa.BigInteger, nullable=False),
    sa.Column("used_disk", sa.BigInteger, nullable=False),
    sa.Column("used_cpu", sa.BigInteger, nullable=False),  # Millionths of a core: sums of whole numbers stay exact.
)

quota_classes = sa.Table(
    "quota_classes",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("containers", sa.BigInteger),
    sa.Column("memory", sa.BigInteger),
    sa.Column("disk", sa.BigInteger),
    sa.Column("cpu", sa.BigInteger),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("capsule_id", sa.String(36), nullable=False),  # No foreign key: the last events are about what is gone.
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("verb", sa.String(32)),
    sa.Column("status", sa.String(16)),
    sa.Column("reason", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Index(None, "project_id", "number"),
    sa.Index(None, "at"),
    sqlite_autoincrement=True,
)

# Who may open a WebSocket to what, once.
consoles = sa.Table(
    "consoles",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),  # Of the token.
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("exec_id", sa.String(64)),
    sa.Column("request", sa.Text, nullable=False),  # The live request, a JSON document.
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float),
    sa.Index(None, "capsule_id"),
    sa.Index(None, "exec_id"),
    sa.Index(None, "expires_at"),
)

# Requests that their callers may repeat, and what was answered.
repeats = sa.Table(
    "repeats",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column(
        "fingerprint", sa.String(64), nullable=False
    ),  # Of what was asked: the key of one request is not good for another.
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("held_until", sa.Float),  # Somebody is answering it just now.
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.Text),
    sa.Column("body", sa.Text),
    sa.Index(None, "created_at"),
)

volumes = sa.Table(
    "volumes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),  # Nothing: made along with a container; of those a project may have many.
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("host_id", sa.String(36)),
    sa.Column("auto_remove", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("project_id", "name"),
    sa.Index(None, "project_id", "number"),
    sa.Index(None, "host_id"),
    sqlite_autoincrement=True,
)

# Which volumes a capsule's containers mount: those cannot be deleted.
volume_uses = sa.Table(
    "volume_uses",
    metadata,
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("volume_id", sa.String(36), sa.ForeignKey("volumes.id"), primary_key=True),
    sa.Index(None, "volume_id"),
)

# What lies in the files that are mounted into containers, when those are made.
files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("capsule_id", sa.String(36), sa.ForeignKey("capsules.id", ondelete="CASCADE"), nullable=False),
    sa.Column("content", sa.LargeBinary(2**24 - 1), nullable=False),
    sa.Index(None, "capsule_id"),
)
