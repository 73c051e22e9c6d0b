#!/usr/bin/env python3
"""Captures the fixtures from the PyPI packages in requirements.txt.

python generate.py            write every file
python generate.py --check    compare with the files on disk; exit 1 if any differs
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib.metadata import version
from pathlib import Path

sys.dont_write_bytecode = True

import dramatiq  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402

# dramatiq-workflow declares an actor when it is imported, so a broker has to be there first.
dramatiq.set_broker(StubBroker(middleware=[]))

from capture import corpus, frames, hostile, messages, options, references, scalars, workflows  # noqa: E402

HERE = Path(__file__).resolve().parent
#: Folders that hold nothing but captured files.
CAPTURED = ["messages", "workflows", "hostile", "frames", "references"]


def require_pinned_versions() -> None:
    for line in (HERE / "requirements.txt").read_text().split():
        package, wanted = line.split("==")
        if version(package) != wanted:
            sys.exit(f"{package} {version(package)} is installed; these fixtures come from {wanted}")


def capture() -> dict[str, bytes]:
    """Every file's content by its path."""
    files: dict[str, bytes] = {}
    for part in [scalars, options, messages, workflows, corpus, hostile, frames, references]:
        files.update(part.files())
    return files


def on_disk(captured: dict[str, bytes]) -> dict[str, bytes]:
    """What is there now, including files in the captured folders that are no longer made."""
    paths = {HERE / name for name in captured if (HERE / name).exists()}
    for folder in CAPTURED:
        paths.update(path for path in (HERE / folder).rglob("*") if path.is_file())
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in paths}


def describe_difference(name: str, wanted: bytes | None, found: bytes | None) -> str:
    if found is None:
        return f"{name}: missing"
    if wanted is None:
        return f"{name}: not made by this script"
    offset = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), min(len(wanted), len(found)))
    near = slice(max(0, offset - 30), offset + 50)
    return f"{name}: differs at byte {offset}\n  captured {wanted[near]!r}\n  on disk  {found[near]!r}"


def check(captured: dict[str, bytes]) -> int:
    found = on_disk(captured)
    different = sorted(name for name in captured.keys() | found.keys() if captured.get(name) != found.get(name))
    for name in different:
        print(describe_difference(name, captured.get(name), found.get(name)))
    print(f"{len(captured)} files captured, {len(different)} differ")
    return 1 if different else 0


def write(captured: dict[str, bytes]) -> int:
    for name in on_disk(captured).keys() - captured.keys():
        (HERE / name).unlink()
    for name, content in captured.items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{len(captured)} files, {sum(map(len, captured.values()))} bytes")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    require_pinned_versions()
    logging.disable(logging.CRITICAL)  # dramatiq tells about every retry
    captured = capture()
    return check(captured) if arguments.check else write(captured)


if __name__ == "__main__":
    sys.exit(main())
