"""The lake's rules once more, slow and obvious: lists, loops and dictionaries, nothing shared with the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]
UNSTAMPED = ("schedule_rule", "ingest_time")


@dataclass(frozen=True)
class Statement:
    """One belief: everything its author said about one event at one time."""

    series_id: str
    event_start: datetime
    source: str
    scenario: str
    member: int | None
    belief_time: datetime
    event_end: datetime
    basis: str
    unit: str
    quality: str
    numbers: tuple[tuple[float | None, float | None], ...]  # (quantile, value), the single value first

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is about and who says it."""
        return (self.series_id, self.event_start, self.source, self.scenario, self.member)

    @property
    def content(self) -> tuple[Any, ...]:
        """What it says."""
        return (self.numbers, self.unit, self.quality, self.event_end)


@dataclass(frozen=True)
class Stored:
    """A statement as it was stored."""

    said: Statement
    belief_time: datetime
    recorded_at: datetime
    rev: int

    @property
    def rank(self) -> tuple[datetime, datetime, int]:
        """The total order: the largest wins."""
        return (self.belief_time, self.recorded_at, self.rev)


def monotone(numbers: list[tuple[float | None, float | None]]) -> tuple[tuple[float | None, float | None], ...]:
    single = [pair for pair in numbers if pair[0] is None]
    levels = sorted(pair for pair in numbers if pair[0] is not None)
    values = iter(sorted(value for _, value in levels if value is not None))
    return (*single, *((level, None if value is None else next(values)) for level, value in levels))


def statements(rows: list[Row]) -> list[Statement]:
    """Return the beliefs in rows: quantile rows of one belief together, every other row for itself."""
    spoken = {about(row) for row in rows if row["quantile"] is not None}
    groups: dict[Any, list[Row]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(about(row) if about(row) in spoken else number, []).append(row)
    found = []
    for group in groups.values():
        first = group[0]
        pairs = list(dict.fromkeys((row["quantile"], row["value"]) for row in group))
        numbers = monotone(pairs)
        crossed = set(numbers) != set(pairs) and first["quality"] in ("good", "substituted", "estimated")
        found.append(
            Statement(
                *(first[name] for name in ("series_id", "event_start", "source", "scenario", "member", "belief_time")),
                first["event_end"],
                first["belief_basis"],
                first["unit"],
                "questionable" if crossed else first["quality"],
                numbers,
            )
        )
    return found


def about(row: Row) -> tuple[Any, ...]:
    return tuple(row[n] for n in ("series_id", "event_start", "source", "scenario", "member", "belief_time"))


@dataclass
class Reference:
    """A lake in a list."""

    latency: dict[str, timedelta]
    stored: list[Stored] = field(default_factory=list)
    last: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def append(self, rows: list[Row], now: datetime) -> int:
        """Store what is new; return how many numbers that was."""
        said = statements(rows)
        kept = self.revisions([statement for statement in said if statement.basis not in UNSTAMPED])
        kept += self.first_sights([statement for statement in said if statement.basis in UNSTAMPED], now)
        recorded = max(now, self.last + timedelta(microseconds=1))
        for statement, belief_time in kept:
            revs = [s.rev for s in self.stored if s.said.key == statement.key and s.belief_time == belief_time]
            self.stored.append(Stored(statement, belief_time, recorded, max(revs, default=-1) + 1))
        if kept:
            self.last = recorded
        return sum(len(statement.numbers) for statement, _ in kept)

    def revisions(self, said: list[Statement]) -> list[tuple[Statement, datetime]]:
        """Return the stamped statements that differ from the newest one at their own belief_time."""
        kept: list[tuple[Statement, datetime]] = []
        for statement in said:
            earlier = [s for s in self.stored if s.said.key == statement.key and s.belief_time == statement.belief_time]
            newest = max(earlier, key=lambda s: s.rank).said if earlier else None
            for other, _ in kept:
                if (other.key, other.belief_time) == (statement.key, statement.belief_time):
                    newest = other
            if newest is None or newest.content != statement.content:
                kept.append((statement, statement.belief_time))
        return kept

    def first_sights(self, said: list[Statement], now: datetime) -> list[tuple[Statement, datetime]]:
        """Return the unstamped statements that differ from what was believed, with the time they are dated at."""
        by_key: dict[Any, list[Statement]] = {}
        for statement in sorted(said, key=lambda statement: statement.belief_time):
            by_key.setdefault(statement.key, []).append(statement)
        kept: list[tuple[Statement, datetime]] = []
        for key, group in by_key.items():
            earlier = [s for s in self.stored if s.said.key == key]
            if earlier:
                newest = max(earlier, key=lambda s: s.rank)
                if newest.said.content != group[-1].content:
                    kept.append((group[-1], max(now, newest.belief_time)))
                continue
            for previous, statement in zip([None, *group], group, strict=False):
                if previous is None or previous.content != statement.content:
                    kept.append((statement, statement.belief_time))
        return kept

    def as_of(self, start: datetime, end: datetime, at: datetime, mode: str, recorded: datetime | None) -> list[Any]:
        """Return the answer's rows as tuples, sorted."""

        def visible(s: Stored) -> bool:
            if not start <= s.said.event_start < end:
                return False
            if mode == "seen":
                return s.belief_time <= at and s.recorded_at <= at
            late = self.latency.get(s.said.source, timedelta(0))
            return s.belief_time + late <= at and (recorded is None or s.recorded_at <= recorded)

        return self.answer([s for s in self.stored if visible(s)])

    def horizon_slice(self, start: datetime, end: datetime, horizon: timedelta) -> list[Any]:
        """Return the newest of what was said early enough, as `as_of` does."""
        early = [
            s for s in self.stored if start <= s.said.event_start < end and s.belief_time <= s.said.event_end - horizon
        ]
        return self.answer(early)

    @staticmethod
    def answer(visible: list[Stored]) -> list[Any]:
        """Return the winners' rows, sorted."""
        best: dict[Any, Stored] = {}
        for s in visible:
            if s.said.key not in best or s.rank > best[s.said.key].rank:
                best[s.said.key] = s
        rows = [numbers_of(s) for s in best.values()]
        return sorted((row for group in rows for row in group), key=sort_key)

    def history(self, series_id: str, event_start: datetime) -> list[Any]:
        """Return everything said about one event, voice by voice, oldest first."""
        found = [s for s in self.stored if s.said.series_id == series_id and s.said.event_start == event_start]
        found.sort(key=lambda s: (voice_key(s.said), s.rank))
        return [(*row, s.rev) for s in found for row in numbers_of(s)]


def numbers_of(s: Stored) -> list[Any]:
    said = s.said
    return [
        (
            said.series_id,
            said.event_start,
            s.belief_time,
            s.recorded_at,
            value,
            said.unit,
            said.quality,
            said.source,
            said.scenario,
            said.member,
            quantile,
        )
        for quantile, value in said.numbers
    ]


def voice_key(said: Statement) -> tuple[str, str, int]:
    return (said.source, said.scenario, -1 if said.member is None else said.member)


def sort_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    series, event, *_, source, scenario, member, quantile = row
    return (series, event, source, scenario, -1 if member is None else member, -1 if quantile is None else quantile)
