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
    sa.Column("kind", sa.String(40), nullable=True, comment="home, vehicle or commercial, where known"),
    sa.Column("timezone", sa.String(60), nullable=True, comment="IANA name, where known"),
    sa.Column("firmware", sa.String(40), nullable=True),
    sa.Column("wear_depth_usd_per_kwh", sa.JSON, nullable=True, comment="of further depths of discharge; null: none"),
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

EXTERNAL_ENTRIES: Final = sa.Table(
    "external_entries",
    METADATA,
    sa.Column("schedule_id", sa.String(120), primary_key=True, comment="the sender's"),
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("event_start", _UTC, primary_key=True),
    sa.Column("event_end", _UTC, nullable=False, index=True),
    sa.Column("mode", sa.Integer, nullable=False, comment="0 idle, 1 discharge, 2 charge"),
    sa.Column("rate_kw", sa.Float, nullable=False, comment="at the meter, 0 or more"),
    sa.Column("priority", sa.Integer, nullable=False, comment="1 to 10; the highest wins, then the newest"),
    sa.Column("issued_at", _UTC, nullable=False),
)

DELIVERIES: Final = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("schedule_id", sa.String(120), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("valid_from", _UTC, nullable=False),
    sa.Column("valid_to", _UTC, nullable=False, index=True),
    sa.Column("published_at", _UTC, nullable=True, comment="when the broker took the message; null: not yet"),
    sa.Column("delivered_at", _UTC, nullable=True, comment="when the device said that it holds it"),
)

EXECUTIONS: Final = sa.Table(
    "executions",
    METADATA,
    # In the order in which acknowledgements arrive, so that a batch lands on few pages of the index.
    sa.Column("interval_start", _UTC, primary_key=True),
    sa.Column("schedule_id", sa.String(120), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("execution_time", _UTC, nullable=False, comment="by the device's clock"),
    sa.Column("status", sa.String(20), nullable=False, comment="success or failed"),
    sa.Column("actual_rate_kw", sa.Float, nullable=True, comment="mean at the meter, positive to the grid"),
    sa.Column("soc_kwh", sa.Float, nullable=True, comment="at the end of the interval"),
    sa.Column("error_message", sa.Text, nullable=True),
    sa.Column("received_at", _UTC, nullable=False),
    sqlite_with_rowid=False,
)

EXECUTION_DAYS: Final = sa.Table(
    "execution_days",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True, comment="UTC day of the intervals"),
    sa.Column("changed", sa.BigInteger, nullable=False, comment="counts the batches that added to the day"),
    sa.Column("written", sa.BigInteger, nullable=False, comment="that count when the lake's file was last written"),
)

DEVICE_REPORTS: Final = sa.Table(
    "device_reports",
    METADATA,
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("reported_at", _UTC, primary_key=True, comment="by the device's clock"),
    sa.Column("power_kw", sa.Float, nullable=False, comment="at the meter, positive to the grid"),
    sa.Column("soc_kwh", sa.Float, nullable=False),
    sa.Column("received_at", _UTC, nullable=False, index=True),
    comment="telemetry on its way into the lake, which it leaves for",
)

DEVICE_STATUS: Final = sa.Table(
    "device_status",
    METADATA,
    sa.Column("device_id", sa.String(100), primary_key=True),
    sa.Column("last_seen_at", _UTC, nullable=False, comment="when we last received anything from it"),
    sa.Column("schedule_id", sa.String(120), nullable=True, comment="the schedule it last said it holds"),
    sa.Column("version", sa.Integer, nullable=True),
)

DEAD_LETTERS: Final = sa.Table(
    "dead_letters",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String(300), nullable=False),
    sa.Column("payload", sa.Text, nullable=False, comment="its first 4,000 characters"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("received_at", _UTC, nullable=False),
)
