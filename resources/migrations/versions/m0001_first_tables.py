"""Devices, the outbox of alerts and the ledger of publications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first three tables."""
    utc = sa.DateTime(timezone=True)
    numbers = (
        "capacity_kwh",
        "max_charge_kw",
        "max_discharge_kw",
        "charge_efficiency",
        "discharge_efficiency",
        "soc_min_kwh",
        "soc_max_kwh",
        "soc_start_kwh",
        "soc_end_min_kwh",
        "wear_usd_per_kwh",
    )
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(100), primary_key=True),
        sa.Column("site", sa.String(100), nullable=True),
        sa.Column("feeder", sa.String(100), nullable=True),
        sa.Column("status", sa.String(20), nullable=False, server_default="active"),
        *(sa.Column(name, sa.Float, nullable=False) for name in numbers),
        sa.Column("availability", sa.JSON, nullable=True),
        sa.Column("changed_at", utc, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(300), nullable=False, unique=True),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("raised_at", utc, nullable=False),
        sa.Column("sent_at", utc, nullable=True),
    )
    op.create_table(
        "publications",
        sa.Column("plan", sa.String(60), primary_key=True),
        sa.Column("as_of", utc, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("schedule_id", sa.String(120), nullable=False, index=True),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("published_at", utc, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("publications", "outbox", "devices"):
        op.drop_table(name)
