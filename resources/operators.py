"""What operators keep about the afterbay: overrides that hold, what-ifs they tried, named sets of parameters.

Put here: the transactions on these three. Keep out: what follows from an edit (solvers/reservoir/overrides.py), which
numbers may be set (domain/plant_checks.py).

Nothing is overwritten: an override is withdrawn, not deleted; a parameter set saved again is a new version. So what
held at an instant of the past can be asked for, and a backfilled decision gets what its hour knew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from domain.errors import InputError
from domain.instants import iso, require_utc
from resources.database import Database, aware
from resources.reservoir_run import edit_of, edit_record, require_agreement
from solvers.reservoir.overrides import Edit

METADATA: Final = sa.MetaData()

_UTC: Final = sa.DateTime(timezone=True)

OVERRIDES: Final = sa.Table(
    "overrides",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("column_name", sa.String(40), nullable=False),
    sa.Column("event_start", _UTC, nullable=False),
    sa.Column("event_end", _UTC, nullable=False, index=True),
    sa.Column("value", sa.Float, nullable=False, comment="in the column's unit"),
    sa.Column("author", sa.String(100), nullable=False),
    sa.Column("said_at", _UTC, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("withdrawn_at", _UTC, nullable=True, comment="null: it holds"),
    sa.Column("withdrawn_by", sa.String(100), nullable=True),
)

WHAT_IFS: Final = sa.Table(
    "what_ifs",
    METADATA,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("base_as_of", _UTC, nullable=False, index=True),
    sa.Column("base_version", sa.Integer, nullable=False),
    sa.Column("mode", sa.String(20), nullable=False, comment="recompute or reoptimize"),
    sa.Column("edits", sa.JSON, nullable=False),
    sa.Column("parameter_set", sa.String(100), nullable=False, comment="empty: the plant's own numbers"),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("parent", sa.String(100), nullable=True, comment="the what-if it was edited from"),
    sa.Column("author", sa.String(100), nullable=False),
    sa.Column("said_at", _UTC, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

PARAMETER_SETS: Final = sa.Table(
    "parameter_sets",
    METADATA,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("author", sa.String(100), nullable=False),
    sa.Column("said_at", _UTC, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An edit that holds for every plan until it is withdrawn or its time is over.

    Attributes:
        number: Its number in the book.
        edit: What it says.
        withdrawn_at: When it was withdrawn; None = it holds [UTC].
        withdrawn_by: Who did.
    """

    number: int
    edit: Edit
    withdrawn_at: datetime | None
    withdrawn_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A saved what-if: a stored plan and what was changed about it. What follows is computed when asked for.

    Attributes:
        name: Its name.
        base_as_of: Instant of the plan it starts from [UTC].
        base_version: Version of that plan.
        mode: ``recompute`` the pool with the other setpoints kept, or ``reoptimize`` the rest.
        edits: What is changed; those of the parents first.
        author: Who saved it.
        at: When [UTC].
        reason: Why.
        parameter_set: Name of the parameter set in use; empty = none.
        settings: Numbers replaced, the parameter set's and its own.
        parent: The what-if it was edited from; None = from the plan itself.
    """

    name: str
    base_as_of: datetime
    base_version: int
    mode: Literal["recompute", "reoptimize"]
    edits: tuple[Edit, ...]
    author: str
    at: datetime
    reason: str
    parameter_set: str = ""
    settings: Mapping[str, str | float] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """Named numbers of the plant and its objective, as one version of them.

    Attributes:
        name: Its name.
        version: 1, 2, ...
        settings: Dotted key -> value.
        author: Who saved it.
        at: When [UTC].
        reason: Why.
    """

    name: str
    version: int
    settings: Mapping[str, str | float]
    author: str
    at: datetime
    reason: str


class Operators:
    """Overrides, what-ifs and parameter sets.

    Args:
        database: The operational database, or its URL.
    """

    def __init__(self, database: Database | str) -> None:
        self._database = Database(database) if isinstance(database, str) else database
        self._engine = self._database.engine

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def add_overrides(self, edits: Sequence[Edit]) -> list[int]:
        """Store edits that shall hold, all or none; return their numbers.

        Raises:
            InputError: One contradicts another, or one that holds already; its number is named.
        """
        require_agreement(edits)
        with self._engine.begin() as connection:
            for held in self._overrides(connection, holding_at=None):
                try:
                    for edit in edits:
                        require_agreement([held.edit, edit])
                except InputError as error:
                    raise InputError(f"{error} (tailrace overrides withdraw {held.number})") from None
            return [
                int(connection.execute(sa.insert(OVERRIDES).values(_override_row(edit))).inserted_primary_key[0])  # ty: ignore[not-subscriptable]
                for edit in edits
            ]

    def overrides(self, *, holding_at: datetime | None = None, everything: bool = False) -> list[Override]:
        """Return overrides by number.

        Args:
            holding_at: Those that were said and not yet withdrawn at this instant and whose time was not over; None =
                those not withdrawn now.
            everything: All that were ever said.
        """
        with self._engine.connect() as connection:
            return self._overrides(connection, holding_at=holding_at, everything=everything)

    def _overrides(
        self, connection: sa.Connection, *, holding_at: datetime | None, everything: bool = False
    ) -> list[Override]:
        query = sa.select(OVERRIDES).order_by(OVERRIDES.c.id)
        if holding_at is not None:
            at = require_utc(holding_at, what="holding_at")
            withdrawn = OVERRIDES.c.withdrawn_at
            query = query.where((OVERRIDES.c.said_at <= at) & (OVERRIDES.c.event_end > at))
            query = query.where(withdrawn.is_(None) | (withdrawn > at))
        elif not everything:
            query = query.where(OVERRIDES.c.withdrawn_at.is_(None))
        return [_override_of(aware(row)) for row in connection.execute(query).mappings()]

    def withdraw(self, number: int, *, by: str, at: datetime) -> Override:
        """Withdraw an override: plans from ``at`` on do without it; those before keep it.

        Raises:
            InputError: There is none of this number, or it was withdrawn before.
        """
        held = {one.number: one for one in self.overrides()}
        if number not in held:
            known = ", ".join(map(str, held)) or "none holds"
            raise InputError(f"no override {number} holds; known: {known}")
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(OVERRIDES)
                .where((OVERRIDES.c.id == number) & OVERRIDES.c.withdrawn_at.is_(None))
                .values(withdrawn_at=require_utc(at, what="at"), withdrawn_by=by)
            )
        return held[number]

    def save_what_if(self, what_if: WhatIf) -> None:
        """Store a what-if under its name.

        Raises:
            InputError: The name is taken, or its parent is unknown.
        """
        names = [one.name for one in self.what_ifs()]
        if what_if.name in names:
            raise InputError(f"a what-if {what_if.name!r} exists; choose another name, nothing is overwritten")
        if what_if.parent is not None and what_if.parent not in names:
            raise InputError(f"no what-if {what_if.parent!r} to start from; known: {', '.join(names) or 'none'}")
        row = {name: getattr(what_if, name) for name in ("name", "base_as_of", "base_version", "mode", "parameter_set")}
        row |= {"parent": what_if.parent, "author": what_if.author, "said_at": what_if.at, "reason": what_if.reason}
        row |= {"edits": [edit_record(edit) for edit in what_if.edits], "settings": dict(what_if.settings)}
        with self._engine.begin() as connection:
            connection.execute(sa.insert(WHAT_IFS).values(row))

    def what_ifs(self, *, since: datetime | None = None, until: datetime | None = None) -> list[WhatIf]:
        """Return the saved what-ifs in the order they were saved, those of plans from ``since`` to ``until``."""
        query = sa.select(WHAT_IFS).order_by(WHAT_IFS.c.said_at, WHAT_IFS.c.name)
        if since is not None:
            query = query.where(WHAT_IFS.c.base_as_of >= require_utc(since, what="since"))
        if until is not None:
            query = query.where(WHAT_IFS.c.base_as_of <= require_utc(until, what="until"))
        with self._engine.connect() as connection:
            return [_what_if_of(aware(row)) for row in connection.execute(query).mappings()]

    def what_if(self, name: str) -> WhatIf:
        """Return a what-if by name.

        Raises:
            InputError: There is none; the message names those there are.
        """
        found = {one.name: one for one in self.what_ifs()}
        if name not in found:
            raise InputError(f"no what-if {name!r}; known: {', '.join(found) or 'none'}")
        return found[name]

    def save_parameters(
        self, name: str, settings: Mapping[str, str | float], *, author: str, at: datetime, reason: str
    ) -> ParameterSet:
        """Store numbers under a name, as its next version; the same numbers as the newest are that version."""
        if not name.strip() or not author.strip() or not reason.strip():
            raise InputError("a parameter set needs a name, an author and a reason")
        versions = [one for one in self.parameter_sets() if one.name == name]
        if versions and dict(versions[-1].settings) == dict(settings):
            return versions[-1]
        number = versions[-1].version + 1 if versions else 1
        row = {"name": name, "version": number, "settings": dict(settings), "author": author, "reason": reason}
        with self._engine.begin() as connection:
            connection.execute(sa.insert(PARAMETER_SETS).values(row | {"said_at": require_utc(at, what="at")}))
        return ParameterSet(name=name, version=number, settings=settings, author=author, at=at, reason=reason)

    def parameter_sets(self) -> list[ParameterSet]:
        """Return every version of every set, by name and version."""
        query = sa.select(PARAMETER_SETS).order_by(PARAMETER_SETS.c.name, PARAMETER_SETS.c.version)
        with self._engine.connect() as connection:
            rows = [aware(row) for row in connection.execute(query).mappings()]
        return [ParameterSet(at=row.pop("said_at"), **row) for row in rows]

    def parameters(self, name: str) -> ParameterSet:
        """Return the newest version of a set, or one by ``name@version``.

        Raises:
            InputError: There is none; the message names those there are.
        """
        wanted, _, version = name.partition("@")
        found = [one for one in self.parameter_sets() if one.name == wanted]
        found = [one for one in found if not version or str(one.version) == version]
        if not found:
            known = ", ".join(f"{one.name}@{one.version}" for one in self.parameter_sets()) or "none"
            raise InputError(f"no parameter set {name!r}; known: {known}")
        return found[-1]


def _override_row(edit: Edit) -> dict[str, Any]:
    return {
        "column_name": edit.column,
        "event_start": edit.start,
        "event_end": edit.end,
        "value": edit.value,
        "author": edit.author,
        "said_at": edit.at,
        "reason": edit.reason,
    }


def _override_of(row: Mapping[str, Any]) -> Override:
    edit = Edit(
        column=row["column_name"],
        start=row["event_start"],
        end=row["event_end"],
        value=row["value"],
        author=row["author"],
        at=row["said_at"],
        reason=row["reason"],
    )
    return Override(number=row["id"], edit=edit, withdrawn_at=row["withdrawn_at"], withdrawn_by=row["withdrawn_by"])


def _what_if_of(row: dict[str, Any]) -> WhatIf:
    edits = tuple(edit_of(one) for one in row.pop("edits"))
    return WhatIf(at=row.pop("said_at"), edits=edits, **row)


def told(edit: Edit) -> str:
    """Return an edit in words: "mfra_mw = 120 from ... until ..., A. Operator: spill upstream"."""
    return f"{edit.column} = {edit.value:g} from {iso(edit.start)} until {iso(edit.end)}, {edit.author}: {edit.reason}"
