"""Networks with their ports, and which capsules something is to be allotted to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "networks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("subnet", sa.String(length=18), nullable=False),
        sa.Column("gateway", sa.String(length=15), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_networks")),
        sa.UniqueConstraint("id", name=op.f("uq_networks_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_networks_project_id_number"), "networks", ["project_id", "number"])
    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("capsule_id", sa.String(length=36), nullable=False),
        sa.Column("mac", sa.String(length=17), nullable=False),
        sa.Column("address", sa.BigInteger(), nullable=False),
        sa.Column("interface", sa.String(length=15), nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["networks.id"], name=op.f("fk_ports_network_id")),
        sa.ForeignKeyConstraint(["capsule_id"], ["capsules.id"], name=op.f("fk_ports_capsule_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ports")),
        sa.UniqueConstraint("network_id", "address", name=op.f("uq_ports_network_id_address")),
    )
    op.create_index(op.f("ix_ports_capsule_id"), "ports", ["capsule_id"])
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owed", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.drop_index(op.f("ix_capsules_provision"))
        batch_op.create_index(op.f("ix_capsules_owed"), ["owed"])
    # Nobody has allotted anything until now; should somebody, it is looked at once.
    op.execute("UPDATE capsules SET owed = 1 WHERE provision IN ('wanted', 'held')")


def downgrade() -> None:
    with op.batch_alter_table("capsules", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_capsules_owed"))
        batch_op.create_index(op.f("ix_capsules_provision"), ["provision"])
        batch_op.drop_column("owed")
    op.drop_table("ports")
    op.drop_table("networks")
