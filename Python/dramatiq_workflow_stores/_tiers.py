"""Small contents in one store, large ones in another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ._contents import size_of
from ._errors import StoreError
from ._store import Store

Result = TypeVar("Result")


class TieredStore(Store):
    """Keeps small contents in one store and large ones in another, as Swift's `TieredWorkflowStore`.

    What one of them doesn't have is looked for in the other, so it doesn't matter who has stored it, and with what limit.

    Parameters:
      small: keeps contents up to the limit; it is asked first.
      large: keeps the others.
      limit: the largest content that `small` gets, in bytes before compression.
    """

    _MAX_NAME_SIZE = 58

    def __init__(self, small: Store, large: Store, limit: int) -> None:
        super().__init__(max_size=max(small.max_size, large.max_size))
        self.small = small
        self.large = large
        self.limit = limit
        name = f"{small.name}+{large.name}"
        self.name = name if size_of(name) <= self._MAX_NAME_SIZE else "tiered"

    def describe(self, name: str) -> str:
        return f"{name} in one of two stores"

    def _put(self, name: str, kept: bytes) -> None:
        (self.large if len(kept) > self.limit else self.small).store(kept)

    def _get(self, name: str, limit: int) -> bytes:
        return self._found(lambda store: store.load(name))

    def _keep(self, name: str) -> None:
        self._found(lambda store: store.keep(name))

    def _found(self, ask: Callable[[Store], Result]) -> Result:
        """What the store says that has it; if neither has, the worse of the two errors."""
        try:
            return ask(self.small)
        except StoreError as first:
            try:
                return ask(self.large)
            except StoreError as second:
                if first.code != "missing":
                    raise first from second
                if second.code != "missing":
                    raise
                raise StoreError("missing", f"{first.reason}. {second.reason}") from second
