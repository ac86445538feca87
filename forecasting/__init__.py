"""Forecasts of inflow, price and load, and how good they are.

Put here: features, models, scoring, fallback ladders: frames in, frames with quantiles out.
Keep out: reading the lake; choosing what to do about a forecast (solvers/).
"""
