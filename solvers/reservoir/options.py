"""What may be chosen for one reservoir plan.

Put here: options that are not the plant's. Keep out: dollars (they are the plant's ``weights``) and constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Optimizer = Literal["lp", "stochastic", "rule"]
OPTIMIZERS: Final = ("lp", "stochastic", "rule")


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
