"""Runs the migrations on the connection that `open_store` hands over, inside its transaction."""

from alembic import context

from orchestration.ops.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,
)
context.run_migrations()
