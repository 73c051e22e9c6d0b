"""Contents in Redis."""

from __future__ import annotations

from typing import Any

from ._errors import StoreError
from ._store import Store

#: For how long a content is kept after it was last needed unless given, in seconds: 16 days.
TTL = 16 * 86_400


class RedisStore(Store):
    """Keeps contents in Redis, as Swift's `RedisWorkflowStore`.

    Parameters:
      redis: a `redis.Redis` that doesn't decode responses, or a URL to make one of.
      namespace: what the keys begin with.
      ttl: how long a content is kept after it was last needed, in seconds.
    """

    name = "redis"
    _KEEP = """
        local left = redis.call('PTTL', KEYS[1])
        if left == -2 then return 0 end
        if left >= 0 and left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        return 1
        """
    # What is there already has the same content and may be needed for longer.
    _PUT = """
        local left = redis.call('PTTL', KEYS[1])
        if left == -1 then return redis.call('SET', KEYS[1], ARGV[2]) end
        return redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%.0f', math.max(left, tonumber(ARGV[1]))))
        """

    def __init__(self, redis: Any, namespace: str = "dramatiq", *, ttl: float = TTL, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(redis, str):
            import redis as package

            redis = package.Redis.from_url(redis)
        if getattr(getattr(redis, "connection_pool", None), "connection_kwargs", {}).get("decode_responses"):
            raise ValueError("A client with decode_responses can't read what is compressed")
        self.redis = redis
        self.namespace = namespace
        self.milliseconds = max(1, int(ttl * 1000))

    def describe(self, name: str) -> str:
        return f"the key {self._key(name)}"

    def load_by_barrier(self, completion_id: str) -> bytes:
        """What version 1 of the references stored under a barrier's id."""
        with self._telling("load", completion_id):
            return self._get(completion_id, self.max_size)

    def keep_by_barrier(self, completion_id: str) -> None:
        with self._telling("keep", completion_id):
            self._keep(completion_id)

    def _key(self, name: str) -> str:
        return f"{self.namespace}:__workflows__.{name}"

    def _put(self, name: str, kept: bytes) -> None:
        self.redis.eval(self._PUT, 1, self._key(name), self.milliseconds, kept)

    def _get(self, name: str, limit: int) -> bytes:
        kept = self.redis.getrange(self._key(name), 0, limit)
        if not kept:
            raise StoreError("missing", "It is not in Redis")
        if len(kept) > limit:
            raise StoreError("too_large", f"It has more than {limit} bytes")
        return kept

    def _keep(self, name: str) -> None:
        if not self.redis.eval(self._KEEP, 1, self._key(name), self.milliseconds):
            raise StoreError("missing", "It is not in Redis")
