"""The examples in the parsers' docstrings hold."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import resources.payloads

FOLDER = Path(resources.payloads.__file__).parent
MODULES = [
    ".".join(("resources", "payloads", *path.relative_to(FOLDER).with_suffix("").parts))
    for path in FOLDER.rglob("*.py")
]


@pytest.mark.parametrize("name", sorted(module.removesuffix(".__init__") for module in MODULES))
def test_the_examples_of_a_module_hold(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0
