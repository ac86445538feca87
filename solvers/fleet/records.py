"""What devices are asked and what they answer, as arrays.

Put here: the records that kernels and programmes share. Keep out: how an answer is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """What devices respond to; a row for each listed block.

    Attributes:
        blocks: The blocks of the fleet that are asked; one may be asked several times.
        price: USD/kWh, shape (len(blocks), intervals).
        mu: Reward for headroom [USD/kWh], same shape.
        nu: Reward for deliverable energy [USD/kWh], same shape.
        end_value: Worth of energy stored at the end [USD/kWh].
    """

    blocks: np.ndarray
    price: np.ndarray
    mu: np.ndarray
    nu: np.ndarray
    end_value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """What devices do: kW and kWh, shape (intervals, slots)."""

    charge: np.ndarray
    discharge: np.ndarray
    soc: np.ndarray

    @classmethod
    def empty(cls, intervals: int, slots: int) -> Schedule:
        """Return room for a schedule."""
        charge, discharge, soc = (np.empty((intervals, slots)) for _ in range(3))
        return cls(charge=charge, discharge=discharge, soc=soc)

    @classmethod
    def zero(cls, intervals: int, slots: int) -> Schedule:
        """Return a schedule to add to."""
        charge, discharge, soc = (np.zeros((intervals, slots)) for _ in range(3))
        return cls(charge=charge, discharge=discharge, soc=soc)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pull:
    """A plan to stay close to.

    Attributes:
        change: Its change of stored energy [kWh], shape (intervals, slots), NaN where it says nothing.
        usd_per_kwh: Penalty per kWh stored differently.
    """

    change: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    usd_per_kwh: float = 0.0


NO_PULL: Final = Pull()
