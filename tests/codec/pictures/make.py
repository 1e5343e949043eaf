#!/usr/bin/python3
"""Writes the pictures of this folder, which tests/codec/*_test.cc read. Each is of a kind that the
tests' own writers do not make. Runs on Debian's own Python with python3-pil.

Usage: make.py [FOLDER]
"""
import pathlib
import random
import struct
import sys
import zlib

from PIL import Image

WIDTH, HEIGHT = 53, 37


def photo():
    """A smooth picture with edges and noise, the same on every machine."""
    noise = random.Random(1)
    pixels = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            edge = 60 if (x - 30) ** 2 + (y - 15) ** 2 < 80 else 0
            pixels.append(tuple(min(255, value + edge + noise.randrange(12))
                                for value in (x * 4, y * 5, (x * y) // 10)))
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    picture.putdata(pixels)
    return picture


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def interlaced_16_bit(picture):
    """An Adam7 PNG of 16 bits a channel: each value v of the picture is 257 v + 100, or 65535."""
    rows = b""
    for left, top, right, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                                   (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(top, HEIGHT, down):
            values = [value for x in range(left, WIDTH, right) for value in picture.getpixel((x, y))]
            if values:
                rows += b"\0" + b"".join(struct.pack(">H", min(65535, 257 * value + 100)) for value in values)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) +
            chunk(b"IEND", b""))


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    picture = photo()
    (folder / "interlaced16.png").write_bytes(interlaced_16_bit(picture))
    picture.quantize(16).save(folder / "palette.png", transparency=3, optimize=True)
    picture.convert("1").save(folder / "bilevel.png", optimize=True)
    picture.convert("LA").save(folder / "gray_alpha.png", optimize=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "turned.png", exif=exif, optimize=True)
    picture.save(folder / "turned.jpg", exif=exif, quality=80, optimize=True)
    picture.save(folder / "turned.webp", exif=exif, quality=70, method=6)
    picture.save(folder / "lossless.webp", lossless=True, method=6)
    picture.save(folder / "progressive.jpg", progressive=True, quality=85)
    picture.convert("CMYK").save(folder / "cmyk.jpg", quality=80)
    frames = [picture, picture.rotate(180)]
    frames[0].save(folder / "animated.webp", save_all=True, append_images=frames[1:], quality=20)


if __name__ == "__main__":
    main()
