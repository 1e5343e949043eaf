"""Checks a wheel that is installed: python check.py WHEEL. Prints its size and glibc."""

import os
import pathlib
import re
import sys

import cleave

MOST_BYTES = 40_000_000


def main(wheel):
    folder = pathlib.Path(cleave.__file__).parent
    assert "site-packages" in folder.parts, f"found the package in {folder}, expected the installed one"
    for name in ("py.typed", "_cleave.pyi"):
        assert (folder / name).is_file(), f"{folder / name} is missing"
    size = os.path.getsize(wheel)
    assert size <= MOST_BYTES, f"{wheel}: found {size} bytes, expected at most {MOST_BYTES}"
    glibc = re.search(r"manylinux_(\d+)_(\d+)_", wheel)
    assert glibc, f"{wheel}: found no tag manylinux_X_Y, expected one"
    # What was loaded beside the interpreter's own is the wheel's, or belongs to glibc and the compiler.
    loaded = {
        line.split()[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if ".so" in line
    }
    outside = [path for path in loaded if re.search(r"grpc|absl|protobuf|onnx", path) and "cleave" not in path]
    assert not outside, f"loaded {outside}, expected the wheel's own libraries"
    print(f"{wheel}: {size / 1e6:.1f} MB, glibc {glibc[1]}.{glibc[2]}, ONNX Runtime {cleave.onnxruntime_version()}")


main(sys.argv[1])
