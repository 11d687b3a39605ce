"""Addresses of many things alike: the URL table is asked once, not for each row of a table."""

from functools import cache

from django.urls import reverse


def address(name: str, *arguments: str) -> str:
    """Return what ``reverse`` does for ids and slugs, which need no quoting in an address."""
    return _pattern(name, len(arguments)).format(*arguments)


@cache
def _pattern(name: str, count: int) -> str:
    places = [f"PLACE{number}X" for number in range(count)]
    found = reverse(name, args=places)
    for number, place in enumerate(places):
        found = found.replace(place, f"{{{number}}}")
    return found
