"""The page: true sentences, plots with units, nothing fetched, written whole."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from domain.beliefs import TIME
from domain.errors import FrameError
from domain.instants import CENTRAL, local_day
from resources.report import drawing, plots, svg
from resources.report.contents import AlertLine, FleetPart, ReportInput, ReservoirPart, SourceLine
from resources.report.report import render_report, write_report
from resources.report.words import changes, fleet_sentences, pool_sentences, spills

AS_OF = datetime(2026, 11, 21, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def timed(columns: dict[str, list]) -> pl.DataFrame:
    return pl.DataFrame(columns).with_columns(pl.col("event_start").cast(TIME))


def schedule(
    *,
    levels: list[float],
    spill: list[float] | None = None,
    change: dict[int, float] | None = None,
) -> pl.DataFrame:
    """A plan of hourly levels; ``change`` maps the hour in which a setpoint is given (at half past) to its MW."""
    count = len(levels)
    given = change or {}
    setpoints, current = [], 2.0
    for hour in range(count):
        current = given.get(hour, current)
        setpoints.append(current)
    return timed(
        {
            "event_start": [AS_OF + HOUR * i for i in range(count)],
            "oxbow_mw": setpoints,
            "oxbow_end_mw": setpoints,
            "setpoint_mw": setpoints,
            "setpoint_change_at": [AS_OF + HOUR * (i + 0.5) if i in given else None for i in range(count)],
            "elevation_ft": levels,
            "spill_cfs": spill or [0.0] * count,
            "outflow_cfs": [400.0] * count,
            "inflow_cfs": [500.0] * count,
            "head_cap_mw": [5.3] * count,
        }
    ).with_columns(pl.col("setpoint_change_at").cast(TIME))


def pool(plan: pl.DataFrame | None = None) -> ReservoirPart:
    past = [AS_OF - HOUR * i for i in range(30, -1, -1)]
    price = [
        (AS_OF + HOUR * i, q, 40.0 + i + add) for i in range(24) for q, add in ((None, 0.0), (0.1, -5.0), (0.9, 9.0))
    ]
    return ReservoirPart(
        schedule=schedule(levels=[1170.0 + i / 10 for i in range(24)]) if plan is None else plan,
        observed_elevation=timed({"event_start": past, "value": [1169.5] * 31}),
        observed_power=timed({"event_start": past[:-1], "value": [2.0] * 30}),
        start_elevation_ft=1170.42,
        start_mw=2.0,
        minimum_ft=1168.0,
        float_ft=1173.0,
        price=pl.DataFrame(
            price, schema={"event_start": TIME, "quantile": pl.Float64, "value": pl.Float64}, orient="row"
        ),
    )


def fleet(day: date = date(2026, 11, 22), power: float = 1000.0) -> FleetPart:
    start, end = local_day(day, CENTRAL)
    halves = [start + timedelta(minutes=30) * i for i in range(int((end - start) / timedelta(minutes=30)))]
    return FleetPart(
        aggregate=timed(
            {
                "event_start": halves,
                "power_kw": [-1.2 * power] * 4 + [power] * 4 + [0.0] * (len(halves) - 8),
                "soc_kwh": [1000.0] * len(halves),
            }
        ),
        start_soc_kwh=1000.0,
        capacity_kwh=13500.0,
        devices=1000,
        operating_day=day,
        value_usd=412.4,
        price=timed({"event_start": halves[::2], "value": [30.0] * len(halves[::2])}),
    )


def everything() -> ReportInput:
    return ReportInput(
        as_of=AS_OF,
        reservoir=pool(schedule(levels=[1170.0] * 24, change={3: 4.0})),
        fleet=fleet(),
        alerts=[AlertLine(severity="critical", title="pool <b>low</b>", detail="1167.9 ft", raised_at=AS_OF)],
        manifests=[
            {"plan": "reservoir", "schedule_id": "reservoir-20261121T1500Z", "version": 2, "gap": 0.0001, "files": {}}
        ],
        provenance={"r4_flow_cfs": "r4.flow.cfs, our forecast"},
        files={"Reservoir schedule": Path("/srv/plans/schedule.parquet")},
        sources=[
            SourceLine(name="pi", newest_event=AS_OF - HOUR, newest_belief=AS_OF, rows=8910),
            SourceLine(name="ercot_api", newest_event=None, newest_belief=None, rows=0, late=True),
        ],
    )


def test_the_page_says_where_the_pool_is_and_goes() -> None:
    plan = schedule(levels=[1170.0, 1169.25, 1172.5, 1171.0])
    assert list(pool_sentences(pool(plan))) == [
        "The pool stands at 1170.42 ft, 2.4 ft above the minimum and 2.6 ft below the float.",
        # The level of the second row is reached at its end, 17:00Z = 09:00 PST.
        (
            "It is planned to stay between 1169.25 ft (Sat 21 Nov 09:00 PST) and 1172.50 ft (Sat 21 Nov 10:00 PST),"
            " and to stand at 1171.00 ft when the plan ends, Sat 21 Nov 11:00 PST."
        ),
        "No spill is planned.",
    ]


def test_a_plan_below_the_minimum_says_so() -> None:
    plan = schedule(levels=[1168.2, 1167.9, 1167.8])
    said = " ".join(pool_sentences(pool(plan)))
    assert "falls below the minimum of 1168 ft in 2 intervals, first Sat 21 Nov 08:00 PST" in said


def test_spill_is_told_in_spells_with_their_volume() -> None:
    plan = schedule(levels=[1173.0] * 5, spill=[100.0, 200.0, 0.1, 0.0, 50.0])
    # 100 + 200 cfs for an hour each: 300 x 3600 / 43560 = 24.8 af; 0.1 cfs is rounding of the simulation.
    assert spills(pool(plan)) == [
        (AS_OF, AS_OF + 2 * HOUR, pytest.approx(24.793, abs=1e-3)),
        (AS_OF + 4 * HOUR, AS_OF + 5 * HOUR, pytest.approx(4.132, abs=1e-3)),
    ]
    assert "Spill of 25 af from Sat 21 Nov 07:00 PST to Sat 21 Nov 09:00 PST." in list(pool_sentences(pool(plan)))
    many = schedule(levels=[1173.0] * 10, spill=[121.0, 0.0] * 5)
    assert list(pool_sentences(pool(many)))[-1] == "2 later spells of spill, 20 af together."


def test_each_setpoint_change_starts_from_the_one_before() -> None:
    found = changes(pool(schedule(levels=[1170.0] * 6, change={1: 4.0, 4: 1.5})))
    assert [(c.from_mw, c.to_mw) for c in found] == [(2.0, 4.0), (4.0, 1.5)]
    assert found[0].at == AS_OF + 1.5 * HOUR
    assert found[0].reached_at == AS_OF + 2 * HOUR


def test_the_fleets_energy_is_counted_each_way() -> None:
    said = list(fleet_sentences(fleet()))
    # Two hours in at 1.2 MW and two hours out at 1 MW.
    assert said[0] == (
        "On Sunday 22 November the 1,000 batteries take 2.4 MWh from the grid and give back 2.0 MWh,"
        " worth $412 at the forecast prices after wear."
    )
    assert said[1] == "Most power goes to the grid at Sun 22 Nov 02:00 CST: 1.00 MW."
    assert "stay idle" in next(fleet_sentences(fleet(power=0.0)))


def test_the_page_carries_everything_and_fetches_nothing() -> None:
    page = render_report(everything())
    assert not re.search(r"<script|<link|<img|<iframe|@import|\ssrc=|url\((?!#)", page)
    assert set(re.findall(r"https?://[^\"'\s]+", page)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    for text in (
        "Decided as of",
        "Sat 21 Nov 07:00 PST",
        "to 4.0 MW Sat 21 Nov 10:30 PST",
        "reservoir-20261121T1500Z",
        "/srv/plans/schedule.parquet",
        "r4.flow.cfs, our forecast",
        "2026-11-21T14:00:00Z (1 h 0 min before)",
        "nothing, late",
    ):
        assert text in page
    assert page.count("<svg ") == 5
    assert "pool &lt;b&gt;low&lt;/b&gt;" in page


def test_the_same_contents_give_the_same_bytes() -> None:
    assert render_report(everything()) == render_report(everything())


def test_a_part_without_a_plan_says_why_and_a_quiet_day_says_so() -> None:
    page = render_report(ReportInput(as_of=AS_OF, fleet=fleet(), missing={"reservoir": "r4.flow.cfs: no forecast"}))
    assert "no plan. r4.flow.cfs: no forecast" in page
    assert "No alert is open." in page
    assert "Pool level" not in page


def test_a_plan_without_changes_says_none() -> None:
    page = render_report(ReportInput(as_of=AS_OF, reservoir=pool()))
    assert "None: the output stays where it is." in page
    assert "no change planned" in page


DRAW: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "level": (lambda: plots.elevation_plot(pool(), AS_OF), ("Pool level [ft]", "float 1173 ft", "minimum 1168 ft")),
    "power": (lambda: plots.power_plot(pool(), AS_OF), ("Oxbow [MW]", "head cap", "measured mean")),
    "flow": (lambda: plots.flow_plot(pool(), AS_OF), ("Flow [cfs]", "inflow")),
    "price": (lambda: plots.price_plot(pool(), AS_OF), ("Price [USD/MWh]", "P10 to P90")),
    "fleet": (
        lambda: plots.fleet_plot(fleet()),
        ("Price [USD/MWh]", "Fleet [MW]", "Stored [MWh]", "capacity 13.5 MWh"),
    ),
}


@pytest.mark.parametrize("name", DRAW)
def test_every_plot_names_its_units_and_is_small_well_formed_svg(name: str) -> None:
    draw, words = DRAW[name]
    drawing_text = draw()
    texts = {element.text for element in ET.fromstring(drawing_text).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314 - our own
    assert set(words) <= texts
    uri = svg.data_uri(drawing_text)
    assert len(uri) < 30_000
    alone = base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).decode()
    ET.fromstring(alone)  # noqa: S314 - our own
    assert set(re.findall(r"var\((--tr-\w+)\)", alone)) <= set(re.findall(r"(--tr-\w+):", alone))


def test_the_band_of_scenarios_and_spill_are_drawn_where_the_plan_has_them() -> None:
    plan = schedule(levels=[1173.0] * 6, spill=[50.0] * 6)
    banded = plan.with_columns(elevation_p10_ft=pl.col("elevation_ft") - 1, elevation_p90_ft=pl.col("elevation_ft"))
    assert ">spilling<" in plots.elevation_plot(pool(plan), AS_OF)
    assert ">P10 to P90<" not in plots.elevation_plot(pool(plan), AS_OF)
    assert ">P10 to P90<" in plots.elevation_plot(pool(banded), AS_OF)


def test_published_prices_are_told_from_forecast_ones() -> None:
    part = pool()
    labelled = part.price.with_columns(
        model=pl.when(pl.col("value") < 50).then(pl.lit("day_ahead")).otherwise(pl.lit("x"))
    )
    drawn = plots.price_plot(replace(part, price=labelled), AS_OF)
    assert ">day-ahead, published<" in drawn
    assert ">forecast<" in drawn
    assert "no price is known" in plots.price_plot(replace(part, price=part.price.clear()), AS_OF)


def test_history_after_the_decision_is_not_shown() -> None:
    rows = timed({"event_start": [AS_OF - HOUR, AS_OF, AS_OF + HOUR], "value": [1.0, 2.0, 99.0]})
    assert drawing.recent(rows, AS_OF)["value"].to_list() == [1.0, 2.0]


def test_a_missing_hour_breaks_the_measured_line() -> None:
    part = pool()
    holed = part.observed_power.filter(pl.col("event_start") != AS_OF - 10 * HOUR)
    whole, broken = (
        plots.power_plot(replace(part, observed_power=rows), AS_OF) for rows in (part.observed_power, holed)
    )
    assert broken.count("M ") == whole.count("M ") + 1


def test_the_day_of_fifty_half_hours_is_drawn_whole() -> None:
    part = fleet(date(2026, 11, 1))
    assert part.aggregate.height == 50
    assert "Sun 1 Nov" in plots.fleet_plot(part)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "report.html"
    assert write_report(everything(), path).read_text(encoding="utf-8").endswith("</html>")
    broken = replace(everything(), manifests=[None])  # ty: ignore[invalid-argument-type] - a defect on purpose
    with pytest.raises(AttributeError):
        write_report(broken, path)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").endswith("</html>")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (schedule(levels=[1170.0] * 2).drop("spill_cfs"), "reservoir schedule lacks column(s) spill_cfs"),
        (schedule(levels=[1170.0] * 2).clear(), "reservoir schedule has no rows"),
    ],
)
def test_a_schedule_that_breaks_its_contract_is_refused(plan: pl.DataFrame, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        pool(plan)
    assert words in str(caught.value)


def test_an_unevenly_spaced_schedule_is_refused() -> None:
    uneven = schedule(levels=[1170.0] * 5).filter(pl.col("event_start") != AS_OF + HOUR)
    with pytest.raises(FrameError, match="evenly spaced"):
        render_report(ReportInput(as_of=AS_OF, reservoir=pool(uneven)))
