"""The migrations, oldest first by number.

Put here: upgrade steps. Keep out: anything that imports today's tables: a migration describes its own moment.
"""
