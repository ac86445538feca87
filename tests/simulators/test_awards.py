"""Market awards in the drop folder."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.simulators.stand_ins import StandIns

NS = "{http://www.caiso.com/soa/MarketAwards_v4.xsd#}"
TOMORROW = "MarketAwards_DAM_IFM_20261122_v4.xml"


def fetched(stand_ins: StandIns, name: str) -> str:
    answer = stand_ins.http.get(stand_ins.url("awards", f"/{name}"), timeout=10)
    assert answer.status_code == 200
    return answer.text


def series(text: str) -> dict[tuple[str, str, str], list[tuple[str, str, float]]]:
    found = {}
    for record in ET.fromstring(text).iter(f"{NS}MarketResultRecord"):  # noqa: S314 - our own stand-in wrote it
        key = tuple(record.findtext(f"{NS}{name}") or "" for name in ("resource", "product", "scheduleType"))
        found[key] = [
            (
                interval.findtext(f"{NS}HR") or "",
                interval.findtext(f"{NS}intervalStartTime") or "",
                float(interval.findtext(f"{NS}MW") or "nan"),
            )
            for interval in record.iter(f"{NS}TradeIntervalData")
        ]
    return found


def test_cleared_is_the_sum_of_market_and_self_and_is_the_worlds_award(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 21, 22, tzinfo=UTC))
    found = series(fetched(stand_ins, TOMORROW))
    cleared, market, own = (
        [mw for _, _, mw in found["MDFKRL_2_PROJCT", "EN", kind]] for kind in ("CLEARED", "MARKET", "SELF")
    )
    assert [a + b for a, b in zip(market, own, strict=True)] == pytest.approx(cleared)
    start = int(datetime(2026, 11, 22, 8, tzinfo=UTC).timestamp())
    assert cleared == stand_ins.world.window("sierra", start, start + 86400)["award_mw"].tolist()
    assert {"SR", "NR", "RC_AWD", "RC_CAP"} <= {product for _, product, _ in found}
    assert {"OXBOW_6_DRUM", "FMEADO_6_HELLHL", "FMEADO_7_UNIT"} <= {resource for resource, _, _ in found}
    first = found["MDFKRL_2_PROJCT", "EN", "CLEARED"][0]
    assert first[:2] == ("1", "2026-11-22T08:00:00-00:00")


def test_tomorrow_is_awarded_around_one_in_the_afternoon(stand_ins: StandIns) -> None:
    url = stand_ins.url("awards", f"/{TOMORROW}")
    for hour, minute, status in ((20, 59, 404), (21, 16, 200)):
        stand_ins.set_clock(datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
        assert stand_ins.http.get(url, timeout=10).status_code == status


@pytest.mark.parametrize(("day", "hours"), [("20260308", 23), ("20261101", 25)])
def test_change_days_count_23_and_25_hours(stand_ins: StandIns, day: str, hours: int) -> None:
    found = series(fetched(stand_ins, f"MarketAwards_DAM_IFM_{day}_v4.xml"))
    assert [hr for hr, _, _ in found["OXBOW_6_DRUM", "EN", "CLEARED"]] == [str(hour + 1) for hour in range(hours)]


def test_real_time_comes_in_quarters_after_its_hour(stand_ins: StandIns) -> None:
    found = series(fetched(stand_ins, "MarketAwards_RTM_RTUC_20261121T05_v4.xml"))
    assert [start[11:16] for _, start, _ in found["MDFKRL_2_PROJCT", "EN", "CLEARED"]] == [
        "05:00",
        "05:15",
        "05:30",
        "05:45",
    ]


def test_the_folder_fills_as_time_passes_and_a_name_is_written_once(stand_ins: StandIns, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    stand_ins.control("awards", {"settings": {"awards_folder": str(folder)}})

    def until(name: str) -> None:
        deadline = time.monotonic() + 20
        while not (folder / name).exists():
            assert time.monotonic() < deadline, f"{name} was not dropped"
            time.sleep(0.02)

    until("MarketAwards_DAM_IFM_20261121_v4.xml")
    taken = folder / "MarketAwards_DAM_IFM_20261121_v4.xml"
    assert taken.read_text() == fetched(stand_ins, taken.name)
    taken.unlink()
    stand_ins.set_clock(datetime(2026, 11, 21, 8, tzinfo=UTC) + timedelta(hours=14))
    until(TOMORROW)
    assert not taken.exists()
    assert not list(folder.glob("*.partial"))


def test_a_dropped_file_can_be_cut_or_be_html(stand_ins: StandIns, tmp_path: Path) -> None:
    service = stand_ins.simulators.services["awards"]
    orders = {"faults": [{"fault": "truncate_body", "match": "DAM", "times": 1}, {"fault": "html_200", "match": "RTM"}]}
    stand_ins.control("awards", {"settings": {"awards_folder": ""}, **orders})
    service.order({"settings": {"awards_folder": str(tmp_path)}})
    deadline = time.monotonic() + 20
    while not (tmp_path / "MarketAwards_RTM_RTUC_20261121T06_v4.xml").exists():
        assert time.monotonic() < deadline, "nothing was dropped"
        time.sleep(0.02)
    cut = [path for path in tmp_path.glob("*DAM*") if not path.read_text().rstrip().endswith("</MarketAwards>")]
    assert len(cut) == 1
    assert all("<html>" in path.read_text() for path in tmp_path.glob("*RTM*"))
