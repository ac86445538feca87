"""Random numbers addressed by what they are about, not by when they were drawn.

The n-th number of a stream is a function of (seed, stream name, n) alone: a window can be computed in any order and
from any process, and it always holds the same numbers. Put here: draws and the smooth processes made of them.
Keep out: anything that knows what the numbers mean.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

# Constants of the SplitMix64 finaliser: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))
_TO_MANTISSA: Final = np.uint64(11)
_UNIT: Final = 2.0**-53


def stream(seed: int, *names: str | int) -> int:
    """Return the 64-bit address of one stream of numbers."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(words: Words) -> Words:
    words = (words ^ (words >> _SHIFTS[0])) * _MIX_1
    words = (words ^ (words >> _SHIFTS[1])) * _MIX_2
    return words ^ (words >> _SHIFTS[2])


def _words(key: int | Words, index: Ints) -> Words:
    """Return one 64-bit word for each index; ``key`` may be an array that broadcasts against ``index``."""
    start = np.asarray(key, np.uint64)
    with np.errstate(over="ignore"):
        return _mix(_mix(start + index.astype(np.uint64) * _GOLDEN) + _GOLDEN)


def _uniform(words: Words) -> Floats:
    return ((words >> _TO_MANTISSA).astype(np.float64) + 0.5) * _UNIT


def uniforms(key: int | Words, index: Ints) -> Floats:
    """Return numbers uniform in (0, 1), one for each index."""
    return _uniform(_words(key, index))


def normals(key: int | Words, index: Ints) -> Floats:
    """Return standard normal numbers, one for each index (Box and Muller, 1958)."""
    words = _words(key, index)
    with np.errstate(over="ignore"):
        angle = _uniform(_mix(words + _MIX_2))
    return np.sqrt(-2.0 * np.log(_uniform(words))) * np.cos(2.0 * np.pi * angle)


def _lattice(at: Floats, step: float) -> tuple[Ints, Floats, Floats]:
    """Return the lattice node before each place and the weights of it and the next, of unit sum of squares."""
    place = at / step
    node = np.floor(place).astype(np.int64)
    rising = 0.5 - 0.5 * np.cos(np.pi * (place - node))
    norm = np.sqrt(rising**2 + (1.0 - rising) ** 2)
    return node, (1.0 - rising) / norm, rising / norm


def smooth(key: int, at: Floats, step: float) -> Floats:
    """Return a smooth standard normal process at the places ``at``; places over two steps apart are independent."""
    node, before, after = _lattice(at, step)
    first = int(node.min())
    values = normals(key, np.arange(first, int(node.max()) + 2, dtype=np.int64))
    return before * values[node - first] + after * values[node - first + 1]


def surfaces(keys: list[int], row: float, row_step: float, at: Floats, step: float) -> Floats:
    """Return one row through each of several smooth standard normal surfaces.

    A forecast's error is such a surface: smooth along the target time and along the issue time.

    Args:
        keys: One stream a surface.
        row: Where to cut, in the unit of ``row_step``.
        row_step: Lattice spacing across the rows.
        at: Places along the row, in the unit of ``step``.
        step: Lattice spacing along the row.

    Returns:
        Shape (surfaces, places); each number is standard normal.
    """
    rows, up, down = _lattice(np.array([row]), row_step)
    node, before, after = _lattice(at, step)
    first = int(node.min())
    nodes = np.arange(first, int(node.max()) + 2, dtype=np.int64)
    with np.errstate(over="ignore"):
        line_keys = _words(np.asarray(keys, np.uint64)[:, None], np.array([rows[0], rows[0] + 1]))
    values = normals(line_keys[:, :, None], nodes[None, None, :])
    along = up[0] * values[:, 0, :] + down[0] * values[:, 1, :]
    return before * along[:, node - first] + after * along[:, node - first + 1]
