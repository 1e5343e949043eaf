"""Makes fresh exports and lists them in OUT/exported.json.

Each export runs in a process of its own, which is forked off after the packages were imported,
since that takes longer than most exports.

Usage: python -m corpus.export OUT [--only NAME,...]
"""
import argparse
import importlib
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import sys
import tempfile
import warnings

from corpus import exports_text, exports_trees, exports_vision

EXPORTS = {**exports_vision.EXPORTS, **exports_text.EXPORTS, **exports_trees.EXPORTS}
FOLDER = "exports"
SECONDS = 900
LICENCES = {"ultralytics": "AGPL-3.0", "torchvision": "BSD-3-Clause", "torch": "BSD-3-Clause",
            "transformers": "Apache-2.0", "skl2onnx": "Apache-2.0", "lightgbm": "MIT"}


def made_by(packages):
    return ", ".join(f"{name} {importlib.metadata.version(name.split('.')[0])}"
                     for name in packages.split(", "))


def _export_logged(name, made, log):
    with open(log, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        warnings.simplefilter("ignore")
        EXPORTS[name][1](made)


def run_one(name, path):
    """Returns None, or the error."""
    log = path.with_suffix(".log").resolve()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = pathlib.Path(folder).resolve() / path.name
        process = multiprocessing.get_context("fork").Process(target=_export_logged,
                                                              args=(name, made, log))
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
            return f"no end after {SECONDS} s"
        if process.exitcode != 0 or not made.is_file():
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            lines = [line.strip() for line in lines if line.strip()]
            return lines[-1][:400] if lines else f"exit code {process.exitcode}, no file"
        made.rename(path)
    return None


def preload(names, folder):
    """Imports what the exports will import, so that every process has it already."""
    # ultralytics installs what it misses by itself and reports usage unless it is told not to, and
    # keeps settings in a folder of its own.
    os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", YOLO_VERBOSE="false",
                      YOLO_CONFIG_DIR=str(folder.resolve()))
    for package in {package.split(".")[0] for name in names
                    for package in EXPORTS[name][0].split(", ")}:
        importlib.import_module(package)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
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
    preload(names, folder)
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
