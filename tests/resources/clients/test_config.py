"""Configuration files: what ships is readable, overlays win, and a mistake is named with its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import ConfigError
from resources.series_file import load_series
from resources.sources_file import load_sources

CONFIG = Path(__file__).parents[3] / "config"
SOURCES = CONFIG / "sources.toml"


def overlay(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "overlay.toml"
    path.write_text(text)
    return path


def test_what_ships_is_complete_and_names_no_host() -> None:
    sources = load_sources(SOURCES)
    for service in (sources.pi, sources.ercot, sources.caiso, sources.hydroforecast):
        assert service.http.base_url == ""
    assert sources.latency["pi"] == timedelta(minutes=5)
    assert sources.reread["caiso"].daily == timedelta(days=30)
    assert sources.pi.tags[0].path == "OPS/Reservoirs/Afterbay|Elevation"


def test_an_overlay_wins_key_by_key(tmp_path: Path) -> None:
    text = '[pi.http]\nbase_url = "http://127.0.0.1:9/piwebapi"\nspacing_s = 0\n[caiso]\nnodes = ["A", "B"]\n'
    sources = load_sources(SOURCES, overlay(tmp_path, text))
    assert sources.pi.http.base_url == "http://127.0.0.1:9/piwebapi"
    assert sources.pi.http.spacing_s == 0
    assert sources.pi.http.burst == 20  # still the file's own
    assert sources.caiso.nodes == ("A", "B")
    assert sources.caiso.http.spacing_s == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pi]\npagesize = 5\n", r"\[pi\]: unknown key pagesize; did you mean page_size\?"),
        ("[pi.http]\ntimeout = 5\n", r"\[pi\]: unknown key http.timeout"),
        (
            '[[pi.tags]]\npath = "A|B"\nunit = "ft"\nreads = ["avg5m"]\n',
            r"tags.0.reads.0 = 'avg5m'.*'avg1h', 'interp1h' or 'recorded'",
        ),
        ("[ercot.http]\nattempts = 0\n", r"\[ercot\]: http.attempts = 0: .*greater than or equal to 1"),
        ("[caiso]\ndays_per_query = 40\n", r"days_per_query = 40: .*less than or equal to 31"),
        ("[weather]\nx = 1\n", r"unknown table\(s\) weather; known: awards, caiso, "),
        ('[latency_s]\npi = "5m"\n', r"pi = '5m'; write seconds, 0 or more"),
        ("[pi\n", r"overlay.toml is not TOML: .*line 1"),
        ("pi = 3\n", r"pi is 3; write it as a table \[pi\]"),
    ],
)
def test_a_mistake_names_its_place_and_the_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_sources(SOURCES, overlay(tmp_path, text))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    text = SOURCES.read_text().replace("af_server =", "# af_server =")
    with pytest.raises(ConfigError, match=r"\[pi\]: missing key af_server; add it"):
        load_sources(overlay(tmp_path, text))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nothing.toml: No such file"):
        load_sources(tmp_path / "nothing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin.toml is not UTF-8 text \(byte 5\)"):
        load_sources(tmp_path / "latin.toml")


def test_every_planning_series_that_ships_has_a_configured_source() -> None:
    sources = load_sources(SOURCES)
    known = {f"pi:{tag.path}:{kind}" for tag in sources.pi.tags for kind in tag.reads}
    known |= {f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points}
    known |= {f"ercot:spp_da:{point.name}" for point in sources.ercot.points} | {"ercot:load_fcst:system_total"}
    known |= {f"caiso:{run}:{node}:LMP" for node in sources.caiso.nodes for run in ("lmp_da", "lmp_rtpd")}
    known |= {f"hydroforecast:discharge:{query.site}" for query in sources.hydroforecast.queries}
    known |= {f"cnrfc:flow:{point}" for point in sources.cnrfc.points}
    rules = load_series(CONFIG / "series.toml")
    # Awards are of whatever resource the files in the drop folder name.
    known |= {
        source.series for rule in rules.values() for source in rule.sources if source.series.startswith("awards:")
    }
    assert {source.series for rule in rules.values() for source in rule.sources} <= known
    assert {"r4.flow.cfs", "afterbay.elevation.ft", "mfra.power.mw", "ccs.mode.1"} <= set(rules)


RULE = """
[series."r4.flow.cfs"]
kind = "mean"
step = "PT1H"
gap = { rule = "hold", longest = "PT3H" }
low = 0
high = 10
sources = [{ series = "pi:A|B:avg1h" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("r4.flow.cfs", "r4.flow.furlong", r"'r4.flow.furlong' is not a planning series"),
        ("pi:A|B:avg1h", "nonsense", r"'nonsense' is not a planning series; write place.quantity.unit"),
        ("high = 10", "high = -1", r"low 0 to high -1 is no range"),
        ("high = 10", "high = inf", r"no range"),
        ('"PT3H"', '"PT0S"', r"gap rule hold does not go with longest 0:00:00"),
        ('"PT1H"', '"PT0S"', r"step 0:00:00 must be above zero"),
        ('"PT1H"', '"an hour"', r"step = 'an hour'"),
        ('"hold"', '"interpolate"', r"gap.rule = 'interpolate': input should be 'hold' or 'none'"),
        ('sources = [{ series = "pi:A|B:avg1h" }]', "sources = []", r"sources is empty"),
        ("[series.", "[serie.", r"has table\(s\) serie; write \[series\."),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_series(overlay(tmp_path, RULE.replace(old, new)))
