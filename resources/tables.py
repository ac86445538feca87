"""The tables of operational state.

Put here: small transactional facts: devices, alerts to send, what was published. Keep out: beliefs and plans
(the lake and the plan folders hold those).
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

_UTC: Final = sa.DateTime(timezone=True)

DEVICES: Final = sa.Table(
    "devices",
    METADATA,
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("site", sa.String(100), nullable=True),
    sa.Column("feeder", sa.String(100), nullable=True, comment="null: coupled to no feeder"),
    sa.Column("status", sa.String(20), nullable=False, server_default="active", comment="active or retired"),
    sa.Column("capacity_kwh", sa.Float, nullable=False),
    sa.Column("max_charge_kw", sa.Float, nullable=False, comment="at the meter"),
    sa.Column("max_discharge_kw", sa.Float, nullable=False, comment="at the meter"),
    sa.Column("charge_efficiency", sa.Float, nullable=False, comment="0 to 1"),
    sa.Column("discharge_efficiency", sa.Float, nullable=False, comment="0 to 1"),
    sa.Column("soc_min_kwh", sa.Float, nullable=False),
    sa.Column("soc_max_kwh", sa.Float, nullable=False),
    sa.Column("soc_start_kwh", sa.Float, nullable=False),
    sa.Column("soc_end_min_kwh", sa.Float, nullable=False),
    sa.Column("wear_usd_per_kwh", sa.Float, nullable=False, comment="per kWh at the meter, each way"),
    sa.Column("availability", sa.JSON, nullable=True, comment="fractions, one an interval of the day; null: always"),
    sa.Column("changed_at", _UTC, nullable=False),
)

OUTBOX: Final = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(300), nullable=False, unique=True, comment="cause + natural key: raised once"),
    sa.Column("kind", sa.String(60), nullable=False),
    sa.Column("severity", sa.String(20), nullable=False, comment="info, warning or critical"),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("raised_at", _UTC, nullable=False),
    sa.Column("sent_at", _UTC, nullable=True, comment="null: waiting for a channel"),
)

PUBLICATIONS: Final = sa.Table(
    "publications",
    METADATA,
    sa.Column("plan", sa.String(60), primary_key=True),
    sa.Column("as_of", _UTC, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("schedule_id", sa.String(120), nullable=False, index=True),
    sa.Column("manifest_sha256", sa.String(64), nullable=False),
    sa.Column("status", sa.String(20), nullable=False, comment="published or superseded"),
    sa.Column("published_at", _UTC, nullable=False),
)
