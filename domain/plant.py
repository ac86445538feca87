"""The plant as data: every constant of the pool, its unit and the powerhouses above it.

Put here: frozen records with units and limits, what a plant file may say. Keep out: formulas (domain/hydraulics.py),
dated rules (domain/rules.py), reading of files (resources/plant_files.py).

The records carry the limits of each number as ``Between``; the reader of plant files checks against them, so a limit
is written once. Numbers of the shipped plant and their sources stand in ``config/plants/afterbay.toml``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from math import inf
from typing import Annotated, Final, Literal

from domain.rules import Rules

BALANCE_TERMS: Final = ("r4", "r30", "r20", "r5l", "r26", "r10", "middle_fork", "regulated", "bias")
"""What a water balance may add up: five gauges, the leak (R26), a tributary, two computed flows and the bias [cfs]."""

MODES: Final = ("GEN", "SPILL")
"""Control modes of the diversion pool upstream (``ccs_mode``)."""


@dataclass(frozen=True, slots=True)
class Between:
    """The closed range a number must lie in."""

    low: float = -inf
    high: float = inf


Positive = Annotated[float, Between(1e-12, inf)]
NotNegative = Annotated[float, Between(0.0, inf)]
Share = Annotated[float, Between(0.0, 1.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCurve:
    """Storage of the pool as a parabola of its level, on the branch above the vertex.

    A(H) = square H^2 + linear H + constant, in acre-feet with H in feet above datum.

    Attributes:
        square_af_per_ft2: Curvature [af/ft2].
        linear_af_per_ft: Linear term [af/ft].
        constant_af: Constant term [af].
        valid_from_ft: Lowest level the fit is used at; above the vertex [ft].
        valid_to_ft: Highest level the fit is used at [ft].
    """

    square_af_per_ft2: Positive
    linear_af_per_ft: float
    constant_af: float
    valid_from_ft: float
    valid_to_ft: float

    @property
    def vertex_ft(self) -> float:
        """Level where the parabola turns; the fit means nothing below it [ft]."""
        return -self.linear_af_per_ft / (2.0 * self.square_af_per_ft2)

    @property
    def vertex_af(self) -> float:
        """Storage the parabola gives at its vertex [af]."""
        return self.constant_af - self.linear_af_per_ft**2 / (4.0 * self.square_af_per_ft2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The band in which the pool is operated.

    Attributes:
        minimum_ft: Lowest level wanted; soft, penalised [ft].
        low_buffer_ft: Planning distance kept above the minimum [ft].
        float_buffer_ft: Distance below the gates' float setting at which spill begins; 0 = at the float [ft].
        usual_float_ft: Where the float usually stands; for displays and examples only [ft].
        maximum_ft: Highest level ever operated at; for displays and checks only [ft].
    """

    minimum_ft: float
    low_buffer_ft: NotNegative
    float_buffer_ft: NotNegative
    usual_float_ft: float
    maximum_ft: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadZone:
    """Water used per MW while the pool stands at or above a level.

    Flow through the unit is ``flow_cfs_per_mw`` g + ``flow_at_zero_cfs`` while it runs, 0 while it is off.
    """

    from_ft: float
    flow_cfs_per_mw: Positive
    flow_at_zero_cfs: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit that draws from the pool.

    Attributes:
        name: What operators call it.
        minimum_mw: Smallest output while running [MW].
        maximum_mw: Largest output [MW].
        ramp_mw_per_h: Fastest change of output, each way [MW/h].
        head_cap_mw_per_ft: Slope of the largest output over the level [MW/ft].
        head_cap_offset_mw: Largest output extrapolated to level 0 [MW].
        commitment: ``always_on`` runs whenever available; ``on_off`` may be shut down and started.
        startup_usd: Cost of one start, ``on_off`` only [USD].
        setpoint_deadband_mw: Changes smaller than this are not announced as a setpoint change [MW].
        head_zones: Water per MW by level, lowest first; one zone = the same at every level.
    """

    name: str
    minimum_mw: NotNegative
    maximum_mw: Positive
    ramp_mw_per_h: Positive
    head_cap_mw_per_ft: NotNegative
    head_cap_offset_mw: float
    commitment: Literal["always_on", "on_off"]
    startup_usd: NotNegative
    setpoint_deadband_mw: NotNegative
    head_zones: tuple[HeadZone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The two powerhouses above the pool, dispatched together, and the tunnel between them.

    Attributes:
        middle_fork_share: Part of the combined output made at Middle Fork [1].
        ralston_share: Part made at Ralston [1].
        middle_fork_maximum_mw: Largest output of Middle Fork [MW].
        ralston_maximum_mw: Largest output of Ralston, and of side water through it [MW].
        combined_maximum_mw: Largest combined output [MW].
        tunnel_maximum_cfs: Largest flow through Ralston's tunnel [cfs].
        side_water_mw_per_cfs: Output that natural flow into the diversion pool gives at Ralston [MW/cfs].
        middle_fork_square_cfs_per_mw2: Quadratic term of Middle Fork's flow [cfs/MW2].
        middle_fork_linear_cfs_per_mw: Linear term [cfs/MW].
        middle_fork_constant_cfs: Flow extrapolated to 0 MW; kept at standstill [cfs].
        band_ralston_mw_per_cfs: ``a`` of the feasible-dispatch band [MW/cfs].
        band_middle_fork_mw_per_cfs: ``c`` of the feasible-dispatch band [MW/cfs].
        band_tolerance: Share by which an input may leave the band before it is named [1].
    """

    middle_fork_share: Share
    ralston_share: Share
    middle_fork_maximum_mw: Positive
    ralston_maximum_mw: Positive
    combined_maximum_mw: Positive
    tunnel_maximum_cfs: Positive
    side_water_mw_per_cfs: NotNegative
    middle_fork_square_cfs_per_mw2: NotNegative
    middle_fork_linear_cfs_per_mw: Positive
    middle_fork_constant_cfs: NotNegative
    band_ralston_mw_per_cfs: Positive
    band_middle_fork_mw_per_cfs: Positive
    band_tolerance: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Which flows make up the inflow, one list of signed terms per form and control mode.

    Attributes:
        form: The form in use, a key of ``forms``.
        forms: form -> mode (GEN, SPILL) -> term (``BALANCE_TERMS``) -> signed factor.
    """

    form: str
    forms: dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A point downstream and how long the water takes to it: hours = hours_at_zero + hours_per_cfs x base flow."""

    name: str
    hours_at_zero: float
    hours_per_cfs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Dollars in the objective; every one may be set for a run.

    Attributes:
        water_value_usd_per_af: Value of a stored acre-foot at the end; None = mean price x the MWh in an acre-foot.
        energy_mwh_per_af: Energy in an acre-foot at the unit, for that default [MWh/af].
        spill_usd_per_af: Cost of spill; must beat the most negative price, or the plan would spill early [USD/af].
        ramp_usd_per_mw: Cost of each MW the end-of-interval output moves, 08:00 to 20:00 local [USD/MW].
        ramp_night_usd_per_mw: The same at night; None = as by day [USD/MW].
        raft_shortfall_usd_per_mwh: Cost of rafting energy not delivered [USD/MWh].
        below_minimum_usd_per_af_h: Cost of storage missing below minimum plus buffer [USD/(af h)].
        minimum_flow_usd_per_cfs_h: Cost of flow missing at the compliance gauge [USD/(cfs h)].
        stay_usd_per_mw: Cost of each MW by which the plan leaves the published one [USD/MW].
        setpoint_change_usd: Cost of each interval whose output moves; above 0 the plan is a MILP [USD].
        cvar_weight: Dollars of expected value given up per dollar gained in the worst cases, 0 to 1 [1].
        cvar_tail: Which share of the scenarios, by probability, counts as the worst [1].
    """

    water_value_usd_per_af: float | None = None
    energy_mwh_per_af: Positive = 0.0739
    spill_usd_per_af: Positive = 36.0
    ramp_usd_per_mw: NotNegative = 5.0
    ramp_night_usd_per_mw: float | None = None
    raft_shortfall_usd_per_mwh: NotNegative = 2000.0
    below_minimum_usd_per_af_h: NotNegative = 2000.0
    minimum_flow_usd_per_cfs_h: NotNegative = 50.0
    stay_usd_per_mw: NotNegative = 0.0
    setpoint_change_usd: NotNegative = 0.0
    cvar_weight: Share = 0.0
    cvar_tail: Annotated[float, Between(0.01, 1.0)] = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasRules:
    """How much of what plans missed lately is added to the inflow they expect, and how fast it fades (domain/bias.py).

    Attributes:
        balance_share: Share of what the balance misses on measured inputs [1].
        r4_share: Share of what was expected of R4 wrongly an hour ahead; so for the others [1].
        r30_share: Of R30 [1].
        r20_share: Of R20 [1].
        dispatch_share: Of the powerhouses upstream; the dispatch forecast follows measured deviations by itself [1].
        balance_half_life_h: Time in which the balance's part fades by half [h]; so for the others.
        r4_half_life_h: Of R4 [h].
        r30_half_life_h: Of R30 [h].
        r20_half_life_h: Of R20 [h].
        dispatch_half_life_h: Of dispatch [h].
    """

    balance_share: Share = 1.0
    r4_share: Share = 0.0
    r30_share: Share = 0.0
    r20_share: Share = 0.0
    dispatch_share: Share = 0.0
    balance_half_life_h: Positive = 12.0
    r4_half_life_h: Positive = 12.0
    r30_half_life_h: Positive = 12.0
    r20_half_life_h: Positive = 12.0
    dispatch_half_life_h: Positive = 12.0

    def share(self, part: str) -> float:
        """Return how much of a part is added [1]."""
        return float(getattr(self, f"{part}_share"))

    def half_life_h(self, part: str) -> float:
        """Return how fast a part fades [h]."""
        return float(getattr(self, f"{part}_half_life_h"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the numbers of one table of a plant file come from and when they hold."""

    table: str
    source: str
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One pool, the unit below it, the powerhouses above it and the rules it is run by.

    Attributes:
        name: Short name, in reports.
        zone: IANA zone of its local clock.
        provenance: One entry a table that states its source.
    """

    name: str
    zone: str
    storage: StorageCurve
    pool: Pool
    unit: Unit
    upstream: Upstream
    balance: Balance
    weights: Weights = field(default_factory=Weights)
    bias: BiasRules = field(default_factory=BiasRules)
    reaches: tuple[Reach, ...] = ()
    rules: Rules = field(default_factory=Rules)
    provenance: tuple[Provenance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """Where the pool and the unit stand when the first interval begins.

    Attributes:
        elevation_ft: Level of the pool [ft].
        oxbow_mw: Output of the unit at that instant [MW].
    """

    elevation_ft: float
    oxbow_mw: float
