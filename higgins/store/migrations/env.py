"""Alembic's way in: it is handed a connection and walks the steps on it."""

from alembic import context

from higgins.store import identity, tables

# Its tables stand in the same metadata once it is imported.
assert identity.users.metadata is tables.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
