"""The river forecast center's files, asked with plain requests."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import numpy as np
import pytest
import requests

from simulators.world import World
from tests.simulators.stand_ins import StandIns

EXPORT = "2026112012_american_csv_export.zip"
HEFS = "2026112012_american_hefs_csv_hourly.zip"


def get(stand_ins: StandIns, name: str, **headers: str) -> requests.Response:
    return stand_ins.http.get(stand_ins.url("cnrfc", f"/csv/{name}"), headers=headers, timeout=10)


def lines(answer: requests.Response) -> list[list[str]]:
    content = answer.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(archive.namelist()[0])
    return [line.split(",") for line in content.decode().splitlines() if line]


def test_a_deterministic_export_runs_from_five_days_before_to_five_days_after(stand_ins: StandIns) -> None:
    ids, parameters, *rows = lines(get(stand_ins, EXPORT))
    assert ids == ["GMT", "MFPC1", "RUFC1", "MFAC1L", "NMFC1", "MFAC1"]
    assert parameters == ["", "QINE", "QINE", "QINE", "QINE", "QINE"]
    assert (rows[0][0], rows[-1][0], len(rows)) == ("2026-11-15 12:00:00", "2026-11-25 12:00:00", 241)
    start = int(datetime(2026, 11, 15, 11, tzinfo=UTC).timestamp())
    truth = stand_ins.world.window("sierra", start, start + 7200)["r30_cfs"]
    # kcfs at an instant: the mean of the hours on both sides of it.
    assert float(rows[0][2]) * 1000 == pytest.approx(truth.mean(), abs=0.01)


def test_a_file_appears_hours_after_its_nominal_time_and_says_when(stand_ins: StandIns) -> None:
    answer = get(stand_ins, EXPORT)
    modified = parsedate_to_datetime(answer.headers["Last-Modified"])
    nominal = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert timedelta(hours=3.5) <= modified - nominal <= timedelta(hours=5)
    stand_ins.set_clock(modified - timedelta(seconds=1))
    assert get(stand_ins, EXPORT).status_code == 404
    stand_ins.control("cnrfc", {"settings": {"cnrfc_html_before_issue": True}})
    page = get(stand_ins, EXPORT)
    assert (page.status_code, page.text[:6]) == (200, "<html>")
    stand_ins.set_clock(modified + timedelta(seconds=1))
    assert get(stand_ins, EXPORT).content == answer.content


def test_an_unchanged_file_is_not_sent_again(stand_ins: StandIns) -> None:
    modified = get(stand_ins, EXPORT).headers["Last-Modified"]
    assert get(stand_ins, EXPORT, **{"If-Modified-Since": modified}).status_code == 304


def test_an_ensemble_repeats_each_id_once_for_every_member(stand_ins: StandIns) -> None:
    ids, parameters, *rows = lines(get(stand_ins, HEFS))
    assert ids.count("RUFC1") == 43
    assert len(parameters) == len(ids) == 1 + 5 * 43
    assert len(rows) == 721
    assert rows[0][0] == "2026-11-20 12:00:00"
    first = np.array([float(cell) for cell in rows[1][44:87]])
    last = np.array([float(cell) for cell in rows[-1][44:87]])
    assert last.std() / last.mean() > 5 * first.std() / first.mean()
    stand_ins.control("cnrfc", {"settings": {"hefs_members": 59, "hefs_hours": 337}})
    ids, _, *rows = lines(get(stand_ins, HEFS))
    assert (ids.count("RUFC1"), len(rows)) == (59, 337)


def test_an_ensemble_holds_the_truth_as_often_as_it_should(stand_ins: StandIns) -> None:
    inside = total = 0
    for day in range(0, 60, 3):
        issue = datetime(2026, 4, 1, 12, tzinfo=UTC) + timedelta(days=day)
        _, _, *rows = lines(get(stand_ins, f"{issue:%Y%m%d%H}_RUFC1_hefs_csv_hourly.csv.zip"))
        start = int(issue.timestamp())
        truth = stand_ins.world.window("sierra", start, start + 721 * 3600)["r30_cfs"]
        for hour in range(5, 721, 40):
            paths = np.array([float(cell) for cell in rows[hour][1:]]) * 1000
            low, high = np.quantile(paths, [0.1, 0.9])
            inside += low <= truth[hour] <= high
            total += 1
    assert 0.6 < inside / total < 0.95


def test_daily_means_and_the_newest_file_of_a_point(stand_ins: StandIns) -> None:
    _, parameters, *rows = lines(get(stand_ins, "2026112012_american_hefs_csv_daily.zip"))
    assert parameters[1] == "SQME"
    assert (len(rows), rows[0][0]) == (30, "2026-11-21 12:00:00")
    hourly = lines(get(stand_ins, HEFS))[2:]
    # The first day runs from noon to noon; the instants of both ends belong to it by half, the middle ones whole.
    mean = np.mean([float(row[1]) for row in hourly[:24]])
    assert float(rows[0][1]) == pytest.approx(mean, abs=2e-5)
    latest = lines(get(stand_ins, "RUFC1_hefs_csv_hourly.csv"))
    assert latest[2][0] == "2026-11-20 12:00:00"


def test_a_listing_names_file_time_and_size(stand_ins: StandIns) -> None:
    for page, kind in (("deterministicHourlyProductCSV.php", "csv_export"), ("ensembleProductCSV.php", "daily")):
        text = stand_ins.http.get(stand_ins.url("cnrfc", f"/{page}"), timeout=10).text
        assert "Date/Time Last Modified" in text
        assert kind in text
        assert "K</td>" in text


def test_a_point_file_is_local_and_in_cubic_feet(stand_ins: StandIns) -> None:
    text = stand_ins.http.get(stand_ins.url("cnrfc", "/graphicalRVF_csv.php"), params={"id": "RUFC1"}, timeout=10).text
    header, first, *rest = text.splitlines()
    assert header.startswith("Valid Date/Time (Pacific),Flow (CFS),Trend,")
    cells = first.split(",")
    assert cells[0] == "11/15/2026 04 AM"
    assert float(cells[1]) > 100
    assert sum(",Forecast" in line for line in rest) == 120


def test_storms_bring_more_issues_and_updates_of_the_same_name(stand_ins: StandIns, world: World) -> None:
    start = int(datetime(2022, 2, 1, tzinfo=UTC).timestamp())
    r4 = world.window("sierra", start, start + 86400 * 400)["r4_cfs"].reshape(-1, 24).max(axis=1)
    storm = datetime(2022, 2, 1, tzinfo=UTC) + timedelta(days=int(np.argmax(r4 > 600)))
    dry = datetime(2026, 8, 20, tzinfo=UTC)
    for day, status in ((storm, 200), (dry, 404)):
        stand_ins.set_clock(day + timedelta(hours=30))
        assert get(stand_ins, f"{day:%Y%m%d}18_american_csv_export.zip").status_code == status
    name = f"{storm:%Y%m%d}12_american_csv_export.zip"
    stand_ins.set_clock(storm + timedelta(hours=18))
    before = get(stand_ins, name)
    stand_ins.set_clock(storm + timedelta(hours=30))
    after = get(stand_ins, name)
    assert before.headers["Last-Modified"] != after.headers["Last-Modified"]
    assert lines(before)[-1] != lines(after)[-1]
    assert lines(before)[10] == lines(after)[10]


def test_a_hole_is_printed_as_the_sentinel(stand_ins: StandIns) -> None:
    stand_ins.control("cnrfc", {"faults": [{"fault": "null_hole", "p": 0.1}]})
    cells = [cell for row in lines(get(stand_ins, EXPORT))[2:] for cell in row[1:]]
    assert 20 < cells.count("-9999") < 400
