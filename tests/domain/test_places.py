"""Claims about places: filters by level reach the same series by every read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from domain.beliefs import Cutoffs, Mode
from domain.errors import InputError
from domain.example_grid import node_ids
from domain.places import globs
from tests.resources.lake.rows import DAY, NEXT, World, belief, hour


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    ids = [
        *node_ids(),
        "site1:battery1",
        "site1:battery2",
        "site2:battery1",
        "device:B7:power",
        "ercot:spp_da:HB_NORTH",
    ]
    world.append(*(belief(1.0, at, series_id=name) for name in ids for at in (8, 9)))
    return world


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"grid": "grid1"}, 9), ({"region": "region2"}, 9), ({"node": "node3"}, 9),
        ({"grid": "grid3", "region": "region1"}, 3), ({"grid": "grid3", "region": "region1", "node": "node2"}, 1),
        ({"site": "site1"}, 2), ({"device": "battery1"}, 2), ({"site": "site2", "device": "battery1"}, 1),
        ({"device": "B7"}, 1), ({"grid": "ercot"}, 1), ({"node": "HB_NORTH"}, 1),
    ],
)  # fmt: skip
def test_every_read_filters_by_any_level(world: World, where: dict[str, str], count: int) -> None:
    there, window = globs(where), {"start": DAY, "end": NEXT}
    early, late = (Cutoffs(at=hour(at), mode=Mode.PUBLISHED) for at in (7, 12))
    lake = world.lake
    reads = [
        lake.as_of(there, **window, cutoffs=late),
        lake.latest(there, **window),
        lake.page(there, **window, cutoffs=late, limit=100).rows,
        lake.diff(there, **window, before=early, after=late),
        lake.horizon_slice(there, **window, horizon=timedelta(hours=14)),
    ]
    assert [read["series_id"].n_unique() for read in reads] == [count] * 5
    assert len(lake.series(there)) == count


def test_a_level_that_no_series_has_is_refused() -> None:
    for where in ({}, {"street": "7"}, {"grid": "grid1", "device": "B7"}):
        with pytest.raises(InputError, match="levels: grid, region, node, site, device"):
            globs(where)
