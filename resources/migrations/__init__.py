"""Alembic migrations of the operational database.

Put here: one module a change of schema, in versions/. Keep out: data fixes that belong to a person.
"""
