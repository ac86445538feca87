"""The dbt that Dagster runs the marts with.

Importing this takes two seconds (dagster-dbt), so only code locations do. Put here: how dbt is started inside Dagster.
Keep out: building (warehouse.py), assets (assets/marts.py), SQL (dbt_project/).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import metadata

from dagster_dbt import DbtCliResource
from packaging.version import Version

from resources.warehouse import PROJECT, dbt_executable


class MartsDbt(DbtCliResource):
    """dbt-core of this environment, over our project and profile, without what costs time and is not used here.

    ``DbtCliInvocation.stream().fetch_row_counts()`` needs the adapter that is left out and does not work with it.
    """

    @cached_property
    def _cli_version(self) -> Version:
        # The parent asks `dbt --version`, which costs two seconds in every run.
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # ty: ignore[incompatible-method-override] - None is handled
        # The parent loads dbt a second time, inside this process, for row counts that nobody asks for: two seconds.
        _ = args


def marts_dbt() -> MartsDbt:
    """Return dbt over our project."""
    return MartsDbt(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=str(dbt_executable()))
