"""Finds the offerings: every module under ``<family app>.offerings`` that has an ``OFFERING``."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from django.apps import apps

from portal.core.offerings import Offering


def families() -> dict[str, str]:
    """Return label and name of the apps that sell something, in the order of INSTALLED_APPS."""
    return {config.label: str(config.verbose_name) for config in apps.get_app_configs() if _offerings_of(config.name)}


def family_icon(label: str) -> str:
    """Return the icon that a family's app declares."""
    return str(getattr(apps.get_app_config(label), "icon", "box"))


@functools.cache
def offerings() -> dict[str, Offering]:
    """Return every offering by its slug. Read once per process."""
    found = [offering for config in apps.get_app_configs() for offering in _offerings_of(config.name)]
    return {offering.slug: offering for offering in found}


def offering(slug: str) -> Offering | None:
    return offerings().get(slug)


@functools.cache
def _offerings_of(app: str) -> tuple[Offering, ...]:
    if not app.startswith("apps."):
        return ()
    try:
        package = importlib.import_module(f"{app}.offerings")
    except ModuleNotFoundError as error:
        if error.name == f"{app}.offerings":
            return ()
        raise
    return tuple(module.OFFERING for module in _modules(package) if hasattr(module, "OFFERING"))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(info.name)


def reset() -> None:
    """Forget what was found; tests that add offerings call it."""
    offerings.cache_clear()
    _offerings_of.cache_clear()
