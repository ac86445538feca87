"""Process entry points, the only place that assembles the rest.

Put here: the two code locations, wiring from the environment, schedules, the command line.
Keep out: anything a test would want to import without starting Tailrace.
"""
