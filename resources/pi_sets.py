"""Several streams of the PI Web API in one call: stream sets, and batches that look up and read in one trip.

These calls save round trips and nothing else: whatever they do not give (a bad stream, a full page, a changed unit) is
left out here and then asked for tag by tag, where errors have names. Put here: those two calls. Keep out: the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl

from domain.errors import ConfigError, CredentialError, InputError, ServiceError, UnitError
from domain.units import to_canonical
from resources.http import Answer, Fetcher, Request
from resources.http.windows import Window
from resources.payloads import Facts, registry
from resources.payloads.pi import parse_batch
from resources.pi_settings import Kind, PiSettings, PiTag
from resources.pi_streams import Part, PiStreams, call_of, facts_of

Found = dict[str, Part]


class PiSets:
    """Reads several tags at once.

    Args:
        fetcher: Talks to the server.
        settings: What to read and how.
        streams: Knows the WebIds.
    """

    def __init__(self, fetcher: Fetcher, settings: PiSettings, streams: PiStreams) -> None:
        self._fetcher = fetcher
        self._settings = settings
        self._streams = streams

    def read(self, tags: Sequence[PiTag], kind: Kind, window: Window) -> Found:
        """Return what one call gave, by tag; a tag that is absent is to be asked for by itself.

        Raises:
            CredentialError: The server refused us; it would refuse single calls as well.
        """
        how: Mapping[str, Callable[[Sequence[PiTag], Kind, Window], Found]] = {
            "streamset": self._streamset,
            "batch": self._batch,
        }
        if self._settings.together == "no" or len(tags) <= 1:  # one is no set
            return {}
        try:
            return how[self._settings.together](tags, kind, window)
        except (ConfigError, CredentialError):
            raise
        except (InputError, ServiceError):
            return {}

    def _streamset(self, tags: Sequence[PiTag], kind: Kind, window: Window) -> Found:
        ids = [("webId", self._streams.web_id(tag)) for tag in tags]
        call, params = call_of(kind, window, count=self._settings.page_size)

        def read(answer: Answer) -> Found:
            facts = Facts(fetched_at=answer.fetched_at, name=answer.name, options={"kind": kind})
            rows = registry.parse("pi", answer.content, facts)
            streams = {item.get("WebId"): item for item in answer.json["Items"]}
            pairs = [(tag, streams.get(web_id) or {}) for tag, (_, web_id) in zip(tags, ids, strict=True)]
            whole = [tag for tag, one in pairs if not self._is_full(one, kind) and _as_declared(one, tag)]
            return _by_tag(rows, whole, kind, answer.sha256)

        return self._fetcher.fetch(Request(path=f"/streamsets/{call}", params=[*ids, *params]), read)

    def _batch(self, tags: Sequence[PiTag], kind: Kind, window: Window) -> Found:
        call, params = call_of(kind, window, count=self._settings.page_size)
        request = Request(
            path="/batch",
            method="POST",
            json={name: part for at, tag in enumerate(tags) for name, part in self._parts(at, tag, call, params)},
            headers={"X-Requested-With": "tailrace"},  # the server's defence against forged requests asks for it
        )

        def read(answer: Answer) -> Found:
            facts = {f"read{at}": facts_of(tag, kind, answer) for at, tag in enumerate(tags)}
            rows, _ = parse_batch(answer.content, facts)  # parts that failed are asked for again by themselves
            whole = []
            for at, tag in enumerate(tags):
                self._remember(tag, answer.json.get(f"find{at}"))
                content = (answer.json.get(f"read{at}") or {}).get("Content")
                if isinstance(content, dict) and not self._is_full(content, kind):
                    whole.append(tag)
            return _by_tag(rows, whole, kind, answer.sha256)

        return self._fetcher.fetch(request, read)

    def _parts(
        self, at: int, tag: PiTag, call: str, params: Sequence[tuple[str, str]]
    ) -> list[tuple[str, dict[str, object]]]:
        """Return the parts of a batch that read one tag: one where its id is known, else a look-up before it."""
        base, query = self._settings.http.base_url, urlencode(params, quote_via=quote)
        web_id = self._streams.known_web_id(tag)
        if web_id is not None:
            return [(f"read{at}", {"Method": "GET", "Resource": f"{base}/streams/{web_id}/{call}?{query}"})]
        path, wanted = self._streams.lookup(tag)
        find = {"Method": "GET", "Resource": f"{base}{path}?{urlencode(wanted, quote_via=quote)}"}
        read = {
            "Method": "GET",
            "ParentIds": [f"find{at}"],
            "Parameters": [f"$.find{at}.Content.WebId"],
            "Resource": f"{base}/streams/{{0}}/{call}?{query}",
        }
        return [(f"find{at}", find), (f"read{at}", read)]

    def _remember(self, tag: PiTag, part: dict[str, Any] | None) -> None:
        if part is not None and part.get("Status") == HTTPStatus.OK:
            self._streams.remember(tag, (part.get("Content") or {}).get("WebId"))

    def _is_full(self, stream: Mapping[str, Any], kind: Kind) -> bool:
        """Whether a stream's page may have been cut."""
        return kind == "recorded" and len(stream.get("Items") or []) >= self._settings.page_size


def _as_declared(stream: Mapping[str, Any], tag: PiTag) -> bool:
    """Whether a stream prints the declared unit, in its own scale, wherever it prints one."""
    values = [item.get("Value") if "Type" in item else item for item in stream.get("Items") or []]
    printed = {one.get("UnitsAbbreviation") for one in (stream, *values) if isinstance(one, dict)}
    try:
        return all(to_canonical(unit) == to_canonical(tag.unit) for unit in printed if unit)
    except UnitError:
        return False


def _by_tag(rows: pl.DataFrame, tags: Sequence[PiTag], kind: Kind, sha256: str) -> Found:
    """Return each tag's rows; a tag whose unit is not the declared one is left out, to fail by its name."""
    found: Found = {}
    for tag in tags:
        own = rows.filter(pl.col("series_id") == f"pi:{tag.path}:{kind}")
        if own.height and own["unit"].unique().to_list() == [to_canonical(tag.unit)[0]]:
            found[tag.path] = Part(own, sha256)
    return found
