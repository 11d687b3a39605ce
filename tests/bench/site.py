"""Settings of the portal that ``bench_lists.py`` asks: the product's own, on a database of its own, queries counted."""

import os

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES, MIDDLEWARE

DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
MIDDLEWARE = ["tests.bench.counting.counted", *MIDDLEWARE]
WHITENOISE_ROOT = os.environ.get("BENCH_COPIES")  # pages as files, for bench_pages.py
API_RATE = API_BURST = 1_000_000
