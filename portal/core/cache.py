"""The cache over the broker, which may be away: a cache that can't be reached is an empty one, never an error page."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

T = TypeVar("T")
logger = logging.getLogger(__name__)


class ForgivingCache(RedisCache):
    """Django's Redis cache, whose calls answer as if nothing were stored while the server is down."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(super().add, False, *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._try(super().get, default, key, default, version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._try(super().set, None, *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        """Raise ValueError, as for what is not stored, while the server is down."""
        count: int | None = self._try(super().incr, None, *args, **kwargs)
        if count is None:
            raise ValueError("the cache does not answer")
        return count

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(super().touch, False, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(super().delete, False, *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self._try(super().get_many, {}, *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(super().has_key, False, *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        return self._try(super().set_many, [], *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        self._try(super().delete_many, None, *args, **kwargs)

    def clear(self) -> None:
        self._try(super().clear, None)

    def _try(self, call: Callable[..., T], otherwise: T, *args: Any, **kwargs: Any) -> T:
        try:
            return call(*args, **kwargs)
        except (RedisError, OSError) as error:
            logger.warning("the cache does not answer: %s", error)
            return otherwise
