"""Great Expectations at the door: a batch judged by declared rules before anything rests on it.

The only module that imports Great Expectations, and only inside functions: importing it takes 3 to 14 seconds, which
nobody should pay who judges nothing. One ephemeral context lives as long as the process; nothing is written to disk
or sent anywhere. Rules that Great Expectations has no words for (limits that differ by series, order within a
series) are prepared as columns, so that a suite has a handful of expectations however many series there are.
Put here: rules, suites, verdicts. Keep out: what happens to a batch that fails (assets).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import ModuleType
from typing import Any, Final

import polars as pl

from domain.errors import FrameError
from domain.instants import iso

SHOWN: Final = 20
"""Failing rows kept in a verdict."""

_LOW: Final = "lowest_believable"
_HIGH: Final = "highest_believable"
_AHEAD: Final = "seconds_after_previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is believable of one series, bounds included, in its unit; None leaves a side open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What must hold of a batch.

    Attributes:
        never_null: Columns that must have a value in every row.
        unique: Columns that together identify a row; empty leaves it out.
        increasing: Column of times that must move forward from row to row, or None.
        within: Columns inside whose groups it must do so.
        limits: ``series_id`` -> what is believable of ``value``; a series without limits is not held to any.
    """

    never_null: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    increasing: str | None = None
    within: tuple[str, ...] = ("series_id",)
    limits: Mapping[str, Limits] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What each verdict will be called, in order: what is true when it passes."""
        names = [f"{column}_is_never_null" for column in self.never_null]
        names += ["no_row_comes_twice"] * bool(self.unique)
        names += [f"{self.increasing}_moves_forward"] * (self.increasing is not None)
        names += ["no_value_is_too_low", "no_value_is_too_high"] * bool(self.limits)
        return tuple(names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns a batch must have."""
        needed = [*self.never_null, *self.unique]
        needed += [self.increasing, *self.within] if self.increasing is not None else []
        needed += ["series_id", "value"] if self.limits else []
        return tuple(dict.fromkeys(needed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one rule.

    Attributes:
        name: What is true when it passes.
        passed: Whether every row obeys.
        expectation: Great Expectations' name of the rule.
        rows: Rows judged.
        failing: Rows that do not obey.
        examples: The first of them, all columns of the batch, ready for JSON.
    """

    name: str
    passed: bool
    expectation: str
    rows: int
    failing: int
    examples: tuple[Mapping[str, Any], ...]

    @property
    def metadata(self) -> dict[str, Any]:
        """Plain values for the metadata of an asset check."""
        return {
            "expectation": self.expectation,
            "rows": self.rows,
            "failing_rows": self.failing,
            "examples": [dict(row) for row in self.examples],
        }


def judge(frame: pl.DataFrame, rules: Rules) -> list[Verdict]:
    """Judge a batch by its rules.

    Args:
        frame: The batch, in the order in which it would be stored.
        rules: What must hold.

    Returns:
        One verdict a rule, named and ordered as ``rules.names``.

    Raises:
        FrameError: The batch lacks a column the rules speak about, or a rule cannot be applied to its column.
    """
    missing = [name for name in rules.columns if name not in frame.columns]
    if missing:
        raise FrameError(
            f"the batch lacks column(s) {', '.join(missing)} of its rules; it has {', '.join(frame.columns)}"
        )
    gx, gxe, batches = _great_expectations()
    suite = gx.ExpectationSuite(name="door", expectations=_suite(rules, gxe))
    columns = _prepared(frame, rules)
    result = batches.get_batch(batch_parameters={"dataframe": columns.to_pandas()}).validate(
        suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": SHOWN}
    )
    # Results come back in an order of Great Expectations' own; the name travels with each expectation.
    by_name = {one.expectation_config.meta["name"]: one for one in result.results}
    return [_verdict(name, by_name[name], frame) for name in rules.names]


def _verdict(name: str, result: Any, frame: pl.DataFrame) -> Verdict:  # noqa: ANN401 - theirs is untyped
    trouble = result.exception_info
    if "raised_exception" not in trouble:  # one entry a metric where a metric failed
        trouble = next(iter(trouble.values()))
    if trouble["raised_exception"]:
        raise FrameError(
            f"the batch cannot be judged by {name}: {trouble['exception_message']}; check the column's type"
        )
    indices = sorted(result.result["partial_unexpected_index_list"])[:SHOWN]
    return Verdict(
        name=name,
        passed=bool(result.success),
        expectation=result.expectation_config.type,
        rows=frame.height,
        failing=int(result.result["unexpected_count"]),
        examples=tuple(_plain(row) for row in frame[indices].iter_rows(named=True)),
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: iso(value) if isinstance(value, datetime) and value.tzinfo else value for name, value in row.items()}


def _prepared(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return the columns the suite reads, with limits and time steps beside the rows they belong to."""
    columns = frame.select(rules.columns) if rules.columns else frame.select(pl.first())
    if rules.increasing is not None:
        step = pl.col(rules.increasing).diff()
        step = step.over(list(rules.within)) if rules.within else step
        columns = columns.with_columns(step.dt.total_microseconds().truediv(1e6).alias(_AHEAD))
    if rules.limits:
        limits = pl.DataFrame(
            [(series, one.low, one.high) for series, one in rules.limits.items()],
            schema={"series_id": pl.String, _LOW: pl.Float64, _HIGH: pl.Float64},
            orient="row",
        )
        columns = columns.join(limits, on="series_id", how="left", maintain_order="left")
    for name, dtype in columns.schema.items():
        if dtype == pl.String:  # compared as integers: a million texts take ten times as long
            columns = columns.with_columns(pl.col(name).cast(pl.Categorical).to_physical())
    return columns


def _suite(rules: Rules, gxe: ModuleType) -> list[Any]:
    """Return the expectations, each with the name of its verdict."""
    between = {"or_equal": True, "ignore_row_if": "either_value_is_missing"}
    wanted: list[Any] = [gxe.ExpectColumnValuesToNotBeNull(column=column) for column in rules.never_null]
    if rules.unique:
        # One column is no compound to Great Expectations, and has an expectation of its own.
        several = len(rules.unique) > 1
        wanted.append(
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rules.unique))
            if several
            else gxe.ExpectColumnValuesToBeUnique(column=rules.unique[0])
        )
    if rules.increasing is not None:
        wanted.append(gxe.ExpectColumnValuesToBeBetween(column=_AHEAD, min_value=0, strict_min=True))
    if rules.limits:
        wanted.append(gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="value", column_B=_LOW, **between))
        wanted.append(gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=_HIGH, column_B="value", **between))
    for name, one in zip(rules.names, wanted, strict=True):
        one.meta = {"name": name}
    return wanted


@cache
def _great_expectations() -> tuple[ModuleType, ModuleType, Any]:
    """Return the library, its expectations, and where frames are handed in: one silent context a process."""
    with warnings.catch_warnings():
        # Its own imports use what Python has deprecated (sre_constants); a caller cannot act on that.
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx  # noqa: PLC0415 - three seconds or more
        import great_expectations.expectations as gxe  # noqa: PLC0415 - same

        context = gx.get_context(mode="ephemeral")
    context.variables.analytics_enabled = False
    context.variables.progress_bars = {"globally": False}  # ty: ignore[invalid-assignment] - their setter takes a mapping
    frames = context.data_sources.add_pandas("frames").add_dataframe_asset("batch")
    return gx, gxe, frames.add_batch_definition_whole_dataframe("all")
