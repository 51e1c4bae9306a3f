"""Lists read what they need to know of each capsule from an index, and not from rows that are many times as long."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.create_index("ix_capsules_listed", ["project_id", "number", "kind", "id", "revision"])
        batch_op.drop_index(batch_op.f("ix_capsules_project_id_number"))


def downgrade() -> None:
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_capsules_project_id_number"), ["project_id", "number"])
        batch_op.drop_index("ix_capsules_listed")
