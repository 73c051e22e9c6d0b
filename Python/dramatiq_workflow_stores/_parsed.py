"""Contents as what they say: nodes with their positions, or callbacks."""

from __future__ import annotations

import functools
import json
from typing import Any

from ._contents import shown
from ._errors import StoreError

Node = dict[str, Any]


def copy(node: Any) -> Any:
    """A copy of a node, since dramatiq-workflow changes what it is given."""
    try:
        return _copied(node)
    except RecursionError as error:
        raise StoreError("too_deep", "What remains of a workflow is nested too deeply") from error


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(member) for key, member in value.items()}
    return [_copied(element) for element in value] if type(value) is list else value


def _is_same(stored: Any, other: Any) -> bool:
    """Whether something has the same JSON as what was parsed; the order of keys doesn't matter."""
    if type(stored) is dict:
        return (
            type(other) is dict
            and len(stored) == len(other)
            and all(key in other and _is_same(member, other[key]) for key, member in stored.items())
        )
    if type(stored) is list:
        return type(other) in (list, tuple) and len(stored) == len(other) and all(map(_is_same, stored, other))
    if type(stored) is not type(other):
        return False
    # As text: NaN is itself, and -0.0 is not 0.0.
    return repr(stored) == repr(other) if type(stored) is float else stored == other


class Content:
    """A content that was read: an array of chains, or callbacks."""

    def __init__(self, name: str, text: bytes) -> None:
        self.name = name
        self.size = len(text)
        try:
            self.value = json.loads(text)
        except RecursionError as error:
            raise StoreError("too_deep", f"The stored workflow {name} is nested too deeply") from error
        except ValueError as error:
            raise StoreError("corrupt", f"The stored workflow {name} is not JSON: {error}") from error

    def rest(self, position: int) -> Node:
        """What is left of a chain from the node at a position on, for the caller to keep."""
        count = len(self._nodes)
        _, siblings, index = self._nodes[position] if 0 <= position < count else (None, None, 0)
        if siblings is None:
            why = "its node is not the child of a chain" if 0 <= position < count else f"it has {count} nodes"
            text = f"Nothing begins at position {position} of the stored workflow {self.name}: {why}"
            raise StoreError("invalid", text)
        return {"__type__": "chain", "children": copy(siblings[index:])}

    def position(self, rest: Node) -> int | None:
        """Where something is left that is the same."""
        children = rest.get("children")
        if rest.get("__type__") != "chain" or len(rest) != 2 or type(children) is not list or not children:
            return None
        for position in self._by_first_message.get((_first_message(children[0]), len(children)), [])[:8]:
            _, siblings, index = self._nodes[position]
            if siblings is not None and all(map(_is_same, siblings[index:], children)):
                return position
        return None

    @functools.cached_property
    def _nodes(self) -> list[tuple[Node, list[Any] | None, int]]:
        """The nodes in the order in which they begin, each with the children of the chain that it is in, if it is in
        one, and its place among them."""
        if type(self.value) is not list or not all(_kind(chain) == "chain" for chain in self.value):
            raise StoreError("invalid", f"The stored workflow {self.name} is not an array of chains")
        nodes: list[tuple[Node, list[Any] | None, int]] = []
        left: list[tuple[Any, list[Any] | None, int]] = [(chain, None, 0) for chain in reversed(self.value)]
        while left:
            node, siblings, index = left.pop()
            nodes.append((node, siblings, index))
            kind = _kind(node)
            if kind in ("chain", "group") and type(node.get("children")) is list:
                children = node["children"]
                chain = children if kind == "chain" else None
                left.extend((children[i], chain, i) for i in range(len(children) - 1, -1, -1))
            elif kind == "with_delay" and "task" in node:
                left.append((node["task"], None, 0))
            elif kind != "message":
                text = f"Node {len(nodes) - 1} of the stored workflow {self.name} is none: {shown(node)}"
                raise StoreError("invalid", text)
        return nodes

    @functools.cached_property
    def _by_first_message(self) -> dict[tuple[object, int], list[int]]:
        positions: dict[tuple[object, int], list[int]] = {}
        first: object = None
        for position in range(len(self._nodes) - 1, -1, -1):
            node, siblings, index = self._nodes[position]
            # A node's first child comes right after it, and begins with the same message.
            kind = _kind(node)
            if kind == "message":
                first = _hashable(node.get("message_id"))
            elif kind != "with_delay" and not node["children"]:
                first = None
            if siblings is not None:
                positions.setdefault((first, len(siblings) - index), []).append(position)
        return positions


def _kind(node: Any) -> object:
    return node.get("__type__") if type(node) is dict else None


def _hashable(value: Any) -> object:
    return value if isinstance(value, str) else None


def _first_message(node: Any) -> object:
    """The id of the first message in a node if it begins with one."""
    while (kind := _kind(node)) != "message":
        if kind == "with_delay":
            node = node.get("task")
        elif kind in ("chain", "group") and type(node.get("children")) is list and node["children"]:
            node = node["children"][0]
        else:
            return None
    return _hashable(node.get("message_id"))
