"""The care of the lake itself.

Put here: compaction and garbage collection as assets, so that their runs are seen. Keep out: how files are merged
(resources/lake).
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from resources.lake import Lake

GROUP: Final = "beliefs"

_GRACE: Final = timedelta(hours=24)
"""How long a reader that opened an old manifest may still need its files."""


@dg.asset(
    key=[GROUP, "compaction"], group_name=GROUP, owners=["team:platform"], kinds={"python", "parquet"}, pool="lake"
)
def compaction(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """Landing files merged into sorted event-month files; readers see the old set or the new one."""
    compacted = lake.compact()
    collected = lake.gc(grace=_GRACE)
    return dg.MaterializeResult(metadata={"compacted": str(compacted), "collected": str(collected)})
