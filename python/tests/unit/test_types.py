"""The type stubs are there, and the package agrees with them."""

import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import cleave


def test_the_package_fits_its_stubs(tmp_path):
    folder = pathlib.Path(cleave.__file__).parent
    assert (folder / "py.typed").is_file()
    # mypy reports nothing of what is installed.
    copy = shutil.copytree(folder, tmp_path / "cleave", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", copy],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_public_says_what_it_does():
    for name, value in vars(cleave).items():
        if name.startswith("_") or type(value) is type(os):
            continue
        assert value.__doc__, f"cleave.{name} has no docstring"
    for each in (cleave.DeviceOptions, cleave.EdgeOptions, cleave.Device, cleave.Edge, cleave.InferenceSession):
        for name, value in vars(each).items():
            if not name.startswith("_"):
                assert value.__doc__, f"{each.__name__}.{name} has no docstring"


def test_the_version_is_that_of_the_library():
    assert cleave.__version__.count(".") == 2
    try:
        installed = importlib.metadata.version("cleave")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed, but built")
    assert cleave.__version__ == installed
