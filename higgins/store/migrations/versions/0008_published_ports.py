"""How many ports of its host a capsule asks for, so that those of a project are counted without reading what else it asks for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("published", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_capsules_project_id_published"), ["project_id", "published"])
    op.execute("UPDATE capsules SET published = coalesce(json_array_length(spec, '$.published'), 0)")


def downgrade() -> None:
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_capsules_project_id_published"))
        batch_op.drop_column("published")
