"""Extracts the symbol graphs of the libraries, which list their public symbols. Needs a debug build (`swift build`)."""

import functools
import json
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def modules():
    """The modules that are libraries, each with a product."""
    return sorted(path.name for path in (ROOT / "Sources").glob("Dramatiq*"))


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


@functools.cache
def compiler():
    """The arguments of the compiler that all modules have in common."""
    build = pathlib.Path(output("swift", "build", "--show-bin-path").strip())
    maps = [*ROOT.glob("Sources/*/module.modulemap"), *build.glob("*.build/module.modulemap")]
    maps += [m for m in ROOT.glob(".build/checkouts/*/Sources/**/module.modulemap") if "include" in m.parts]
    triple = json.loads(output("swift", "-print-target-info"))["target"]["triple"]
    arguments = ["-I", build / "Modules", "-target", triple]
    for map in maps:
        arguments += ["-Xcc", f"-fmodule-map-file={map}", "-Xcc", f"-I{map.parent}"]
    if platform.system() == "Darwin":
        arguments += ["-sdk", output("xcrun", "--show-sdk-path").strip()]
    return arguments


def extract(module, directory, *options):
    """Writes the symbol graphs of a module."""
    run = subprocess.run(
        ["swift-symbolgraph-extract", "-module-name", module, "-minimum-access-level", "public",
         "-skip-synthesized-members", *options, "-output-dir", directory, *compiler()],
        capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"The symbols of {module} can't be read:\n{run.stderr}")
