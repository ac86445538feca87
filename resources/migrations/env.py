"""Runs the migrations on the connection that resources/database.py hands over."""

from __future__ import annotations

from alembic import context

from resources.tables import METADATA

# Dagster keeps its own `alembic_version` in the same database when both live in one PostgreSQL.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="tailrace_schema_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
