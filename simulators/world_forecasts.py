"""What forecasters say about the world: wrong far ahead, right near the event, and honest about how wrong.

A forecast is the truth disturbed by an error that is smooth along target and issue time and grows with lead. The
river's error is normal in the logarithm with a stated spread, so its quantiles are calibrated by construction.
Put here: error models. Keep out: truth, wire formats, publication times.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from simulators.localtime import HOUR_S
from simulators.noise import Floats, stream, surfaces
from simulators.world import World
from simulators.world_texas import ZONES

RIVER_LEADS_H: Final = 240
LOAD_MODELS: Final = ("E", "E3", "M", "X")
"""Forecast models of the load product; the shares of shared and own error are invented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiverForecast:
    """A log-normal forecast for consecutive hours from an issue on.

    Attributes:
        median_cfs: The middle of the distribution [cfs].
        spread: Standard deviation of its logarithm, per lead hour.
    """

    median_cfs: Floats
    spread: Floats

    def quantile(self, probability: float) -> Floats:
        """Return the flow [cfs] that is not exceeded with this probability."""
        return self.median_cfs * np.exp(self.spread * NormalDist().inv_cdf(probability))

    def mean(self) -> Floats:
        """Return the expected flow [cfs]."""
        return self.median_cfs * np.exp(self.spread**2 / 2.0)


def river_spread(lead_h: Floats) -> Floats:
    """Return the log standard deviation of a river forecast at a lead [h]: 0.02 now, 0.37 at ten days."""
    return 0.02 + 0.38 * (1.0 - np.exp(-lead_h / 95.0))


def river_forecast(
    world: World, name: str, issue_hour: int, source: str = "hydroforecast", hours: int = RIVER_LEADS_H
) -> RiverForecast:
    """Return the forecast of one gauge issued at an epoch hour.

    Args:
        world: The truth.
        name: A flow of the ``sierra`` family, such as ``r4_cfs``.
        issue_hour: Epoch hour of the model run; the first target hour.
        source: Who forecasts; each has its own errors.
        hours: How far it reaches [h].
    """
    end = issue_hour + hours
    truth = world.window("sierra", issue_hour * HOUR_S, end * HOUR_S)[name]
    lead_h = np.arange(hours, dtype=float)
    keys = [stream(world.seed, "forecast", source, name)]
    error = surfaces(keys, float(issue_hour), 30.0, issue_hour + lead_h, 20.0)[0]
    spread = river_spread(lead_h)
    return RiverForecast(median_cfs=truth * np.exp(-spread * error), spread=spread)


def river_ensemble(world: World, name: str, issue_hour: int, members: int, hours: int) -> Floats:
    """Return equally likely paths around a forecast, smooth in time [cfs, hourly means], shape (members, hours)."""
    forecast = river_forecast(world, name, issue_hour, "ensemble", hours)
    keys = [stream(world.seed, "member", name, member) for member in range(members)]
    target_h = issue_hour + np.arange(hours, dtype=float)
    # A row of its own for each issue: the paths of two issues have nothing to do with each other.
    slow = surfaces(keys, 2.0 * issue_hour, 1.0, target_h, 120.0)
    quick = surfaces(keys, 2.0 * issue_hour + 1.0, 1.0, target_h, 24.0)
    return forecast.median_cfs * np.exp(forecast.spread * (0.8 * slow + 0.6 * quick))


def load_spread(lead_h: Floats) -> Floats:
    """Return the relative standard deviation of a load forecast at a lead [h]: 0.5 % now, 4 % at a week."""
    return 0.005 + 0.0135 * np.sqrt(np.maximum(lead_h, 0.0) / 24.0)


def load_forecast(world: World, posted_hour: int, start: int, end: int) -> Floats:
    """Return load by model and weather zone as forecast at one posting.

    Args:
        world: The truth.
        posted_hour: Epoch hour of the posting.
        start: First target epoch [s], on the hour.
        end: Epoch [s] after the last target hour.

    Returns:
        MW, hourly means, shape (models, zones, hours).
    """
    truth = world.window("texas", start, end)
    load = np.array([truth[f"load/{zone}"] for zone in ZONES])
    target_h = np.arange(start // HOUR_S, end // HOUR_S, dtype=float)
    names = [*LOAD_MODELS, *ZONES]
    keys = [stream(world.seed, "forecast", "load", name) for name in names]
    error = surfaces(keys, float(posted_hour), 14.0, target_h, 7.0)
    own, zonal = error[: len(LOAD_MODELS)], error[len(LOAD_MODELS) :]
    spread = load_spread(target_h - posted_hour)
    return load * (1.0 + spread * (0.6 * own[:, None, :] + 0.8 * zonal[None, :, :]))


def renewable_forecast(world: World, name: str, posted_hour: int, start: int, end: int) -> Floats:
    """Return wind or sun [MW, hourly means] as forecast at one posting; ``name`` is ``wind`` or ``solar``."""
    truth = world.window("texas", start, end)[name]
    target_h = np.arange(start // HOUR_S, end // HOUR_S, dtype=float)
    error = surfaces([stream(world.seed, "forecast", name)], float(posted_hour), 12.0, target_h, 6.0)[0]
    spread = 0.03 + 0.09 * np.sqrt(np.maximum(target_h - posted_hour, 0.0) / 24.0)
    return np.maximum(0.0, truth * (1.0 + np.minimum(spread, 0.35) * error))
