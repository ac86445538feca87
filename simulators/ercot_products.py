"""Every Texan product that the stand-in serves.

Put here: the register. Keep out: the products themselves.
"""

from __future__ import annotations

from typing import Final

from simulators.ercot_catalogue import Product
from simulators.ercot_corrections import CORRECTION_PRODUCTS
from simulators.ercot_dispatch_products import DISPATCH_PRODUCTS
from simulators.ercot_price_products import PRICE_PRODUCTS
from simulators.ercot_system_products import SYSTEM_PRODUCTS
from simulators.ercot_zonal import ZONAL_PRODUCTS

PRODUCTS: Final[dict[str, Product]] = {
    product.emil.lower(): product
    for product in (*PRICE_PRODUCTS, *SYSTEM_PRODUCTS, *CORRECTION_PRODUCTS, *DISPATCH_PRODUCTS, *ZONAL_PRODUCTS)
}
"""By id in lower case."""
