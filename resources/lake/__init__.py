"""The bitemporal lake: append-only Parquet files behind a journal of commits, no server.

Put here: storing and finding beliefs, coverage and raw bytes; upkeep of the files. Keep out: what the numbers mean,
the rules of who wins (domain/revisions.py), Dagster.
"""

from resources.lake.appending import Appended
from resources.lake.store import Lake

__all__ = ["Appended", "Lake"]
