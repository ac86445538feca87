"""What operators keep: overrides, what-ifs and parameter sets of the afterbay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "overrides",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("column_name", sa.String(40), nullable=False),
        sa.Column("event_start", _UTC, nullable=False),
        sa.Column("event_end", _UTC, nullable=False, index=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("said_at", _UTC, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("withdrawn_at", _UTC, nullable=True),
        sa.Column("withdrawn_by", sa.String(100), nullable=True),
    )
    op.create_table(
        "what_ifs",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("base_as_of", _UTC, nullable=False, index=True),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("edits", sa.JSON, nullable=False),
        sa.Column("parameter_set", sa.String(100), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("parent", sa.String(100), nullable=True),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("said_at", _UTC, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "parameter_sets",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("said_at", _UTC, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
