"""Thin Dagster shells, one file a group: read as of, call, append, report.

Put here: @asset functions with their checks; keys <group>/<noun>.
Keep out: arithmetic a test would want without Dagster; imports from another assets file: name its key.
"""

import warnings

from dagster import BetaWarning

# backfill_policy and pool are called beta by dagster 1.13; the lock pins that minor version, and the tests use both.
warnings.filterwarnings("ignore", category=BetaWarning)
