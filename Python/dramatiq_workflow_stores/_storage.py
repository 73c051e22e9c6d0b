"""The callback storage: references to contents, and positions in them."""

from __future__ import annotations

import collections
import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from dramatiq_workflow import CallbackStorage

from ._cache import Cache, Renewals
from ._contents import check_name, encode_digest, name_of, shown, size_of
from ._errors import StoreError
from ._parsed import Content, Node, copy
from ._redis import RedisStore
from ._store import Store

_HEXADECIMAL = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)


class Source(NamedTuple):
    """The content that a reference is to."""

    #: Which storage made the reference.
    by: str
    name: str
    #: Where its store has it, as JSON, if that isn't the name.
    place: str | None = None

    def at(self, *more: Any) -> list[Any]:
        return [self.name, *more] if self.place is None else [self.name, *more, json.loads(self.place)]


class Rest:
    """What remains of a workflow, and comes with a message: loaded only when it is called."""

    def __init__(self, load: Callable[[], Node], written: Any, source: Source | None = None, position: int = 0) -> None:
        self._load = load
        #: What stands for it in callbacks of messages.
        self.written = written
        self.source = source
        self.position = position

    def __call__(self) -> Node:
        return self._load()

    def __str__(self) -> str:
        return f"Rest({shown(self.written)})"


def _reference(by: str, at: Any) -> Node:
    return {"__type__": "stored", "by": by, "version": 2, "at": at}


class Given(threading.local):
    """What a thread had last: what a step stores is mostly what is left of it."""

    content: tuple[Content, Source] | None = None
    rests: tuple[tuple[Node, Rest], ...] = ()


class StoredCallbackStorage(CallbackStorage[Any]):
    """Keeps what remains of workflows in a store, once for each workflow; messages carry a reference and a position.

    Reads what Swift's `FileCallbackStorage` and `DedupCallbackStorage` write, also their version 1, and callbacks that
    stand in the messages themselves.

    Parameters:
      store: has the workflows.
      inline_limit: up to this size what remains of a workflow stays in the messages, in bytes of JSON.
      cache_size: how much of what was read or stored is kept in memory, in bytes of JSON; parsed, it takes some six
        times as much. The last content stays however large it is, and so does each thread's until its next message.
    """

    _MAX_ENTRIES = 1 << 16
    _MAX_ID_SIZE = 1024
    _MAX_STORAGE_NAME_SIZE = 64

    def __init__(self, store: Store, *, inline_limit: int = 4096, cache_size: int = 16 << 20) -> None:
        self.workflows = store
        self.inline_limit = inline_limit
        self._cache = Cache(cache_size)
        self._renewals = Renewals()
        self._given = Given()

    # Storing

    def store(self, callbacks: Iterable[tuple[str, Any, bool]]) -> Any:
        """Stores callbacks.

        Returns what messages carry for them: the callbacks themselves if nothing of them is stored.
        """
        entries = [(completion_id, self._carried(rest), propagates) for completion_id, rest, propagates in callbacks]
        sources = [rest.source for _, rest, _ in entries if isinstance(rest, Rest) and rest.source is not None]
        for source in dict.fromkeys(sources):
            self._keep(source.name, needed=True)
        main = collections.Counter(sources).most_common(1)[0][0] if sources else None
        written: list[list[Any]] = []
        for completion_id, rest, propagates in entries:
            if isinstance(rest, Rest):
                rest = rest.position if rest.source is not None and rest.source == main else rest.written
            is_short = main is not None and propagates is True
            written.append([completion_id, rest] if is_short else [completion_id, rest, propagates])
        return written if main is None else _reference(main.by, main.at(written))

    def _carried(self, rest: Any) -> Any:
        """What remains of a workflow as callbacks hold it: stored, or as it is if it is small."""
        if rest is None or isinstance(rest, Rest):
            return rest
        if callable(rest):
            rest = rest()
        if not isinstance(rest, dict):
            raise TypeError(f"What remains of a workflow must be a dict, not {type(rest)}")
        given = self._given
        # A group's messages all come with the same one.
        for known, carried in given.rests:
            if known is rest:
                return carried
        try:
            stored = self._found(rest) or self._stored(rest)
        except RecursionError:
            stored = None
        if stored is None:
            return rest
        given.rests = (*given.rests[-7:], (rest, stored))
        return stored

    def _found(self, rest: Node) -> Rest | None:
        """Where something remains of what this thread had last that is the same."""
        if self._given.content is None:
            return None
        content, source = self._given.content
        position = content.position(rest)
        return None if position is None else self._rest(source, position)

    def _stored(self, rest: Node) -> Rest | None:
        try:
            text = json.dumps([rest], separators=(",", ":")).encode("ascii")
        except (TypeError, ValueError):
            # It is for the encoder of messages, which may know of more than JSON, or to say what is wrong.
            return None
        if len(text) - 2 <= self.inline_limit or rest.get("__type__") != "chain" or not rest.get("children"):
            return None
        name = name_of(text)
        source = Source(f"dedup.{self.workflows.name}", name)
        content = self._cache.get(name)
        if content is None:
            content = Content(name, text)
            self.workflows.store(text)
            self._cache.add(content)
            self._renewals.is_due(name)
        self._given.content = (content, source)
        return self._rest(source, 1)

    # Reading

    def retrieve(self, ref: Any) -> list[tuple[str, Any, bool]]:
        """The callbacks that a reference stands for. What remains of workflows is loaded when it is called."""
        self._given.content = None
        self._given.rests = ()
        try:
            return self._callbacks(ref, is_stored=False)
        except StoreError as error:
            raise StoreError(error.code, f"{error.reason} (in {shown(ref)})") from error

    def _callbacks(self, ref: Any, is_stored: bool) -> list[tuple[str, Any, bool]]:
        if isinstance(ref, (list, tuple)):
            return self._entries(ref, None)
        by, version, at = self._parts(ref)
        if (by, version) == ("file", 1):
            self._keep(_name_of_file(at))
            return self._entries(self._loaded_file(at).value, None)
        if version != 2:
            raise _foreign(by, version)
        source, entries = (Source(by, check_name(at)), None) if isinstance(at, str) else self._source(by, at)
        self._keep(source.name)
        if entries is not None:
            return self._entries(entries, source)
        if is_stored:
            raise StoreError("invalid", "Stored callbacks are a reference to others that are stored")
        return self._callbacks(self._loaded(source).value, is_stored=True)

    def _source(self, by: str, at: Any) -> tuple[Source, Any]:
        """The content of a reference `[name, x]` or `[name, x, place]`, and its x."""
        if not isinstance(at, (list, tuple)) or not 2 <= len(at) <= 3:
            raise StoreError("invalid", "A stored part must be at [name, entries or position] or [name, …, place]")
        place = json.dumps(at[2], separators=(",", ":")) if len(at) == 3 else None
        return Source(by, check_name(at[0]), place), at[1]

    def _entries(self, entries: Any, source: Source | None) -> list[tuple[str, Any, bool]]:
        if not isinstance(entries, (list, tuple)):
            raise StoreError("invalid", "Callbacks must be an array, or a reference to what a storage has")
        if len(entries) > self._MAX_ENTRIES:
            raise StoreError("invalid", f"There are {len(entries)} callbacks, the limit is {self._MAX_ENTRIES}")
        callbacks: list[tuple[str, Any, bool]] = []
        for entry in entries:
            number = len(callbacks) + 1
            if source is not None and isinstance(entry, (list, tuple)) and len(entry) == 2:
                entry = (*entry, True)
            if not isinstance(entry, (list, tuple)) or len(entry) != 3 or type(entry[2]) is not bool:
                text = f"Entry {number} must be [completion id, workflow or null, boolean]"
                raise StoreError("invalid", text if source is None else f"{text}, or the first two")
            completion_id, rest, propagates = entry
            if not isinstance(completion_id, str) or size_of(completion_id) > self._MAX_ID_SIZE:
                raise StoreError("invalid", f"The completion id of entry {number} must be a text of at most 1024 bytes")
            callbacks.append((completion_id, self._entry(rest, completion_id, source), propagates))
        return callbacks

    def _entry(self, rest: Any, completion_id: str, source: Source | None) -> Rest | None:
        """What remains of a workflow, of what stands for it."""
        if rest is None:
            return None
        if type(rest) is int:
            if source is None:
                raise StoreError("invalid", f"Position {rest} is in no stored workflow")
            return self._rest(source, rest)
        if not isinstance(rest, dict):
            raise StoreError("invalid", f"{shown(rest)} is no workflow")
        if rest.get("__type__") != "stored":
            return Rest(lambda: copy(rest), rest)
        by, version, at = self._parts(rest)
        if version == 2:
            inner, position = self._source(by, at)
            if type(position) is not int:
                raise StoreError("invalid", f"{shown(position)} is not a position in the stored workflow {inner.name}")
            self._keep(inner.name)
            return self._rest(inner, position)
        if version == 1 and by in ("file", "dedup.file"):
            name = _name_of_file(at)
            self._keep(name)
            return Rest(lambda: _whole(self._loaded_file(at)), rest)
        if version == 1 and by == "dedup.redis" and isinstance(self.workflows, RedisStore):
            return self._rest_by_barrier(self.workflows, rest, at, completion_id)
        raise _foreign(by, version)

    def _rest_by_barrier(self, store: RedisStore, rest: Node, at: Any, completion_id: str) -> Rest:
        if not completion_id or at != completion_id or size_of(completion_id) > 256:
            raise StoreError("invalid", "What is stored for a barrier must be given as its id")
        if self._renewals.is_due(completion_id):
            with contextlib.suppress(StoreError):
                store.keep_by_barrier(completion_id)
        return Rest(lambda: _whole(Content(completion_id, store.load_by_barrier(completion_id))), rest)

    def _parts(self, ref: Any) -> tuple[str, int, Any]:
        """Which storage made a reference, in which version, and what it put there."""
        if not isinstance(ref, dict) or ref.get("__type__") != "stored":
            raise StoreError("invalid", "Callbacks must be an array, or a reference to what a storage has")
        by, version = ref.get("by"), ref.get("version")
        if (
            set(ref) != {"__type__", "by", "version", "at"}
            or not isinstance(by, str)
            or size_of(by) > self._MAX_STORAGE_NAME_SIZE
            or type(version) is not int
        ):
            raise StoreError("invalid", "A stored part must have the members by, version and at, and no others")
        return by, version, ref["at"]

    def _rest(self, source: Source, position: int) -> Rest:
        def load() -> Node:
            content = self._loaded(source)
            rest = content.rest(position)
            self._given.content = (content, source)
            return rest

        return Rest(load, _reference(source.by, source.at(position)), source, position)

    # Contents

    def _loaded(self, source: Source) -> Content:
        try:
            return self._cache.load(source.name, self.workflows.load)
        except StoreError as error:
            if error.code != "missing":
                raise
            raise StoreError("missing", f"{error.reason}. The storage {shown(source.by)} has stored it") from error

    def _loaded_file(self, at: Any) -> Content:
        return self._cache.load(_name_of_file(at), self.workflows.load)

    def _keep(self, name: str, needed: bool = False) -> None:
        """Keeps a content as long as messages may need it now. Whether that works matters only to what is sent."""
        if not self._renewals.is_due(name):
            return
        try:
            self.workflows.keep(name)
        except StoreError as error:
            self._renewals.forget(name)
            if needed and error.code == "missing":
                raise


def _whole(content: Content) -> Node:
    """The workflow that a content of version 1 is."""
    if type(content.value) is not dict:
        raise StoreError("invalid", f"The stored workflow {content.name} is not a workflow")
    workflow: Node = copy(content.value)
    return workflow


def _name_of_file(at: Any) -> str:
    """The name of a content that version 1 gives in hexadecimal."""
    match = _HEXADECIMAL.fullmatch(at) if isinstance(at, str) else None
    if match is None:
        raise StoreError("invalid", "A file must be given as sha256: and 64 hexadecimal digits")
    return encode_digest(bytes.fromhex(match[1]))


def _foreign(by: str, version: int) -> StoreError:
    return StoreError("foreign", f"The storage {shown(by)} has made it, in version {version}, which is not known here")
