#!/usr/bin/python3
"""Compares the pixels that cleave makes of pictures with Pillow's, bit for bit: random sizes of JPEG (every sampling,
progressive, gray, CMYK), PNG and WebP files, stretched, letterboxed and cropped. Ends with 77 where there is no Pillow.

Usage: pillow_test.py COMMAND...

COMMAND JSON FILE PIXELS writes the pixels of FILE to PIXELS.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageOps
except ImportError:
    print("there is no Pillow (python3-pil) to compare with")
    sys.exit(77)

CASES = 60
KINDS = (
    ("RGB", "jpg", {"quality": 90, "subsampling": 0}),
    ("RGB", "jpg", {"quality": 75, "subsampling": 1}),
    ("RGB", "jpg", {"quality": 60, "subsampling": 2}),
    ("RGB", "jpg", {"quality": 80, "progressive": True}),
    ("L", "jpg", {"quality": 70}),
    ("CMYK", "jpg", {"quality": 85}),
    ("RGB", "png", {}),
    ("LA", "png", {}),
    ("P", "png", {}),
    ("1", "png", {}),
    ("RGB", "webp", {"quality": 60}),
    ("RGB", "webp", {"lossless": True}),
)


def picture(chance, width, height):
    """Blocks of random colours, enlarged smoothly, so that there are edges, ramps and flat parts."""
    small = Image.new("RGB", (max(1, width // 9), max(1, height // 7)))
    small.putdata([tuple(chance.randrange(256) for _ in range(3)) for _ in range(small.width * small.height)])
    return small.resize((width, height), chance.choice((Image.NEAREST, Image.BICUBIC)))


def expected(image, how):
    """What docs/wire.md says of `how`, by Pillow."""
    width, height = how["width"], how["height"]
    if how["fit"] == "stretch":
        return image.resize((width, height), Image.BILINEAR)
    if how["fit"] == "letterbox":
        wide = image.width * height > image.height * width
        size = ((width, max(1, (2 * image.height * width + image.width) // (2 * image.width))) if wide else
                (max(1, (2 * image.width * height + image.height) // (2 * image.height)), height))
        box = Image.new("RGB", (width, height), (how["pad"],) * 3)
        box.paste(image.resize(size, Image.BILINEAR), ((width - size[0]) // 2, (height - size[1]) // 2))
        return box
    shorter = min(image.size)
    size = tuple(how["resize"] * side // shorter for side in image.size)
    left, top = (size[0] - width + 1) // 2, (size[1] - height + 1) // 2
    return image.resize(size, Image.BILINEAR).crop((left, top, left + width, top + height))


def main():
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for case in range(CASES):
            mode, ending, options = KINDS[case % len(KINDS)]
            path, out = folder / f"{case}.{ending}", folder / "pixels"
            exif = Image.Exif()
            exif[0x0112] = chance.randrange(1, 9)
            size = chance.randrange(1, 200), chance.randrange(1, 200)
            picture(chance, *size).convert(mode).save(path, exif=exif, **options)
            side = chance.randrange(8, 150)
            how = {"fit": chance.choice(("crop", "stretch", "letterbox")), "width": side,
                   "height": chance.choice((side, chance.randrange(8, 150))), "pad": chance.randrange(256)}
            if how["fit"] == "crop":
                how["height"] = side
                how["resize"] = chance.randrange(side, 2 * side)
            subprocess.run(sys.argv[1:] + [json.dumps({"preprocessing": how}), path, out], check=True)
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
            if out.read_bytes() != expected(upright, how).tobytes():
                print(f"case {case}: {mode} {ending} {options} {size} {how}: other pixels than Pillow's")
                return 1
    print(f"{CASES} pictures have Pillow's pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
