"""Definitions of workflows that are worth measuring: what `dramatiq-workflow measure` is given."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

from dramatiq_workflow import Chain, Group, WithDelay
from dramatiq_workflow._serialize import serialize_workflow

from .broker import RecordingBroker
from .pins import realistic
from .text import compact, document
from .workflows import Tasks

WORDS = (
    "time year people way day thing man world life hand part child eye woman place work week case point company "
    "number group problem fact find give tell ask seem feel try leave call good new first last long great little own "
    "other old right big high different small large next early young important few public bad same able"
).split()

SCRIPTS = {
    "latin": "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿœšž",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほ",
    "hangul": "가나다라마바사아자차카타파하거너더러머버서",
    "emoji": "😀😃😄😁🎉🚀🌍🍕🐍🦊📦",
}


def prose(draw: random.Random, words: int) -> str:
    """Text with the frequencies of a language: few words often, many rarely."""
    ranks = [1 / (rank + 1) for rank in range(len(WORDS))]
    return " ".join(draw.choices(WORDS, ranks, k=words)).capitalize() + "."


def foreign(draw: random.Random, script: str, words: int) -> str:
    letters = SCRIPTS[script]
    return " ".join("".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(words))


def noise(draw: random.Random, size: int) -> str:
    """Bytes of a picture or a key, as they stand in JSON."""
    return base64.b64encode(draw.randbytes(size)).decode("ascii")


def mixed(tasks: Tasks, draw: random.Random, depth: int):
    """Chains, groups and delays, nested by chance."""
    kind = draw.random()
    if depth == 0 or kind < 0.35:
        name = draw.choice(["fetch", "resize", "index", "notify", "archive"])
        return getattr(tasks, name)(f"albums/{draw.randint(1, 60)}", draw.randint(1, 5000), force=draw.random() < 0.3)
    children = [mixed(tasks, draw, depth - 1) for _ in range(draw.randint(2, 4))]
    if kind < 0.45:
        return WithDelay(children[0], draw.randint(1, 60) * 1000)
    return Chain(*children) if kind < 0.75 else Group(*children)


def album(tasks: Tasks, photos: int):
    return [tasks.on_queue("images", "resize", f"albums/2026/summer/photo-{1000 + n * 7}.jpeg", 200) for n in range(photos)]


WORKFLOWS: dict[str, Callable[[Tasks, random.Random], object]] = {
    "readme": lambda t, draw: Chain(
        t.task1("arguments", "go", "here"),
        Group(
            Chain(t.task2(), t.task5()),
            t.task3(),
            Chain(t.task4(), Group(t.task6(), t.task7())),
        ),
        t.task8(),
    ),
    "album": lambda t, draw: Chain(Group(*album(t, 200)), t.on_queue("images", "publish", "albums/2026/summer")),
    "chain-1000": lambda t, draw: Chain(*[t.step(number) for number in range(1000)]),
    "group-1000-then-1000": lambda t, draw: Chain(
        Group(*[t.part(number) for number in range(1000)]), Group(*[t.join(number) for number in range(1000)])
    ),
    "nested": lambda t, draw: Chain(*[mixed(t, draw, 5) for _ in range(3)]),
    "tiny": lambda t, draw: Group(*[getattr(t, name)() for name in ["ping", "poll", "tick"] for _ in range(40)]),
    "long-text": lambda t, draw: Chain(
        Group(*[t.translate(prose(draw, 300), to=language) for language in ["de", "fr", "ja", "sw"]]),
        t.summarize(prose(draw, 900)),
        t.publish(prose(draw, 20)),
    ),
    "non-ascii": lambda t, draw: Chain(
        Group(*[t.translate(foreign(draw, script, 40), to=script) for script in SCRIPTS]),
        t.publish(foreign(draw, "kana", 30)),
    ),
    "incompressible": lambda t, draw: Chain(
        Group(*[t.upload(noise(draw, 1500)) for _ in range(8)]), t.verify(noise(draw, 300))
    ),
}  # fmt: skip


def definition(name: str, make: Callable[[Tasks, random.Random], object]) -> bytes:
    with realistic(name) as draw:
        return document(compact(serialize_workflow(make(Tasks(RecordingBroker()), draw))))


def files() -> dict[str, bytes]:
    return {f"workflows/corpus/{name}.json": definition(name, make) for name, make in WORKFLOWS.items()}
