"""What may be chosen for one reservoir plan.

Put here: options that are not the plant's. Keep out: dollars (they are the plant's ``weights``) and constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Optimizer = Literal["lp", "stochastic", "rule"]
OPTIMIZERS: Final = ("lp", "stochastic", "rule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Storage a plan keeps free at both ends of the band, one value an interval; see solvers/reservoir/margins.py.

    Leaving a margin costs, less than what it guards against: a plan leaves it where the water has no better place. The
    costs are back-tested: a day of the higher one must stay cheaper than spill, and two days of the window's cheaper
    than rafting (148 USD/af), or the plan would skip a window to be ready for it.

    Attributes:
        low_af: Storage wanted above minimum plus buffer [af]; empty = none.
        high_af: Room wanted below the float [af]; empty = none.
        window_af: Storage wanted above minimum plus buffer for the rafting to come [af]; empty = none.
        low_usd_per_af_h: Cost of each acre-foot missing at the low end [USD/(af h)].
        high_usd_per_af_h: The same at the float [USD/(af h)].
        window_usd_per_af_h: The same for the windows [USD/(af h)].
    """

    low_af: tuple[float, ...]
    high_af: tuple[float, ...]
    window_af: tuple[float, ...] = ()
    low_usd_per_af_h: float = 5.0
    high_usd_per_af_h: float = 0.5
    window_usd_per_af_h: float = 0.5

    def for_windows(self) -> Margins:
        """Return the windows' part, for a plan that weighs the futures themselves against both ends of the band."""
        return replace(self, low_af=(), high_af=())

    def later(self, first: int) -> Margins:
        """Return the margins from an interval on."""
        return replace(self, low_af=self.low_af[first:], high_af=self.high_af[first:], window_af=self.window_af[first:])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirOptions:
    """Options of one plan.

    Attributes:
        settings: Weights and plant constants replaced for this plan only, ``key`` or ``table.key`` -> value.
        apply_rules: Whether the plant's dated rules (rafting, minimum flow, stage ramp, outages) apply.
        fixed_mw: Interval -> setpoint an operator has fixed [MW].
        published_mw: Setpoints of the published plan, one an interval, to stay close to; used with ``stay_usd_per_mw``.
        shared_hours: How long the scenarios of a stochastic plan share their setpoints [h].
        time_limit_s: Longest search where counting changes or lumpy limits make the plan a MILP [s].
        bound_search_s: Longest search for the bound of a plan with an on/off unit; it does not change the plan [s].
        mip_gap: Relative gap at which such a search stops [1].
        explain: Whether to put limits and shadow prices into words.
        certify: Whether to search for the bound as well; without it a rafting plan takes a third of the time.
        steady_share: Share of the rafting shortfall's cost that also holds at interval ends. Rafters ride a flow, not a
            mean: operations ask for 0.02. The default only breaks ties, so a plan is worth what the objective says.
        margins: What a plan that will be followed keeps free at both ends of the band, from ``margins_of``; None = the
            buffers alone. The objective stays the contract's, so the gap shows what the margins cost.
    """

    settings: Mapping[str, str | float] = field(default_factory=dict)
    apply_rules: bool = False
    fixed_mw: Mapping[int, float] = field(default_factory=dict)
    published_mw: tuple[float, ...] = ()
    shared_hours: float = 24.0
    time_limit_s: float = 20.0
    bound_search_s: float = 5.0
    mip_gap: float = 1e-4
    explain: bool = True
    certify: bool = True
    steady_share: float = 1e-7
    margins: Margins | None = None
