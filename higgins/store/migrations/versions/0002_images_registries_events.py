"""Images, registries, events, consoles, repeated requests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_project_id_number"), ["project_id", "number"], unique=False)

    op.create_table(
        "registries",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_registries")),
        sa.UniqueConstraint("id", name=op.f("uq_registries_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("registries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registries_project_id_number"), ["project_id", "number"], unique=False)

    op.create_table(
        "repeats",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("held_until", sa.Float(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "user_id", "key", name=op.f("pk_repeats")),
    )
    with op.batch_alter_table("repeats", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_repeats_created_at"), ["created_at"], unique=False)

    op.create_table(
        "consoles",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("exec_id", sa.String(length=64), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_consoles_capsule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_consoles")),
    )
    with op.batch_alter_table("consoles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consoles_capsule_id"), ["capsule_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_consoles_exec_id"), ["exec_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_consoles_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "images",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("repo", sa.String(length=255), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=255), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("deadline", sa.Float(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_images_host_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_images")),
        sa.UniqueConstraint("host_id", "repo", "tag", name=op.f("uq_images_host_id_repo_tag")),
        sa.UniqueConstraint("id", name=op.f("uq_images_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_images_project_id_number"), ["project_id", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_images_state"), ["state"], unique=False)

    op.create_table(
        "registry_uses",
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("registry_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_registry_uses_capsule_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["registry_id"], ["registries.id"], name=op.f("fk_registry_uses_registry_id")),
        sa.PrimaryKeyConstraint("capsule_id", "registry_id", name=op.f("pk_registry_uses")),
    )
    with op.batch_alter_table("registry_uses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registry_uses_registry_id"), ["registry_id"], unique=False)

    with op.batch_alter_table("actions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("steps", sa.Text(), nullable=True))

    with op.batch_alter_table("hosts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forced_down", sa.Boolean(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("beats", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("hosts", schema=None) as batch_op:
        batch_op.drop_column("beats")
        batch_op.drop_column("forced_down")

    with op.batch_alter_table("actions", schema=None) as batch_op:
        batch_op.drop_column("steps")

    with op.batch_alter_table("registry_uses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registry_uses_registry_id"))

    op.drop_table("registry_uses")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_images_state"))
        batch_op.drop_index(batch_op.f("ix_images_project_id_number"))

    op.drop_table("images")
    with op.batch_alter_table("consoles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consoles_expires_at"))
        batch_op.drop_index(batch_op.f("ix_consoles_exec_id"))
        batch_op.drop_index(batch_op.f("ix_consoles_capsule_id"))

    op.drop_table("consoles")
    with op.batch_alter_table("repeats", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_repeats_created_at"))

    op.drop_table("repeats")
    with op.batch_alter_table("registries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registries_project_id_number"))

    op.drop_table("registries")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_project_id_number"))
        batch_op.drop_index(batch_op.f("ix_events_at"))

    op.drop_table("events")
