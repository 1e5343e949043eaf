#!/usr/bin/env python3
"""Fetches the small models of the corpus and checks the program on each of them.

Every file must pass every check of tools/real_models. Without a network the test is skipped, except
in continuous integration (CI is set), which has one. The checker itself must be able to fail: it is
run once more with a program that answers nothing.

Usage: real_models_test.py TOOLS/REAL_MODELS CLEAVE FOLDER
"""
import json
import os
import pathlib
import subprocess
import sys

UNAVAILABLE, SKIPPED = 3, 77
FEWEST_MODELS = 12


def run(tool, *arguments):
    command = [sys.executable, tool, *map(str, arguments)]
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, check=False).returncode


def stop_if_unavailable(code):
    if code == UNAVAILABLE and not os.environ.get("CI"):
        print("skipped: the packages are not to be had, so there is probably no network")
        sys.exit(SKIPPED)


def expect(condition, text):
    if not condition:
        sys.exit(f"real_models_test: {text}")


def main():
    tool, program, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    code = run(tool, "fetch", "--small", "--out", folder)
    stop_if_unavailable(code)
    expect(code == 0, f"fetch ended with {code}, expected 0")

    results = folder / "results.json"
    results.unlink(missing_ok=True)
    code = run(tool, "check", folder, "--cleave", program, "--out", results, "--require-pass")
    stop_if_unavailable(code)
    expect(code == 0, f"check ended with {code}, expected 0")
    models = json.loads(results.read_text(encoding="utf-8"))["models"]
    expect(len(models) >= FEWEST_MODELS,
           f"found {len(models)} models, expected {FEWEST_MODELS} at least")
    for model in models:
        expect("error" not in model["plain"], f"{model['file']}: ONNX Runtime does not run it")
        expect(len(model["checks"]) >= 6, f"{model['file']}: found {len(model['checks'])} checks")

    one = models[0]["file"]
    code = run(tool, "check", folder, "--cleave", "/bin/true", "--out", folder / "nothing.json",
               "--only", one, "--require-pass")
    expect(code == 1, f"check of a program that does nothing ended with {code}, expected 1")


if __name__ == "__main__":
    main()
