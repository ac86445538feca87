"""Everything with a network, a disk, a database or a clock.

Put here: one client a service, the lake, the registry, the publisher, the clock; each usable without Dagster in a test.
Keep out: decisions, physics, schedules; environment variables (pipelines/wiring.py reads them).
"""
