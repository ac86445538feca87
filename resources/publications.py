"""Making a stored version the one that consumers follow.

Put here: the order of pointer and ledger. Keep out: files (publisher.py) and rows (registry.py).
"""

from __future__ import annotations

from datetime import datetime

from resources.publisher import Publisher, Version
from resources.registry import Publication, Registry


def make_current(publisher: Publisher, registry: Registry, version: Version, *, at: datetime) -> None:
    """Point consumers at a version and write the ledger row.

    Pointer first, ledger second: a crash in between leaves a schedule in force without its row, and the next call
    adds the row; the other order would record a publication that nobody could read.

    Args:
        publisher: Holds the version.
        registry: Holds the ledger.
        version: What to follow from now on, unless a newer decision already is.
        at: The present [UTC].
    """
    publisher.publish(version, published_at=at)
    registry.record_publication(
        Publication(
            plan=version.plan,
            as_of=version.as_of,
            version=version.number,
            schedule_id=version.schedule_id,
            manifest_sha256=version.manifest_sha256,
            status="published",
            published_at=at,
        )
    )
