"""Stored workflows and the references to them, written out from what Documentation/References.md says of the format."""

from __future__ import annotations

import base64
import hashlib
import json
import random

from dramatiq_workflow import Chain, Group, WithDelay
from dramatiq_workflow._serialize import serialize_workflow

from .broker import RecordingBroker
from .pins import realistic
from .text import compact, document, rows
from .workflows import Tasks

MISSING = "A" * 43


def name_of(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def hexadecimal(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def rests(chains: list[dict]) -> list[dict | None]:
    """What begins at each position: nothing unless the node is the child of a chain."""
    found: list[dict | None] = []

    def visit(node: dict, rest: dict | None) -> None:
        found.append(rest)
        kind = node["__type__"]
        for index, child in enumerate(node.get("children", []) if kind in ("chain", "group") else []):
            left = {"__type__": "chain", "children": node["children"][index:]}
            visit(child, left if kind == "chain" else None)
        if kind == "with_delay":
            visit(node["task"], None)

    for chain in chains:
        visit(chain, None)
    return found


def turned(node):
    """The same with all keys in the opposite order, so that children come before what they are children of."""
    if isinstance(node, dict):
        return {key: turned(node[key]) for key in reversed(node)}
    return [turned(child) for child in node] if isinstance(node, list) else node


def trees(tasks: Tasks, draw: random.Random) -> dict[str, list]:
    def step(number: int):
        return tasks.step(number, "x" * draw.randint(0, 20))

    return {
        "chain": [Chain(*[step(number) for number in range(5)])],
        "two chains": [Chain(step(0), step(1)), Chain(step(2))],
        "nested": [
            Chain(
                step(0),
                Group(Chain(step(1), step(2)), step(3), WithDelay(Chain(step(4), Group()), 500)),
                WithDelay(step(5), 1000),
                Chain(),
                Chain(Chain(step(6), step(7)), step(8)),
            )
        ],
        "numbers and text": [
            Chain(tasks.step(1e300, -0.0, 12345678901234567890123, 0.1), tasks.step("é😀\ud800", "__type__", {"children": [1]}))
        ],
    }


def contents() -> list[dict]:
    with realistic("references") as draw:
        made = {
            why: [serialize_workflow(chain) for chain in chains]
            for why, chains in trees(Tasks(RecordingBroker()), draw).items()
        }
    # As JSON has it: no tuples.
    made = {why: json.loads(json.dumps(chains)) for why, chains in made.items()}
    texts = {why: compact(chains) for why, chains in made.items()}
    texts["keys in another order"] = compact(turned(made["nested"]))
    texts["white space"] = json.dumps(made["two chains"], indent=1)
    texts["empty"] = "[]"
    return [
        {"why": why, "name": name_of(text), "text": text, "rests": rests(json.loads(text))}
        for why, text in texts.items()
    ]


def stored(by: str, version: object, at: object) -> dict:
    return {"__type__": "stored", "by": by, "version": version, "at": at}


def callbacks(chain: dict, two: dict) -> list[dict]:
    """Contents that are callbacks themselves."""
    entries = [["outer", 1, False], ["group", None]]
    version1 = [["outer", stored("file", 1, hexadecimal(compact(chain["rests"][1]))), False], ["small", two["rests"][1], False]]
    made = {
        "callbacks": [["inline", chain["rests"][2], False], ["group", None, True]],
        "a reference with entries": stored("file", 2, [chain["name"], entries]),
        "a reference with entries that end with true": stored(
            "file", 2, [chain["name"], [["outer", 1, False], ["group", None, True]]]
        ),
        "callbacks of version 1": version1,
        "a workflow of version 1": chain["rests"][1],
    }
    return [{"why": why, "name": name_of(compact(value)), "text": compact(value)} for why, value in made.items()]


def valid(by_why: dict[str, dict]) -> list[dict]:
    chain, two, nested = by_why["chain"], by_why["two chains"], by_why["nested"]
    at_chain, at_two = chain["name"], two["name"]
    node = chain["rests"][1]
    cases = {
        "inline": ([["a", node, False], ["b", None, True]], [["a", node, False], ["b", None, True]]),
        "nothing": ([], []),
        "no entries": (stored("dedup.redis", 2, [at_chain, []]), []),
        "a position": (stored("dedup.redis", 2, [at_chain, [["a", 3, False]]]), [["a", chain["rests"][3], False]]),
        "several positions": (
            stored("dedup.file", 2, [nested["name"], [["a", 4, False], ["b", None], ["c", 5]]]),
            [["a", nested["rests"][4], False], ["b", None, True], ["c", nested["rests"][5], True]],
        ),
        "entries that end with true": (
            stored("dedup.file", 2, [nested["name"], [["a", 4, False], ["b", None, True], ["c", 5, True]]]),
            [["a", nested["rests"][4], False], ["b", None, True], ["c", nested["rests"][5], True]],
        ),
        "a whole chain": (stored("dedup.s3", 2, [at_two, [["a", 4, False]]]), [["a", two["rests"][4], False]]),
        "a storage that nobody knows": (stored("x", 2, [at_chain, [["a", 1, False]]]), [["a", node, False]]),
        "inline beside a position": (
            stored("dedup.redis", 2, [at_chain, [["a", two["rests"][1], False], ["b", 2, False]]]),
            [["a", two["rests"][1], False], ["b", chain["rests"][2], False]],
        ),
        "another content beside a position": (
            stored("dedup.redis", 2, [at_chain, [["a", stored("file", 2, [at_two, 2]), False], ["b", 2, False]]]),
            [["a", two["rests"][2], False], ["b", chain["rests"][2], False]],
        ),
        "contents in an array": (
            [["a", stored("dedup.redis", 2, [at_two, 1]), False], ["b", stored("dedup.redis", 2, [at_chain, 5]), False]],
            [["a", two["rests"][1], False], ["b", chain["rests"][5], False]],
        ),
        "a place": (
            stored("dedup.mine", 2, [at_chain, [["a", 1, False], ["b", stored("dedup.mine", 2, [at_two, 1, {"row": 7}]), False]], 12]),
            [["a", node, False], ["b", two["rests"][1], False]],
        ),
        "stored callbacks": (
            stored("file", 2, by_why["callbacks"]["name"]),
            [["inline", chain["rests"][2], False], ["group", None, True]],
        ),
        "stored callbacks with a place": (
            stored("dedup.mine", 2, [by_why["callbacks"]["name"], None, "there"]),
            [["inline", chain["rests"][2], False], ["group", None, True]],
        ),
        "a stored reference with entries": (
            stored("file", 2, by_why["a reference with entries"]["name"]),
            [["outer", node, False], ["group", None, True]],
        ),
        "a stored reference with entries that end with true": (
            stored("file", 2, by_why["a reference with entries that end with true"]["name"]),
            [["outer", node, False], ["group", None, True]],
        ),
        "version 1 of files": (
            stored("file", 1, hexadecimal(by_why["callbacks of version 1"]["text"])),
            [["outer", node, False], ["small", two["rests"][1], False]],
        ),
        "version 1 of files in a store": (
            [["a", stored("dedup.file", 1, hexadecimal(by_why["a workflow of version 1"]["text"])), False]],
            [["a", node, False]],
        ),
        "version 1 beside a position": (
            stored(
                "dedup.file", 2,
                [at_two, [["a", stored("dedup.file", 1, hexadecimal(by_why["a workflow of version 1"]["text"])), False], ["b", 1, False]]],
            ),
            [["a", node, False], ["b", two["rests"][1], False]],
        ),
    }  # fmt: skip
    return [{"why": why, "reference": reference, "callbacks": found} for why, (reference, found) in cases.items()]


def hostile(by_why: dict[str, dict]) -> list[dict]:
    chain, nested = by_why["chain"], by_why["nested"]
    name, count = chain["name"], len(chain["rests"])

    def at(position: object, content: str = name) -> dict:
        return stored("dedup.redis", 2, [content, [["a", position, False]]])

    retrieve = {
        "no reference": "x",
        "a number": 7,
        "a node": nested["rests"][1],
        "no version": {"__type__": "stored", "by": "file", "at": name},
        "one member more": {**stored("file", 2, [name, []]), "more": 1},
        "a version that is true": stored("file", True, [name, []]),
        "a later version": stored("file", 3, [name, []]),
        "an unknown version 1": stored("x", 1, name),
        "a long storage": stored("x" * 65, 2, [name, []]),
        "a name that is too short": stored("file", 2, name[:-1]),
        "a name that is too long": stored("file", 2, name + "A"),
        "a name with padding": stored("file", 2, name + "="),
        "a name in another spelling": stored("file", 2, name[:-1] + chr(ord(name[-1]) + 1)),
        "a name of other letters": stored("file", 2, "../" + name[3:]),
        "a name with a line feed": stored("file", 2, name + "\n"),
        "a name in hexadecimal": stored("file", 2, hexadecimal(chain["text"])),
        "a name that is a number": stored("file", 2, 7),
        "nothing at all": stored("file", 2, []),
        "no entries": stored("file", 2, [name]),
        "too many parts": stored("file", 2, [name, [], 1, 2]),
        "entries that are a text": stored("file", 2, [name, "x"]),
        "entries that are an object": stored("file", 2, [name, {}]),
        "an entry that is none": stored("file", 2, [name, [7]]),
        "an entry of nothing": stored("file", 2, [name, [[]]]),
        "an entry of one": stored("file", 2, [name, [["a"]]]),
        "an entry of four": stored("file", 2, [name, [["a", 1, False, 1]]]),
        "an id that is a number": stored("file", 2, [name, [[1, 1, False]]]),
        "a long id": stored("file", 2, [name, [["x" * 1025, 1, False]]]),
        "an id that is a number without a boolean": stored("file", 2, [name, [[1, 1]]]),
        "a pair in an array": [["a", None]],
        "a pair with another content in an array": [["a", stored("file", 2, [name, 1])]],
        "nothing that propagates": stored("file", 2, [name, [["a", 1, None]]]),
        "a number that propagates": stored("file", 2, [name, [["a", 1, 1]]]),
        "a position that is true": at(True),
        "a position that is a fraction": at(1.5),
        "a position that is a text": at("1"),
        "a position that is an array": at([1]),
        "a position in nothing": [["a", 1, False]],
        "another content without a position": at(stored("file", 2, [name])),
        "another content at once": at(stored("file", 2, name)),
        "another content with entries": at(stored("file", 2, [name, []])),
        "another content at a fraction": at(stored("file", 2, [name, 1.0])),
        "a file that is none": [["a", stored("dedup.file", 1, "sha256:x"), False]],
        "a file in capitals": [["a", stored("dedup.file", 1, hexadecimal(chain["text"]).upper()), False]],
        "a barrier that is another": [["a", stored("dedup.redis", 1, "b"), False]],
        "stored callbacks that are missing": stored("file", 2, MISSING),
        "stored callbacks that are a workflow": stored("file", 2, name),
    }
    load = {
        "a negative position": at(-1),
        "a top-level chain": at(0),
        "the member of a group": at(next(n for n, rest in enumerate(nested["rests"]) if n > 2 and rest is None), nested["name"]),
        "the first position after the last": at(count),
        "a position far away": at(2**31),
        "a position beyond 64 bits": at(2**80),
        "a content that is missing": at(1, MISSING),
        "a position in callbacks": at(1, by_why["callbacks"]["name"]),
        "a position in an empty content": at(0, by_why["empty"]["name"]),
        "a position in another content that is out of range": [["a", stored("x", 2, [name, count]), False]],
    }  # fmt: skip
    return [
        {"why": why, "when": when, "reference": reference}
        for when, cases in {"retrieve": retrieve, "load": load}.items()
        for why, reference in cases.items()
    ]


def files() -> dict[str, bytes]:
    made = contents()
    by_why = {content["why"]: content for content in made}
    spilled = callbacks(by_why["chain"], by_why["two chains"])
    by_why.update({content["why"]: content for content in spilled})
    return {
        "references/contents.json": document(rows(made + spilled)),
        "references/valid.json": document(rows(valid(by_why))),
        "references/hostile.json": document(rows(hostile(by_why))),
    }
