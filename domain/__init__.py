"""The words of the field: units, series, plants, beliefs, physics.

Put here: records, rules and formulas that anybody may compute with, in numpy, polars and the standard library.
Keep out: Dagster, networks, disks, databases, clocks; anything that must be called in a certain order.
"""
