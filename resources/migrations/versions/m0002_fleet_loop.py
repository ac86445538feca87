"""What telling devices and hearing from them leaves behind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of the loop and describe devices further."""
    for name, length in (("kind", 40), ("timezone", 60), ("firmware", 40)):
        op.add_column("devices", sa.Column(name, sa.String(length), nullable=True))
    op.add_column("devices", sa.Column("wear_depth_usd_per_kwh", sa.JSON, nullable=True))
    op.create_table(
        "external_entries",
        sa.Column("schedule_id", sa.String(120), primary_key=True),
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("event_start", _UTC, primary_key=True),
        sa.Column("event_end", _UTC, nullable=False, index=True),
        sa.Column("mode", sa.Integer, nullable=False),
        sa.Column("rate_kw", sa.Float, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("issued_at", _UTC, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("schedule_id", sa.String(120), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("valid_from", _UTC, nullable=False),
        sa.Column("valid_to", _UTC, nullable=False, index=True),
        sa.Column("published_at", _UTC, nullable=True),
        sa.Column("delivered_at", _UTC, nullable=True),
    )
    _create_heard()


def _create_heard() -> None:
    op.create_table(
        "executions",
        sa.Column("interval_start", _UTC, primary_key=True),
        sa.Column("schedule_id", sa.String(120), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("execution_time", _UTC, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("actual_rate_kw", sa.Float, nullable=True),
        sa.Column("soc_kwh", sa.Float, nullable=True),
        sa.Column("error_message", sa.Text, nullable=True),
        sa.Column("received_at", _UTC, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "execution_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "device_reports",
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("reported_at", _UTC, primary_key=True),
        sa.Column("power_kw", sa.Float, nullable=False),
        sa.Column("soc_kwh", sa.Float, nullable=False),
        sa.Column("received_at", _UTC, nullable=False, index=True),
    )
    op.create_table(
        "device_status",
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("last_seen_at", _UTC, nullable=False),
        sa.Column("schedule_id", sa.String(120), nullable=True),
        sa.Column("version", sa.Integer, nullable=True),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String(300), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("received_at", _UTC, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for name in (
        "dead_letters",
        "device_status",
        "device_reports",
        "execution_days",
        "executions",
        "deliveries",
        "external_entries",
    ):
        op.drop_table(name)
    for name in ("wear_depth_usd_per_kwh", "firmware", "timezone", "kind"):
        op.drop_column("devices", name)
