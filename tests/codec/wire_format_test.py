#!/usr/bin/env python3
"""Decodes frames by docs/wire-format.md (and the specification of rANS that it names) alone and
compares the result with the library's.

Usage: wire_format_test.py DOCUMENT COMMAND...

COMMAND DIRECTORY writes N.frame and N.values there, and prints their number.
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


class Stream:
    """Reads what the CRAM codecs specification calls bytes and uint7."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        expect(self.at < len(self.data), "end of a stream")
        self.at += 1
        return self.data[self.at - 1]

    def uint7(self):
        number, byte = 0, 0x80
        while byte & 0x80:
            byte = self.byte()
            expect(number or byte != 0x80, "leading zero")
            number = number << 7 | byte & 0x7F
        return number

    def states(self):
        return [int.from_bytes(bytes(self.byte() for _ in range(4)), "little") for _ in range(4)]

    def alphabet(self):
        found, symbol, run = set(), self.byte(), 0
        while True:
            found.add(symbol)
            if run:
                run, symbol = run - 1, symbol + 1
            else:
                last, symbol = symbol, self.byte()
                if symbol == last + 1:
                    run = self.byte()
            if symbol == 0:
                return sorted(found)


class Row:
    """Returns the frequencies of symbols, scaled to add up to 2^shift."""

    def __init__(self, frequencies, shift):
        total = sum(frequencies.values())
        expect(total > 0, "frequencies")
        while total < 1 << shift:
            total *= 2
            frequencies = {symbol: 2 * count for symbol, count in frequencies.items()}
        expect(total == 1 << shift, "sum of frequencies")
        self.shift, self.slots = shift, []
        for symbol, count in frequencies.items():
            self.slots += [(symbol, count, i) for i in range(count)]

    def step(self, states, which, stream):
        state = states[which]
        symbol, count, offset = self.slots[state & (1 << self.shift) - 1]
        state = count * (state >> self.shift) + offset
        if state < 1 << 15:
            state = state << 16 | stream.byte() | stream.byte() << 8
        states[which] = state
        return symbol


def rans_order_0(stream, count):
    alphabet = stream.alphabet()
    row = Row({symbol: stream.uint7() for symbol in alphabet}, 12)
    states = stream.states()
    return bytes(row.step(states, i % 4, stream) for i in range(count))


def rans_rows(stream, shift):
    alphabet, rows = stream.alphabet(), {}
    for context in alphabet:
        frequencies, zeros = {}, 0
        for symbol in alphabet:
            if zeros:
                zeros -= 1
                continue
            count = stream.uint7()
            if count:
                frequencies[symbol] = count
            else:
                zeros = stream.byte()
        if frequencies:
            rows[context] = Row(frequencies, shift)
    return rows


def rans_order_1(stream, count, bits):
    kind = stream.byte()
    shift = kind >> 4
    expect(shift in (10, 12) and kind & 0xE == 0, "table")
    if kind & 1:
        whole, packed = stream.uint7(), stream.uint7()
        expect(1 <= whole <= 2 * 4**bits + 2 * 2**bits + 2, "table length")
        table = Stream(stream.data[stream.at:stream.at + packed])
        stream.at += packed
        rows = rans_rows(Stream(rans_order_0(table, whole)), shift)
    else:
        rows = rans_rows(stream, shift)
    states, contexts, quarter = stream.states(), [0] * 4, count // 4
    out = bytearray(count)
    for i in range(quarter):
        for j in range(4):
            out[i + j * quarter] = contexts[j] = rows[contexts[j]].step(states, j, stream)
    for i in range(4 * quarter, count):
        out[i] = contexts[3] = rows[contexts[3]].step(states, 3, stream)
    return bytes(out)


def read_rans(payload, bits, count):
    stream = Stream(payload)
    order = stream.byte()
    expect(order in (0, 1) and stream.uint7() == count, "head of rANS")
    levels = rans_order_1(stream, count, bits) if order else rans_order_0(stream, count)
    expect(max(levels) < 1 << bits, "level")
    return levels


def decode(frame):
    """Returns (shape, values) of a frame of FP32 that Zstandard did not compress."""
    expect(len(frame) >= 24 and frame[:4] == b"CLVT", "magic")
    version, compression, encoding, dtype, kind, axis, rank, reserved = frame[4:12]
    expect(version == 1 and compression in (0, 2) and reserved == 0 and dtype == 0 and rank <= 32, "fixed part")
    expect(encoding in (0, 1) and kind == 0 or encoding in BITS and kind in (1, 2), "encoding and range kind")
    expect(compression == 0 or encoding in BITS and BITS[encoding] < 8, "compression")
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
    whole = (bits * count + 7) // 8
    expect(0 < length < whole if compression else length == whole, "payload length")
    expect(len(frame) == start + length + 4, "length")
    expect(struct.unpack_from("<I", frame, start + length)[0] == zlib.crc32(frame[:-4]), "checksum")
    payload = frame[start:start + length]
    if encoding in (0, 1):
        return shape, list(struct.unpack(f"<{count}{'fe'[encoding]}", payload))
    values = []
    for i, level in enumerate((read_rans if compression else read_levels)(payload, bits, count)):
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
        None,  # Zstandard, which Python's standard library cannot read.
        ([100], 70 * [0] + 10 * [0.25, 0, 0.5]),
    ]
    blocks = list(hex_blocks(path.read_text(encoding="utf-8")))
    assert len(blocks) == len(expected), f"found {len(blocks)} examples, expected {len(expected)}"
    for block, wanted in zip(blocks, expected):
        if wanted is None:
            continue
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
    except Refused:
        return
    raise AssertionError("the compression was ignored")


def check_library(command):
    with tempfile.TemporaryDirectory() as directory:
        count = int(subprocess.run([*command, directory], check=True, stdout=subprocess.PIPE).stdout)
        assert count > 100, f"only {count} frames"
        orders = set()
        for i in range(count):
            base = pathlib.Path(directory, str(i))
            frame = base.with_suffix(".frame").read_bytes()
            shape, values = decode(frame)
            if frame[5] == 2:
                orders.add(frame[20 + 8 * len(shape) + 8 * (shape[frame[9]] if frame[8] == 2 else 1)])
            wanted = base.with_suffix(".values").read_bytes()
            # Bytes are compared, since the sign of zero counts, too.
            assert struct.pack(f"<{len(values)}f", *values) == wanted, f"frame {i} of shape {shape}"
        assert orders == {0, 1}, f"rANS of the orders {orders} only"
    return count


def main():
    check_document(pathlib.Path(sys.argv[1]))
    print(f"{check_library(sys.argv[2:])} frames of the library and the document's examples decode alike")


if __name__ == "__main__":
    main()
