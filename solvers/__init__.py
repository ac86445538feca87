"""Optimization of water and batteries.

Put here: a formulation, its fast path and its certificate: frames and frozen records in, frames out.
Keep out: reading or publishing anything; physics (domain/hydraulics.py) and rules about data.
"""
