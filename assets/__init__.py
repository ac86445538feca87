"""Thin Dagster shells, one file a group: read as of, call, append, report.

Put here: @asset functions with their checks; keys <group>/<noun>.
Keep out: arithmetic a test would want without Dagster; imports from another assets file: name its key.
"""
