"""How the collections are laid out on disk: JSON with a row per line, ASCII only."""

from __future__ import annotations

import json


def compact(value) -> str:
    return json.dumps(value, separators=(",", ":"))


def rows(values) -> str:
    """A JSON array with an element per line."""
    return "[\n" + ",\n".join(compact(value) for value in values) + "\n]"


def document(text: str) -> bytes:
    return (text + "\n").encode("ascii")
