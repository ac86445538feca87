"""The commands of `tailrace`, one module a group.

Put here: options, help with units, tables a person reads; heavy imports inside the functions, start-up time counts.
Keep out: what a command computes (assets, resources, solvers).
"""
