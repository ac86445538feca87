"""ERCOT's Public API: rows of prices, load, wind and solar, reserves and corrections.

Put here: paths, filters and paging of the row API. Keep out: what its rows mean (resources/payloads/ercot.py), its
login (resources/ercot_api.py), the other doors to the same products (resources/mis.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.errors import PayloadError
from domain.instants import CENTRAL
from resources.clock import Clock
from resources.ercot_api import ErcotApi, ErcotSettings
from resources.ercot_rows import By, RowProduct, row_product
from resources.ercot_token import ErcotCredentials
from resources.http import Answer, Failures, Land, Read, Request
from resources.http.closing import Closing
from resources.http.records import kept
from resources.http.windows import Window, chunks, local_chunks, local_labels, require_window, within
from resources.payloads import Facts, registry
from resources.payloads.tables import unrepeated

_SAME: Final = ("series_id", "event_start", "scenario", "belief_time")
"""What makes two rows one statement: a row may be delivered twice, on two pages."""
_LISTS: Final = 3
"""How often a list that changes between its pages is begun anew."""


class ErcotClient(Closing):
    """Reads the row API.

    Args:
        settings: What to read and how.
        credentials: Account and subscription key.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: ErcotSettings, *, credentials: ErcotCredentials, clock: Clock, land: Land, locks: Path
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._api = ErcotApi(settings, credentials=credentials, clock=clock, land=land, locks=locks)

    def close(self) -> None:
        """Close the pooled connections."""
        self._api.close()

    def rt_prices(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the 15-minute settlement point prices (NP6-905-CD) of intervals that begin in the window."""
        return self.rows("NP6-905-CD", start, end)

    def da_prices(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the hourly day-ahead settlement point prices (NP4-190-CD) of hours that begin in the window."""
        return self.rows("NP4-190-CD", start, end)

    def load_forecast(self, posted_start: datetime, posted_end: datetime) -> Iterator[Read]:
        """Yield the load forecasts by model and weather zone (NP3-565-CD) *posted* in the window."""
        models = {"inUseFlag": "true"} if self._settings.load_models == "in_use" else {}
        return kept(self.rows("NP3-565-CD", posted_start, posted_end, filters=models), self._settings.load_series)

    def rows(
        self, emil: str, start: datetime, end: datetime, *, filters: Mapping[str, str] | None = None
    ) -> Iterator[Read]:
        """Yield a row product, one read a part of the window and, where it has them, settlement point.

        Args:
            emil: One of ``resources.ercot_rows.ROW_PRODUCTS``.
            start: First instant wanted [UTC]: of events, or of postings for forecasts and corrections.
            end: First instant not wanted [UTC]; cut where nothing can have been posted yet.
            filters: Further exact filters.

        Raises:
            InputError: The product is unknown, or the window makes no sense.
            ServiceError, PayloadError: After everything else was yielded, naming each point and day that failed.
        """
        product = row_product(emil)
        start, end = require_window(start, end)
        window = start, min(end, product.known_until(self._clock.now()))
        return self._reads(product, window, filters or {})

    def _reads(self, product: RowProduct, window: Window, extra: Mapping[str, str]) -> Iterator[Read]:
        failures = Failures("ercot")
        for span, part in self._parts(product, window):
            for name, point in self._points(product):
                with failures.item(f"{name} from {span[0]}"):
                    filters = {f"{product.field}From": span[0], f"{product.field}To": span[1], **point, **extra}
                    rows, raw = self._pages(product, filters)
                    column = "belief_time" if product.by is By.POSTED else "event_start"
                    rows = within(rows, part, column=column)
                    yield Read(name, part, rows, raw, () if rows.height else ("no rows in the window",))
        failures.settle()

    def _parts(self, product: RowProduct, window: Window) -> Iterator[tuple[tuple[str, str], Window]]:
        """Cut the window as the product's filter allows, with the filter's texts."""
        if product.by is By.DAY:
            for first, last, part in local_chunks(window, CENTRAL, self._settings.price_days_per_query):
                yield (str(first), str(last)), part
        else:
            for part in chunks(window, timedelta(days=self._settings.posted_days_per_query)):
                yield local_labels(part, CENTRAL), part

    def _points(self, product: RowProduct) -> list[tuple[str, dict[str, str]]]:
        """Return what to call a read of each settlement point, and its filters; one without, where there are none."""
        if not product.point:
            return [(product.emil, {})]
        if product.point_type:
            return [
                (f"{product.emil}:{at.name}:{at.type}", {product.point: at.name, product.point_type: at.type})
                for at in self._settings.points
            ]
        names = dict.fromkeys(at.name for at in self._settings.points)
        return [(f"{product.emil}:{name}", {product.point: name}) for name in names]

    def _pages(self, product: RowProduct, filters: Mapping[str, str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return the rows of all pages and the bytes' hashes.

        The rows are asked for oldest first, so that a posting between two pages lands behind them and not in them;
        where the total still moves, the whole list is asked for again.
        """
        for _ in range(_LISTS):
            frames: list[pl.DataFrame] = []
            raw: list[str] = []
            totals: set[int] = set()
            page, pages = 1, 1
            while page <= pages:
                params = [*filters.items(), *_listing(page, self._settings.page_size, product.field)]
                request = Request(path=product.path, params=params, remedy=f"check the filters {dict(filters)}")
                answer, rows, meta = self._api.fetch(request, self._parsed(product.emil, filters))
                frames.append(rows)
                raw.append(answer.sha256)
                totals.add(int(meta.get("totalRecords", 0)))
                pages = int(meta.get("totalPages", 0))
                page += 1
            if len(totals) == 1:
                return unrepeated(pl.concat(frames), _SAME), tuple(raw)
        raise PayloadError(
            f"ercot: {product.emil} changed between pages {_LISTS} times; ask for a window that is closed",
            retryable=True,
        )

    def _parsed(
        self, emil: str, filters: Mapping[str, str]
    ) -> Callable[[Answer], tuple[Answer, pl.DataFrame, Mapping[str, Any]]]:
        def parsed(answer: Answer) -> tuple[Answer, pl.DataFrame, Mapping[str, Any]]:
            meta = answer.json.get("_meta")
            if not isinstance(meta, dict):
                raise PayloadError(f"ercot: {answer.url} has no _meta, which says how many pages there are")
            _check_echo(meta, filters, answer.url)
            facts = Facts(fetched_at=answer.fetched_at, name=answer.name, product=emil)
            return answer, registry.parse("ercot", answer.content, facts), meta

        return parsed


def _listing(page: int, size: int, sort: str) -> list[tuple[str, str]]:
    return [("page", str(page)), ("size", str(size)), ("sort", sort), ("dir", "asc")]


def _check_echo(meta: Mapping[str, Any], filters: Mapping[str, str], url: str) -> None:
    """Refuse an answer to another question.

    ERCOT ignores a parameter it does not know and then answers with its newest rows, as if they were the ones
    asked for; the echo in ``_meta`` gives it away.
    """
    echo = meta.get("query", {}).get("parameters")
    if not isinstance(echo, dict):
        raise PayloadError(f"ercot: {url} does not repeat the parameters it used (_meta.query.parameters)")
    used = {str(name).lower(): str(value).strip().lower() for name, value in echo.items()}
    for name, value in filters.items():
        answer = used.get(name.lower())
        if answer is None or not answer.startswith(value.lower()):
            raise PayloadError(
                f"ercot: {url} was asked with {name}={value} and used {answer!r}; the filter is unknown or changed:"
                " compare it with the product's field list"
            )
