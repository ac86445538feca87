"""What operators keep, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import InputError
from resources.operators import Operators, WhatIf, told
from resources.override_files import read_overrides
from solvers.reservoir.overrides import Edit

NOW = datetime(2026, 7, 14, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def edit(first: int = 1, last: int = 3, value: float = 120.0, **other: object) -> Edit:
    said = {"column": "mfra_mw", "start": NOW + first * HOUR, "end": NOW + last * HOUR, "value": value}
    return Edit(**(said | {"author": "A. Operator", "at": NOW, "reason": "upstream said so"} | other))  # ty: ignore[invalid-argument-type]


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operators]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    found = Operators(url if request.param == "sqlite" else request.getfixturevalue("fresh_database"))
    yield found
    found.close()


def test_an_override_holds_from_when_it_was_said_until_its_time_is_over_or_it_is_withdrawn(books: Operators) -> None:
    (number,) = books.add_overrides([edit()])
    (held,) = books.overrides(holding_at=NOW + HOUR)
    assert (held.number, held.edit) == (number, edit())
    assert books.overrides(holding_at=NOW - HOUR) == []
    assert books.overrides(holding_at=NOW + 3 * HOUR) == []
    books.withdraw(number, by="B. Operator", at=NOW + 2 * HOUR)
    assert books.overrides() == []
    assert len(books.overrides(holding_at=NOW + HOUR)) == 1  # what held then still held then
    assert books.overrides(holding_at=NOW + 2 * HOUR) == []
    (gone,) = books.overrides(everything=True)
    assert (gone.withdrawn_by, gone.withdrawn_at) == ("B. Operator", NOW + 2 * HOUR)


def test_an_override_against_one_that_holds_is_refused_with_its_number_and_none_is_stored(books: Operators) -> None:
    (number,) = books.add_overrides([edit()])
    with pytest.raises(InputError, match=rf"contradict .* \(tailrace overrides withdraw {number}\)"):
        books.add_overrides([edit(8, 9), edit(2, 5, value=60.0)])
    assert len(books.overrides()) == 1
    books.add_overrides([edit(2, 5, value=120.0), edit(3, 6, value=60.0, column="r4_flow_cfs")])
    assert len(books.overrides()) == 3


def test_withdrawing_what_does_not_hold_names_what_does(books: Operators) -> None:
    (number,) = books.add_overrides([edit()])
    with pytest.raises(InputError, match=rf"no override 99 holds; known: {number}"):
        books.withdraw(99, by="B", at=NOW)


def test_what_ifs_keep_who_when_why_and_what_they_started_from(books: Operators) -> None:
    first = WhatIf(
        name="wet", base_as_of=NOW, base_version=2, mode="reoptimize", edits=(edit(),), author="A. Operator", at=NOW,
        reason="what if it rains", settings={"ramp_usd_per_mw": "9"}, parameter_set="calm@1",
    )  # fmt: skip
    books.save_what_if(first)
    second = replace(first, name="wetter", parent="wet", at=NOW + HOUR)
    books.save_what_if(second)
    assert books.what_ifs() == [first, second]
    assert books.what_if("wetter").parent == "wet"
    assert books.what_ifs(since=NOW + HOUR) == []
    assert len(books.what_ifs(since=NOW, until=NOW)) == 2
    with pytest.raises(InputError, match="'wet' exists; choose another name"):
        books.save_what_if(first)
    with pytest.raises(InputError, match="no what-if 'dry' to start from; known: wet, wetter"):
        books.save_what_if(replace(first, name="other", parent="dry"))
    with pytest.raises(InputError, match="no what-if 'dry'; known: wet, wetter"):
        books.what_if("dry")


def test_a_parameter_set_saved_again_is_a_new_version_and_the_old_one_stays(books: Operators) -> None:
    one = books.save_parameters("calm", {"ramp_usd_per_mw": "20"}, author="A", at=NOW, reason="fewer moves")
    same = books.save_parameters("calm", {"ramp_usd_per_mw": "20"}, author="B", at=NOW + HOUR, reason="again")
    two = books.save_parameters("calm", {"ramp_usd_per_mw": "30"}, author="B", at=NOW + HOUR, reason="still fewer")
    assert (one.version, same.version, two.version) == (1, 1, 2)
    assert books.parameters("calm") == two
    assert books.parameters("calm@1") == one
    assert [(each.name, each.version) for each in books.parameter_sets()] == [("calm", 1), ("calm", 2)]
    with pytest.raises(InputError, match="no parameter set 'storm'; known: calm@1, calm@2"):
        books.parameters("storm")
    with pytest.raises(InputError, match="needs a name, an author and a reason"):
        books.save_parameters("calm", {}, author=" ", at=NOW, reason="x")


def test_overrides_are_read_from_toml_and_csv_alike(tmp_path: Path) -> None:
    toml = tmp_path / "o.toml"
    toml.write_text(
        'author = "A. Operator"\nreason = "upstream said so"\n'
        '[[override]]\ncolumn = "mfra_mw"\nstart = 2026-07-14T01:00:00-07:00\nend = 2026-07-14T10:00:00Z\nvalue = 120\n'
    )
    csv = tmp_path / "o.csv"
    csv.write_text(
        "column,start,end,value,author,reason\n"
        "mfra_mw,2026-07-14T08:00Z,2026-07-14T10:00Z,120,A. Operator,upstream said so\n"
    )
    assert read_overrides(toml, at=NOW) == read_overrides(csv, at=NOW) == [edit()]
    assert told(edit()).startswith("mfra_mw = 120 from 2026-07-14T08:00:00Z until 2026-07-14T10:00:00Z, A. Operator")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("o.toml", "[[override]\n", "is no TOML"),
        ("o.toml", "", "holds no override; write"),
        ("o.toml", 'who = "me"\n', "unknown who; write author, reason"),
        ("o.toml", "override = 3\n", "override must be tables"),
        ("o.toml", '[[override]]\ncolumn = "mfra_mw"\n', "override 1: an override lacks start, end, value"),
        ("o.toml", '[[override]]\ncolumn = "mfra_mw"\nwhen = 1\n', "override 1: unknown when; known: column, start"),
        (
            "o.toml",
            '[[override]]\ncolumn = "mfra_mw"\nstart = 2026-07-14T08:00:00\nend = 2026-07-14T10:00:00Z\nvalue = 1\n',
            "start of an override 2026-07-14T08:00:00 has no zone",
        ),
        (
            "o.csv",
            "column,start,end,value\nmfra_mw,2026-07-14T08:00Z,2026-07-14T10:00Z,lots\n",
            "'lots' .* is no number",
        ),
        ("o.csv", "column,start,end,value\nmfra_mw,noon,2026-07-14T10:00Z,3\n", "is not an ISO-8601 time"),
        ("o.csv", "column,start,end,value\nmfra_mw,2026-07-14T08:00Z,2026-07-14T07:00Z,3\n", "is empty"),
        ("o.csv", "column,start,end,value\nspeed,2026-07-14T08:00Z,2026-07-14T10:00Z,3\n", "'speed' cannot be edited"),
        ("o.csv", "column,start,end,value\nmfra_mw,2026-07-14T08:00Z,2026-07-14T10:00Z,-3\n", "must be 0 or more"),
        (
            "o.csv",
            "column,start,end,value\nmfra_mw,2026-07-14T08:00Z,2026-07-14T10:00Z,3\n",
            "needs an author and a reason",
        ),
    ],
)
def test_a_file_that_is_none_says_where_and_why(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_overrides(path, at=NOW)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml cannot be read"):
        read_overrides(tmp_path / "gone.toml", at=NOW)
