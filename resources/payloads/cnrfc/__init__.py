"""Parsers of CNRFC's plain files: deterministic exports, ensembles, and the CSV of one point.

Put here: CNRFC's layouts and its rule of knowledge time. Keep out: requests and listing pages (resources/cnrfc.py).
"""

from __future__ import annotations

from resources.payloads.cnrfc.exports import parse_export
from resources.payloads.cnrfc.issues import nominal_in
from resources.payloads.cnrfc.parser import parse
from resources.payloads.cnrfc.point import parse_point

__all__ = ["nominal_in", "parse", "parse_export", "parse_point"]
