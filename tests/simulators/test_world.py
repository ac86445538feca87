"""The simulated world: repeatable, physical, plausible."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from domain.instants import CENTRAL, PACIFIC
from simulators.localtime import day_bounds, to_local
from simulators.world import World
from simulators.world_forecasts import LOAD_MODELS, load_forecast, load_spread, river_forecast

FAMILIES = {"sierra": 3600, "california_rt": 900, "texas": 3600, "texas_rt": 900, "plant": 3600, "samples": 300}
HOUR = 3600
K = 3600.0 / 43560.0


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # ty: ignore[invalid-argument-type]


START, END = epoch(2026, 1, 1), epoch(2026, 12, 1)


def digest(world: World, start: int, end: int) -> str:
    total = sha256()
    for family in FAMILIES:
        for name, values in sorted(world.window(family, start, end).items()):
            total.update(name.encode() + values.tobytes())
    return total.hexdigest()


@settings(max_examples=12, deadline=None)
@given(start_h=st.integers(0, 24 * 400), hours=st.integers(1, 2000), family=st.sampled_from(sorted(FAMILIES)))
def test_a_number_does_not_depend_on_the_window_it_is_asked_in(
    world: World, start_h: int, hours: int, family: str
) -> None:
    begin = epoch(2025, 11, 1)
    start, end = begin + start_h * HOUR, begin + (start_h + hours) * HOUR
    whole = world.window(family, begin, epoch(2027, 3, 1))
    low, high = ((moment - begin) // FAMILIES[family] for moment in (start, end))
    for name, values in world.window(family, start, end).items():
        assert values.tobytes() == whole[name][low:high].tobytes()


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_in_another_order(world: World) -> None:
    start, end = epoch(2024, 12, 30), epoch(2025, 1, 3)
    script = (
        "from simulators.world import World; from hashlib import sha256\n"
        f"w = World(7); t = sha256(); w.window('samples', {end}, {end + HOUR})\n"
        f"for f in {list(FAMILIES)!r}:\n"
        f"    for n, v in sorted(w.window(f, {start}, {end}).items()): t.update(n.encode() + v.tobytes())\n"
        "print(t.hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == digest(world, start, end)


def test_another_seed_is_another_world(world: World) -> None:
    start, end = epoch(2026, 5, 1), epoch(2026, 5, 2)
    assert digest(World(8), start, end) != digest(world, start, end)


def test_there_is_no_history_before_the_beginning(world: World) -> None:
    with pytest.raises(InputError, match="2022-01-01"):
        world.window("sierra", epoch(2021, 12, 31), epoch(2022, 1, 2))


def inflow_by_hand(sierra: dict[str, np.ndarray]) -> np.ndarray:
    """The balance that counts side water once, hour by hour, with plain numbers."""
    total = []
    for r4, r30, r20, r5l, r26, extra, spill, mfra in zip(
        *(sierra[f"{name}_cfs"] for name in ("r4", "r30", "r20", "r5l", "r26", "ungauged")),
        sierra["spill_mode"],
        sierra["mfra_mw"],
        strict=True,
    ):
        side_mw = float(np.clip((r4 - r5l) / 10.0, 0.0, 86.0))
        p_mf = max(0.0, 0.59 * (mfra if spill else mfra - side_mw))
        q_mf = 0.00943 * p_mf**2 + 5.6653 * p_mf + 18.54
        q_ra = max(min(886.0, q_mf + r4 - r5l), 0.0, r4 - r5l)
        total.append(r30 + r20 - r26 + extra + (r4 - r5l + q_mf if spill else q_ra))
    return np.array(total)


def test_the_water_balance_of_the_afterbay_closes_every_hour(world: World) -> None:
    sierra, plant = world.window("sierra", START, END), world.window("plant", START - HOUR, END)
    level = plant["elevation_ft"]
    storage = 0.6311303 * level**2 - 1403.8 * level + 780566.0
    out = 163.73 * plant["mean_mw"][1:] + 83.0 + plant["spill_cfs"][1:]
    assert np.diff(storage) == pytest.approx(K * (inflow_by_hand(sierra) - out), abs=1e-6)


def test_five_minute_samples_agree_with_the_hours(world: World) -> None:
    samples, plant = world.window("samples", START, END), world.window("plant", START, END)
    sierra = world.window("sierra", START, END)
    assert samples["power_mw"].reshape(-1, 12).mean(axis=1) == pytest.approx(plant["mean_mw"], abs=1e-9)
    assert samples["elevation_ft"].reshape(-1, 12)[:, -1] == pytest.approx(plant["elevation_ft"], abs=1e-9)
    for name in ("r4_cfs", "r30_cfs", "r20_cfs"):
        assert samples[name].reshape(-1, 12).mean(axis=1) == pytest.approx(sierra[name], abs=1e-6)


def test_the_plant_keeps_its_limits(world: World) -> None:
    sierra, plant = world.window("sierra", START, END), world.window("plant", START, END)
    samples = world.window("samples", START, END)
    assert plant["power_mw"].min() >= 0.8
    assert np.all(plant["power_mw"] <= 0.0912 * plant["elevation_ft"] - 101.42 + 1e-9)
    assert np.abs(np.diff(plant["power_mw"])).max() <= 2.52 + 1e-9
    assert np.all(plant["elevation_ft"] <= sierra["float_ft"] + 1e-9)
    # 0.042 MW a minute moves the mean of five minutes by at most 0.21 MW.
    assert np.abs(np.diff(samples["power_mw"])).max() <= 0.21 + 1e-9
    # The gates spill only where the pool stands at the float at some moment of the hour.
    assert np.all(
        plant["elevation_ft"][plant["spill_cfs"] > 50.0] > sierra["float_ft"][plant["spill_cfs"] > 50.0] - 0.3
    )


def test_the_pool_is_nearly_always_between_the_minimum_and_the_float(world: World) -> None:
    level = world.window("plant", epoch(2022, 1, 1), END)["elevation_ft"]
    assert (level >= 1168.0).mean() > 0.999
    daily = np.ptp(level[: level.size // 24 * 24].reshape(-1, 24), axis=1)
    assert 0.8 < np.median(daily) < 3.5


def test_upstream_output_stays_in_its_feasible_band(world: World) -> None:
    sierra = world.window("sierra", START, END)
    side = np.maximum(0.0, sierra["r4_cfs"] - sierra["r5l_cfs"])
    most = np.minimum((0.2254 / 0.1354) * 124 + 0.09 * side, (0.2254 / 0.09) * 86 - 0.1354 * side)
    band = side < 900.0
    assert np.all(sierra["mfra_mw"][band] <= np.minimum(most, 210.0)[band] + 1e-9)
    assert np.all(sierra["mfra_mw"][band] >= 0.09 * side[band] - 1e-9)


def test_oxbow_obeys_a_published_plan_from_its_first_hour_on() -> None:
    start = epoch(2022, 3, 1)
    before = World(7).window("plant", start - 48 * HOUR, start + 6 * HOUR)
    world = World(7)
    world.window("plant", start, start + HOUR)
    world.obey({start // HOUR + hour: 0.9 for hour in range(6)})
    after = world.window("plant", start - 48 * HOUR, start + 6 * HOUR)
    assert after["power_mw"][:48].tobytes() == before["power_mw"][:48].tobytes()
    assert after["setpoint_mw"][48:].tolist() == [0.9] * 6
    assert after["power_mw"][53] == pytest.approx(0.9)
    assert world.window("samples", start + 5 * HOUR, start + 6 * HOUR)["power_mw"][-1] == pytest.approx(0.9)


def test_texan_prices_look_like_texan_prices(world: World) -> None:
    start, end = epoch(2022, 1, 1), epoch(2026, 1, 1)
    real_time = world.window("texas_rt", start, end)["HB_HUBAVG/AH"]
    day_ahead = world.window("texas", start, end)["da/HB_HUBAVG"]
    assert 12.0 < np.median(real_time) < 28.0
    assert real_time.max() > 1000.0
    assert real_time.min() < 0.0
    assert 0.9 < day_ahead.mean() / real_time.mean() < 1.25
    assert np.corrcoef(np.minimum(day_ahead, 200), np.minimum(real_time, 200).reshape(-1, 4).mean(axis=1))[0, 1] > 0.6
    hour = (np.arange(start, end, HOUR) // HOUR - 6) % 24
    typical = [np.median(day_ahead[hour == local]) for local in range(24)]
    assert 17 <= int(np.argmax(typical)) <= 21


def test_a_californian_price_is_the_sum_of_its_parts(world: World) -> None:
    for family in ("sierra", "california_rt"):
        prices = world.window(family, START, END)
        for node in ("RALSTON_7_B1", "OXBOWF_7_B1", "TH_NP15_GEN-APND"):
            parts = sum(prices[f"{node}/{part}"] for part in ("MCE", "MCC", "MCL", "MGHG"))
            assert np.round(parts, 5) == pytest.approx(prices[f"{node}/LMP"], abs=1e-9)


def test_the_truth_falls_inside_p10_to_p90_four_times_in_five(world: World) -> None:
    inside = below = total = 0
    for name in ("r4_cfs", "r30_cfs"):
        for issue in range(epoch(2023, 1, 1) // HOUR, epoch(2026, 1, 1) // HOUR, 66):
            forecast = river_forecast(world, name, issue)
            truth = world.window("sierra", issue * HOUR, (issue + 240) * HOUR)[name]
            inside += int(((forecast.quantile(0.1) <= truth) & (truth <= forecast.quantile(0.9))).sum())
            below += int((truth <= forecast.quantile(0.5)).sum())
            total += 240
    assert inside / total == pytest.approx(0.8, abs=0.03)
    assert below / total == pytest.approx(0.5, abs=0.04)


def test_quantiles_and_mean_are_in_order(world: World) -> None:
    forecast = river_forecast(world, "r30_cfs", epoch(2026, 4, 1) // HOUR)
    ladder = np.array([forecast.quantile(q) for q in (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)])
    assert np.all(np.diff(ladder, axis=0) > 0)
    assert np.all((forecast.mean() > ladder[4]) & (forecast.mean() < ladder[7]))


def test_a_load_forecast_converges_to_the_truth(world: World) -> None:
    target = epoch(2026, 7, 1)
    errors = []
    for lead in (1, 24, 96, 168):
        gaps = []
        for day in range(60):
            at = target + day * 24 * HOUR
            truth = world.window("texas", at, at + 24 * HOUR)
            forecast = load_forecast(world, at // HOUR - lead, at, at + 24 * HOUR)
            assert forecast.shape == (len(LOAD_MODELS), 8, 24)
            gaps.append(forecast[1].sum(axis=0) / sum(truth[f"load/{zone}"] for zone in _zones()) - 1.0)
        errors.append(np.std(gaps))
    assert errors == sorted(errors)
    assert errors[0] < 0.02
    assert load_spread(np.array([0.0]))[0] < 0.01


def _zones() -> tuple[str, ...]:
    return ("coast", "east", "farWest", "north", "northCentral", "southCentral", "southern", "west")


@given(hours=st.integers(0, 24 * 365 * 8), zone=st.sampled_from([CENTRAL, PACIFIC]))
def test_local_readings_agree_with_the_zone_database(hours: int, zone: object) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours, minutes=15)
    local, repeated = to_local(np.array([int(moment.timestamp())]), zone)  # ty: ignore[invalid-argument-type]
    expected = moment.astimezone(zone)  # ty: ignore[invalid-argument-type]
    assert datetime.fromtimestamp(int(local[0]), UTC).replace(tzinfo=None) == expected.replace(tzinfo=None)
    assert bool(repeated[0]) == bool(expected.fold)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 7, 1), 24)])
def test_change_days_have_23_and_25_hours(day: tuple[int, int, int], hours: int) -> None:
    start, end = day_bounds(date(*day), CENTRAL)
    assert (end - start) / HOUR == hours
