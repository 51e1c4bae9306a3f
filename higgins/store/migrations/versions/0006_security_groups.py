"""Security groups, and the ports of hosts that lead to capsules."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "security_groups",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_security_groups")),
        sa.UniqueConstraint("id", name=op.f("uq_security_groups_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_security_groups_project_id_number"), "security_groups", ["project_id", "number"])
    op.create_table(
        "security_group_uses",
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_security_group_uses_capsule_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["group_id"], ["security_groups.id"], name=op.f("fk_security_group_uses_group_id")),
        sa.PrimaryKeyConstraint("capsule_id", "group_id", name=op.f("pk_security_group_uses")),
    )
    op.create_index(op.f("ix_security_group_uses_group_id"), "security_group_uses", ["group_id"])
    op.create_table(
        "host_ports",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.id"], name=op.f("fk_host_ports_host_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_host_ports_capsule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("host_id", "protocol", "number", name=op.f("pk_host_ports")),
    )
    op.create_index(op.f("ix_host_ports_capsule_id"), "host_ports", ["capsule_id"])


def downgrade() -> None:
    op.drop_table("host_ports")
    op.drop_table("security_group_uses")
    op.drop_table("security_groups")
