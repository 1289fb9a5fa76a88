"""The catalogues of list prices behind one interface: the base, and what fills its gaps.

A gap filler prices only models of which the base has no rate in force
(int_prices__observed_versions); each is fetched, judged and landed as the base is, in a load of its
own, and only where its URL is set.
"""

from collections.abc import Callable
from dataclasses import dataclass

from price_catalog.openrouter_models import parse_models
from price_catalog.parse import parse
from price_catalog.rows import ParsedCatalogue


@dataclass(frozen=True)
class Catalogue:
    """One public list of prices: how it is named, which variable says where it is, how it is read.

    `read` gives flat rows, and raises ValueError for what is no such list.
    """

    name: str
    url_variable: str
    read: Callable[[bytes], ParsedCatalogue]


BASE = Catalogue("litellm", "METERHOUSE_PRICE_CATALOG_URL", parse)
GAP_FILLERS = (Catalogue("openrouter", "METERHOUSE_OPENROUTER_MODELS_URL", parse_models),)
