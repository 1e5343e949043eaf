#!/usr/bin/env python3
"""Decodes frames by docs/wire-format.md alone and compares with the library.

Usage: wire_format_test.py DOCUMENT COMMAND...   (COMMAND DIRECTORY writes N.frame and N.values there, and prints their number)
"""
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

BITS = {2: 8, 3: 6, 4: 5, 5: 4, 6: 3, 7: 2}  # Encoding number -> bits of a level.


class Refused(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Refused(what)


def round_to_float(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def read_levels(payload, bits, count):
    number = int.from_bytes(payload, "little")  # Bit k of the payload is bit k of this number.
    levels = [number >> (bits * i) & ((1 << bits) - 1) for i in range(count)]
    expect(number >> (bits * count) == 0, "unused bits")
    return levels


def decode(frame):
    """(shape, values) of an uncompressed frame of FP32."""
    expect(len(frame) >= 24 and frame[:4] == b"CLVT", "magic")
    version, flags, encoding, dtype, kind, axis, rank, reserved = frame[4:12]
    expect(version == 1 and flags == 0 and reserved == 0 and dtype == 0 and rank <= 32, "fixed part")
    expect(encoding in (0, 1) and kind == 0 or encoding in BITS and kind in (1, 2), "encoding and range kind")
    expect(axis < rank if kind == 2 else axis == 0, "channel axis")
    shape = list(struct.unpack_from(f"<{rank}Q", frame, 12))
    count = 1
    for dimension in shape:
        count *= dimension
    channels, inner = 1, max(1, count)
    if kind == 2:
        channels, inner = shape[axis], 1
        for dimension in shape[axis + 1:]:
            inner *= dimension
    ranges_at = 12 + 8 * rank
    n = channels if kind and count else 0
    flat = struct.unpack_from(f"<{2 * n}f", frame, ranges_at)
    ranges = list(zip(flat[::2], flat[1::2]))
    (length,) = struct.unpack_from("<Q", frame, ranges_at + 8 * n)
    start = ranges_at + 8 * n + 8
    bits = {0: 32, 1: 16, **BITS}[encoding]
    expect(length == (bits * count + 7) // 8 and len(frame) == start + length + 4, "length")
    expect(struct.unpack_from("<I", frame, start + length)[0] == zlib.crc32(frame[:-4]), "checksum")
    payload = frame[start:start + length]
    if encoding in (0, 1):
        return shape, list(struct.unpack(f"<{count}{'fe'[encoding]}", payload))
    values = []
    for i, level in enumerate(read_levels(payload, bits, count)):
        low, high = ranges[i // inner % channels]
        values.append(round_to_float(low + level * ((high - low) / (2**bits - 1))))
    return shape, values


def hex_blocks(document):
    for block in re.findall(r"(?:^    [0-9a-f ]+$\n)+", document, re.MULTILINE):
        yield bytes.fromhex("".join(block.split()))


def check_document(path):
    expected = [
        ([], [1.5]),
        ([3], [1, -2, 65504]),
        ([1, 5], [0, 0.25, 1, 2, 3.75]),
        ([1, 2, 3], [-1, 0, 6, 0, 0.375, 0.875]),
    ]
    blocks = list(hex_blocks(path.read_text(encoding="utf-8")))
    assert len(blocks) == 5, f"found {len(blocks)} examples, expected 5"
    for block, wanted in zip(blocks, expected):
        found = decode(block)
        assert found == wanted, f"{path}: found {found}, expected {wanted}"
        for at in range(len(block)):
            try:
                decode(block[:at] + bytes([block[at] ^ 1]) + block[at + 1:])
            except (Refused, struct.error):
                continue
            raise AssertionError(f"a change of byte {at} went unnoticed")
    try:
        decode(blocks[4])
    except Refused:  # Compressed, which Python's standard library cannot read.
        return
    raise AssertionError("flags were ignored")


def check_library(command):
    with tempfile.TemporaryDirectory() as directory:
        count = int(subprocess.run([*command, directory], check=True, stdout=subprocess.PIPE).stdout)
        assert count > 100, f"only {count} frames"
        for i in range(count):
            base = pathlib.Path(directory, str(i))
            shape, values = decode(base.with_suffix(".frame").read_bytes())
            wanted = base.with_suffix(".values").read_bytes()
            # As bytes: the sign of zero counts, too.
            assert struct.pack(f"<{len(values)}f", *values) == wanted, f"frame {i} of shape {shape}"
    return count


def main():
    check_document(pathlib.Path(sys.argv[1]))
    print(f"{check_library(sys.argv[2:])} frames of the library and the document's examples decode alike")


if __name__ == "__main__":
    main()
