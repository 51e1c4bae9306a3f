"""Volumes, who uses them, and what lies in the files that are mounted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volumes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=True),
        sa.Column("auto_remove", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_volumes")),
        sa.UniqueConstraint("id", name=op.f("uq_volumes_id")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_volumes_project_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_volumes_project_id_number"), "volumes", ["project_id", "number"])
    op.create_index(op.f("ix_volumes_host_id"), "volumes", ["host_id"])
    op.create_table(
        "volume_uses",
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("volume_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_volume_uses_capsule_id_capsules"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"], name=op.f("fk_volume_uses_volume_id_volumes")),
        sa.PrimaryKeyConstraint("capsule_id", "volume_id", name=op.f("pk_volume_uses")),
    )
    op.create_index(op.f("ix_volume_uses_volume_id"), "volume_uses", ["volume_id"])
    op.create_table(
        "files",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.LargeBinary(length=2**24 - 1), nullable=False),
        sa.ForeignKeyConstraint(
            ["capsule_id"], ["capsules.id"], name=op.f("fk_files_capsule_id_capsules"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index(op.f("ix_files_capsule_id"), "files", ["capsule_id"])


def downgrade() -> None:
    op.drop_table("files")
    op.drop_table("volume_uses")
    op.drop_table("volumes")
