"""Makes fresh exports, each in a process of its own, and lists them in OUT/exported.json.

Usage: python -m corpus.export OUT [--only NAME,...]
"""
import argparse
import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

from corpus import exports_text, exports_trees, exports_vision

EXPORTS = {**exports_vision.EXPORTS, **exports_text.EXPORTS, **exports_trees.EXPORTS}
FOLDER = "exports"
SECONDS = 600
LICENCES = {"ultralytics": "AGPL-3.0", "torchvision": "BSD-3-Clause", "torch": "BSD-3-Clause",
            "transformers": "Apache-2.0", "skl2onnx": "Apache-2.0", "lightgbm": "MIT"}


def made_by(packages):
    return ", ".join(f"{name} {importlib.metadata.version(name.split('.')[0])}"
                     for name in packages.split(", "))


def export_one(name, path):
    warnings.simplefilter("ignore")
    EXPORTS[name][1](path)


def run_one(name, path):
    """Returns None, or the error."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = pathlib.Path(folder).resolve() / path.name
        try:
            done = subprocess.run([sys.executable, "-m", "corpus.export", "--one", name, str(made)],
                                  check=False, text=True, capture_output=True, timeout=SECONDS,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return f"no end after {SECONDS} s"
        (path.parent / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode != 0 or not made.is_file():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            return lines[-1][:400] if lines else f"exit code {done.returncode}, no file"
        made.rename(path)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--one", nargs=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        export_one(arguments.one[0], arguments.out)
        return 0
    names = arguments.only.split(",") if arguments.only else list(EXPORTS)
    unknown = [name for name in names if name not in EXPORTS]
    if unknown:
        parser.error(f"--only: unknown {', '.join(unknown)}; expected some of: "
                     f"{', '.join(EXPORTS)}")
    folder = arguments.out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    listing = arguments.out / "exported.json"
    known = {}
    if listing.is_file():
        known = {one["name"]: one for one in json.loads(listing.read_text(encoding="utf-8"))}
    for number, name in enumerate(names, 1):
        packages = EXPORTS[name][0]
        entry = {"name": name, "package": made_by(packages),
                 "licence": LICENCES[packages.split(",")[0]]}
        path = folder / f"{name}.onnx"
        path.unlink(missing_ok=True)
        error = run_one(name, path)
        entry.update({"error": error} if error else {"file": f"{FOLDER}/{name}.onnx"})
        known[name] = entry
        what = f"failed: {error}" if error else f"{path.stat().st_size / 1e6:.1f} MB"
        print(f"[{number}/{len(names)}] {name}: {what}", flush=True)
        ordered = [known[one] for one in EXPORTS if one in known]
        listing.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    failed = [one["name"] for one in known.values() if "error" in one]
    if failed:
        print(f"real_models: not exported: {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
