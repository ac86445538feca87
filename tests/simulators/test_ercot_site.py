"""ERCOT's open web site: dashboards and operations messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from simulators.ercot_dashboards import condition
from simulators.ercot_messages import messages
from simulators.world import World
from tests.simulators.stand_ins import StandIns

NOW_MS = int(datetime(2026, 11, 21, 8, tzinfo=UTC).timestamp()) * 1000


def dashboard(stand_ins: StandIns, name: str) -> dict[str, Any]:
    url = stand_ins.url("ercot_www", f"/api/1/services/read/dashboards/{name}.json")
    answer = stand_ins.http.get(url, timeout=10)
    assert answer.status_code == 200
    return answer.json()


def test_the_grid_condition_tells_capability_and_emergency_level(stand_ins: StandIns) -> None:
    now = dashboard(stand_ins, "daily-prc")["current_condition"]
    assert now["datetime"] * 1000 == NOW_MS
    assert (now["state"], now["eea_level"]) == ("normal", 0)
    assert re.fullmatch(r"\d{1,2},\d{3}", now["prc_value"])
    assert [condition(prc) for prc in (4000, 2800, 2300, 1800, 900)] == [
        ("normal", 0),
        ("watch", 0),
        ("eea1", 1),
        ("eea2", 2),
        ("eea3", 3),
    ]


def test_the_capacity_monitor_groups_rows_under_a_title(stand_ins: StandIns) -> None:
    data = dashboard(stand_ins, "ancillary-service-capacity-monitor")["data"]
    assert all(len(group[0]) == 1 for group in data.values())
    keys = {key for group in data.values() for key, _ in group[1:]}
    expected = {"prc", "regUpCap", "regDownCap", "rrcCapPfrGenEsr", "ecrsCapEsr", "nsrCapEsr"}
    assert expected | {"rtReserveOnline", "rtReserveOnOffline", "telemHslEmr"} <= keys


def test_batteries_are_shown_every_five_minutes_up_to_now(stand_ins: StandIns) -> None:
    days = dashboard(stand_ins, "energy-storage-resources")
    assert len(days["previousDay"]["data"]) == 288
    today = days["currentDay"]["data"]
    assert today[-1]["epoch"] <= NOW_MS
    for item in today:
        assert item["totalCharging"] <= 0 <= item["totalDischarging"]
        assert abs(item["netOutput"] - item["totalCharging"] - item["totalDischarging"]) < 0.002
    stand_ins.set_clock(datetime(2026, 11, 2, 12, tzinfo=UTC))
    autumn = dashboard(stand_ins, "energy-storage-resources")["previousDay"]["data"]
    assert len(autumn) == 300
    assert sum(item["dstFlag"] == "Y" for item in autumn) == 12


def test_load_is_absent_where_it_has_not_happened(stand_ins: StandIns) -> None:
    days = dashboard(stand_ins, "loadForecastVsActual")
    # 08:00 UTC is two in the morning: two hours of today are over.
    assert [("systemLoad" in item) for item in days["currentDay"]["data"]].count(True) == 2
    assert all("systemLoad" in item for item in days["previousDay"]["data"])
    assert not any("systemLoad" in item for item in days["nextDay"]["data"])
    assert all(item["epoch"] % 3_600_000 == 0 for item in days["nextDay"]["data"])


def test_other_dashboards_hold_what_their_readers_look_for(stand_ins: StandIns) -> None:
    mix = dashboard(stand_ins, "fuel-mix")["data"]
    assert {"Natural Gas", "Power Storage", "Solar", "Wind"} <= set(next(iter(mix["2026-11-20"].values())))
    supply = dashboard(stand_ins, "supply-demand")
    assert {item["forecast"] for item in supply["data"]} == {0}
    assert len(supply["forecast"]) % 24 == 0
    wind = dashboard(stand_ins, "combine-wind-solar")["currentDay"]["data"]
    assert [entry["actualWind"] is None for entry in wind.values()].count(False) == 2
    assert dashboard(stand_ins, "generation-outages")["current"]
    missing = stand_ins.http.get(stand_ins.url("ercot_www", "/api/1/services/read/dashboards/x.json"), timeout=10)
    assert missing.status_code == 404


def test_messages_are_a_month_of_rows_without_a_zone(stand_ins: StandIns) -> None:
    page = stand_ins.http.get(stand_ins.url("ercot_www", "/services/comm/mkt_notices/opsmessages"), timeout=10).text
    found = re.findall(r"<tr>((?:<td[^>]*>[^<]*</td>)+)</tr>", page)
    assert len(found) > 10
    stamp, _, _, status = re.findall(r">([^<]*)</td>", found[0])
    assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} [AP]M", stamp)
    assert status in {"Active", "Cancelled"}


def test_an_emergency_is_announced_while_capability_is_low_and_cancelled_after(world: World) -> None:
    start = datetime(2022, 2, 1, tzinfo=UTC)
    prc = world.window("texas_rt", int(start.timestamp()), int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()))["prc"]
    assert prc.min() < 2500.0
    begins = int(np.argmax(prc < 2500.0))
    ends = begins + int(np.argmax(prc[begins:] >= 2500.0))
    low, over = (start + timedelta(minutes=15 * place) for place in (begins, ends))
    during = messages(world, (low + timedelta(minutes=2)).timestamp())
    alert = [message for message in during if "Level 1" in message.notice and "cancelled" not in message.notice]
    assert alert[0].until is not None
    assert alert[0].until > low.timestamp()
    later = messages(world, (over + timedelta(minutes=2)).timestamp())
    assert any("cancelled" in message.notice and "Level 1" in message.notice for message in later)
    assert (prc < 2500.0).mean() < 0.005
