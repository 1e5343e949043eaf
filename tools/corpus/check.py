"""Checks cleave on every model of the corpus against plain ONNX Runtime.

Usage: python -m corpus.check MODELS --cleave PROGRAM --out RESULTS.json [--document FILE.md]
"""
import argparse
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from corpus import compare, document, oip
from corpus.export import EXPORTS, FOLDER
from corpus.fetch import sha256
from corpus.program import Failed, Program, Server

CALL_SECONDS = 120
VERIFY_SECONDS = 240
REFERENCE_SECONDS = 300
# Both sides choose among these candidates: first, last, and up to this many between them.
CUT_FLAGS = ["--cuts", "7"]
CHECKS = ("inspect", "verify", "edge", "device", "middle", "dynamic", "client")


def reference(path, file, folder):
    """Returns what corpus.reference prints of the model."""
    try:
        done = subprocess.run([sys.executable, "-m", "corpus.reference", str(path), file,
                               str(folder)], check=False, text=True, capture_output=True,
                              timeout=REFERENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"no end after {REFERENCE_SECONDS} s", "stage": "run"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"error": last, "stage": "run"}
    return json.loads(done.stdout.splitlines()[-1])


def arrays(listed):
    return {entry["name"]: np.load(entry["npy"]) for entry in listed if entry["npy"]}


class ModelCheck:
    """All checks of one model. Each check is {"pass", "difference", "error", "seconds"}."""

    def __init__(self, program, path, plain):
        self.program = program
        self.path = path
        self.plain = plain
        self.expected = arrays(plain["outputs"])
        self.feeds = arrays(plain["inputs"])
        self.shapes = self._shape_flags()
        self.inputs = [f"{entry['name']}={entry['npy']}" for entry in plain["inputs"]]
        self.cuts = []
        self.cut_count = None
        self.results = {}

    def _shape_flags(self):
        flags = []
        for entry in self.plain["inputs"] if self.program.has_shape else []:
            if entry["name"] in self.plain["free"]:
                shape = ",".join(map(str, entry["shape"]))
                flags += ["--shape", f"{entry['name']}={shape}"]
        return flags

    def _try(self, name, action):
        begin = time.monotonic()
        result = {"pass": True, "difference": None, "error": None}
        try:
            result["difference"] = action()
        except (Failed, compare.Different, oip.Refused) as error:
            result.update({"pass": False, "error": self._without_folder(error)})
        result["seconds"] = round(time.monotonic() - begin, 2)
        self.results[name] = result

    def inspect(self):
        found = self.program.call_json(["inspect", self.path, "--json", *CUT_FLAGS,
                                        *self.shapes], CALL_SECONDS)
        self.cuts = [cut["index"] for cut in found["cuts"]]
        self.cut_count = found["counts"]["cuts"]
        if not self.cuts:
            raise Failed("inspect lists no cut")

    def verify(self):
        found = self.program.call_json(
            ["verify", self.path, "--json", "--tolerance", compare.TOLERANCE, *CUT_FLAGS,
             *self.shapes], VERIFY_SECONDS)
        # `verify` takes random inputs of its own, and its JSON has no share of the largest output.
        return 0 if all(cut["bit_exact"] for cut in found["cuts"]) else None

    def run(self, address, policy, where):
        record = self.program.call_json(
            ["run", self.path, "--edge", address, "--policy", policy, "--json", "--full-outputs",
             "--timeout", "60s", *CUT_FLAGS, *self.shapes, "--input", *self.inputs],
            CALL_SECONDS)
        if "outputs" not in record:
            raise Failed("run printed no inference")
        if record["fallback"]:
            raise Failed(f"fell back: {record['fallback']}")
        if where and record["where"] != where:
            raise Failed(f"ran on: found {record['where']}, expected {where}")
        return compare.difference(compare.read_json_outputs(record), self.expected)

    def client(self, address):
        return compare.difference(oip.infer(address, self.path.stem, self.feeds), self.expected)

    def _with_server(self, server):
        first, last = self.cuts[0], self.cuts[-1]
        middle = self.cuts[len(self.cuts) // 2] if len(self.cuts) > 2 else None
        address = server.address
        self._try("edge", lambda: self.run(address, f"fixed:{first}", "edge"))
        self._try("device", lambda: self.run(address, f"fixed:{last}", "device"))
        if middle is not None:
            self._try("middle", lambda: self.run(address, f"fixed:{middle}", "split"))
        self._try("dynamic", lambda: self.run(address, "dynamic", None))
        self._try("client", lambda: self.client(address))

    def all(self):
        self._try("inspect", self.inspect)
        if not self.results["inspect"]["pass"]:
            return self.results
        self._try("verify", self.verify)
        try:
            with Server(self.program, self.path, CUT_FLAGS) as server:
                self._with_server(server)
        except Failed as error:
            for name in CHECKS:
                self.results.setdefault(name, {"pass": False, "difference": None,
                                               "error": self._without_folder(error),
                                               "seconds": 0})
        return self.results

    def _without_folder(self, error):
        """Returns the error's text without the folder in which the corpus lies on this machine."""
        return str(error).replace(f"{self.path.parent.parent}/", "")


def check_model(program, base, model, folder):
    path = base / model["file"]
    entry = {**model, "bytes": path.stat().st_size, "sha256": sha256(path), "checks": {},
             "cuts": None}
    plain = reference(path, model["file"], folder)
    entry["plain"] = {key: plain[key] for key in ("error", "stage", "repeatable",
                                                  "free_beyond_batch") if key in plain}
    if "error" not in plain:
        entry["inputs"] = [{"name": one["name"], "shape": one["shape"], "dtype": one["dtype"]}
                           for one in plain["inputs"]]
        checks = ModelCheck(program, path, plain)
        entry["checks"] = checks.all()
        entry["cuts"] = checks.cut_count
    else:
        # What cleave says of a file that ONNX Runtime refuses is worth knowing too.
        try:
            program.call(["inspect", path, "--json"], CALL_SECONDS)
        except Failed as error:
            entry["refusal"] = str(error)
    return entry


def listed_models(base):
    models = []
    for name in ("fetched.json", "exported.json"):
        if (base / name).is_file():
            models += json.loads((base / name).read_text(encoding="utf-8"))
    return [model for model in models if "file" in model]


def wanted(model, only):
    return not only or any(fnmatch.fnmatch(model["file"], one) for one in only.split(","))


def earlier_entries(path, program):
    """Returns {file: entry} of an earlier run of the same program."""
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if earlier["program_sha256"] != program.sha256:
        return {}
    return {entry["file"]: entry for entry in earlier["models"]}


def failed_exports(base):
    path = base / "exported.json"
    if not path.is_file():
        return []
    return [one for one in json.loads(path.read_text(encoding="utf-8")) if "file" not in one]


def missing_exports(base):
    """Returns the files of exports that nobody has tried to make, where there are exports at all."""
    path = base / "exported.json"
    if not path.is_file():
        return []
    tried = {one["name"] for one in json.loads(path.read_text(encoding="utf-8"))}
    return [f"{FOLDER}/{name}.onnx" for name in EXPORTS if name not in tried]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("--cleave", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only")
    parser.add_argument("--document", type=pathlib.Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--require-pass", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if not os.access(arguments.cleave, os.X_OK):
        print(f"real_models: {arguments.cleave}: no such program; build it or name it with "
              "--cleave", file=sys.stderr)
        return 1
    models = listed_models(arguments.models)
    if not any(wanted(model, arguments.only) for model in models):
        print(f"real_models: {arguments.models}: no such models; run tools/real_models fetch",
              file=sys.stderr)
        return 1
    entries = []
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="real-models-") as scratch:
        program = Program(arguments.cleave, pathlib.Path(scratch))
        known = earlier_entries(arguments.out, program) if arguments.resume else {}
        known = {file: entry for file, entry in known.items()
                 if entry["sha256"] == sha256(arguments.models / file)}
        for number, model in enumerate(models, 1):
            if model["file"] in known:
                entries.append(known.pop(model["file"]))
                continue
            if not wanted(model, arguments.only):
                continue
            begin = time.monotonic()
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                entry = check_model(program, arguments.models, model, pathlib.Path(folder))
            entries.append(entry)
            print(f"[{number}/{len(models)}] {model['file']}: {document.one_line(entry)} "
                  f"({time.monotonic() - begin:.1f} s)", flush=True)
            results = {"program": program.version, "program_sha256": program.sha256,
                       "models": entries + list(known.values()),
                       "unchecked": [], "failed_exports": failed_exports(arguments.models)}
            done = {entry["file"] for entry in results["models"]}
            known_files = [one["file"] for one in models] + missing_exports(arguments.models)
            results["unchecked"] = [file for file in known_files if file not in done]
            arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results = json.loads(arguments.out.read_text(encoding="utf-8"))
    print(document.summary_line(results))
    if arguments.document:
        arguments.document.write_text(document.render(results), encoding="utf-8")
    if arguments.require_pass and not all(document.passes(entry) for entry in entries
                                          if document.runs_plainly(entry)):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
