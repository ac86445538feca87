"""Why no plan exists: which limits contradict each other, when, and the cheapest way out.

Put here: the elastic form of the hard limits and its sentences. Keep out: soft limits, which are paid for instead.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.instants import iso
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from solvers.reservoir.assembly import INFINITY
from solvers.reservoir.highs import NoPointError, finish, loaded
from solvers.reservoir.linear import first_levels
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.program import Model

NAMED: Final = 3
"""How many of the limits in the way are named."""
SEEN: Final = 1e-6
FIXED_GIVES_WAY_AT: Final = 0.5
"""What a MW of a fixed setpoint costs beside a MW of physics: an operator can change his mind."""


def why_infeasible(plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> str:
    """Return which limits would have to give way, where and by how much, at the least total.

    Every hard limit may give way at a cost of 1 for each MW (or acre-foot); the same solver finds the smallest total,
    and what then gives way is the contradiction in words.
    """
    model = Model(plant, inputs, state, {})
    model.hard_limits(first_levels(plant, inputs, state))
    grown = model.assembly
    own_columns = grown.width
    _let_give_way(model, options)
    program = grown.pack(0.0)
    program.cost[:own_columns] = 0.0
    solver = loaded(program, options)
    try:
        finish(solver)
    except NoPointError:
        return "no reason could be found; every limit was allowed to give way"
    solution = np.array(solver.getSolution().col_value)
    told = []
    for name, text in _WORDS.items():
        first, at = program.columns.get(name, (0, np.array([], dtype=np.int64)))
        amounts = solution[first : first + len(at)]
        if amounts.size and amounts.max() > SEEN:
            t = int(at[np.argmax(amounts > SEEN)])
            told.append(f"{iso(inputs.start[t])} {text.format(amounts.max(), options.fixed_mw.get(t, np.nan))}")
    return "; ".join(told[:NAMED]) or "the limits can be met to within rounding; loosen the one you fixed last"


_WORDS: Final = {
    "fixed_less": "the setpoint fixed at {1:g} MW is {0:.3g} MW more than ramp and head allow: lower it by that much",
    "fixed_more": "the setpoint fixed at {1:g} MW is {0:.3g} MW less than the ramp can reach: raise it by that much",
    "ramp_more_up": "the output must rise {0:.3g} MW more than the ramp allows: allow it, or start lower",
    "ramp_more_down": "the output must fall {0:.3g} MW more than the ramp allows: allow it, or lower the limit later",
    "head_more": "the head cap stands {0:.3g} MW below the smallest output: take the unit out, or keep more water",
    "drained": "the pool begins to run {0:.3g} af below the end of its storage curve: take the unit out, or cut R26",
}


def _let_give_way(model: Model, options: ReservoirOptions) -> None:
    """Add a column to every hard limit by which it may give way; setpoints fixed by hand first, they cost less."""
    grown = model.assembly
    grown.relief("ramp_more_up", "ramp", -1.0)
    grown.relief("ramp_more_down", "ramp", 1.0)
    for name in [name for name in grown.rows if name.startswith("head_cap")]:
        grown.relief("head_more" if name == "head_cap_0" else f"{name}_more", name, -1.0)
    lowest = np.concatenate(grown.low)[model.a].copy()
    grown.low[0] = np.full(len(model.a), -INFINITY)
    grown.row("curve_end", model.all, lowest, INFINITY, (model.a, 1.0))
    grown.relief("drained", "curve_end", 1.0)
    if options.fixed_mw:
        at = np.array(sorted(options.fixed_mw))
        wanted = np.array([options.fixed_mw[t] for t in at])
        grown.row("fixed", at, wanted, wanted, (model.g[at], 1.0))
        for name, sign in (("fixed_less", 1.0), ("fixed_more", -1.0)):
            grown.relief(name, "fixed", sign)
            grown.cost[-1] = np.full(len(at), FIXED_GIVES_WAY_AT)
