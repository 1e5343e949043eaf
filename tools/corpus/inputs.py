"""Guesses inputs for a model that says only what ONNX Runtime knows of it.

A free dimension gets a number by its place and name: the batch 1, the sides of a picture 320, a
length 16, audio 16000 samples. Integers are small enough for any vocabulary. hints.json overrides
the guess for files that need one particular size.
"""
import fnmatch
import json
import pathlib

import numpy as np

HINTS = pathlib.Path(__file__).with_name("hints.json")
SEED = 1
SIDE, LENGTH, SAMPLES, SAMPLE_RATE = 320, 16, 16000, 16000
MAX_INTEGER = 100
PAST_LENGTH = 4

DTYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int8)": np.int8, "tensor(int16)": np.int16, "tensor(int32)": np.int32,
    "tensor(int64)": np.int64, "tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}


def hints_for(file):
    """Returns the hints for a file PACKAGE/NAME.onnx, each by the input's name: its shape, one value
    for all its elements, or the range of its random values."""
    hints = {"shapes": {}, "values": {}, "ranges": {}}
    for pattern, hint in json.loads(HINTS.read_text(encoding="utf-8")).items():
        if fnmatch.fnmatch(file, pattern):
            for kind, entries in hint.items():
                hints[kind].update(entries)
    return hints


def free_dimensions(spec):
    """Returns the places of the dimensions that the model leaves open."""
    return [place for place, size in enumerate(spec.shape) if not isinstance(size, int)]


def _is_picture(spec):
    shape = spec.shape
    return len(shape) == 4 and (shape[1] in (1, 3, 4) or shape[3] in (1, 3, 4))


def _guess(spec, place):
    name = str(spec.shape[place] or "").lower()
    label = spec.name.lower()
    if "total" in name:
        return PAST_LENGTH + LENGTH
    if "past" in name:
        return PAST_LENGTH
    if "length" in name or "sequence" in name or name in ("time", "t", "seq", "seq_len"):
        return LENGTH
    if place == 0 or "batch" in name:
        return 1
    if len(spec.shape) == 4 and "past" not in label:
        return SIDE if _is_picture(spec) else LENGTH
    if len(spec.shape) == 3 and spec.shape[0] in (1, 3):
        return SIDE
    audio = any(word in label for word in ("audio", "wav", "speech", "samples"))
    if len(spec.shape) == 2 and spec.type == "tensor(float)" and (audio or label == "input"):
        return SAMPLES
    return LENGTH


def shape_of(spec, hints):
    if spec.name in hints["shapes"]:
        return list(hints["shapes"][spec.name])
    return [size if isinstance(size, int) else _guess(spec, place)
            for place, size in enumerate(spec.shape)]


def _integers(spec, shape, dtype, random):
    label = spec.name.lower()
    if label == "sr" or "sample_rate" in label:
        return np.full(shape, SAMPLE_RATE, dtype)
    if "mask" in label:
        return np.ones(shape, dtype)
    if "token_type" in label or "segment" in label:
        return np.zeros(shape, dtype)
    if "position" in label and shape:
        return np.broadcast_to(np.arange(shape[-1], dtype=dtype), shape).copy()
    return np.asarray(random.integers(1, MAX_INTEGER, shape), dtype)


def _values(spec, shape, random):
    dtype = DTYPES[spec.type]
    if dtype == np.str_:
        return np.full(shape, "Monday")
    if dtype == np.bool_:
        return np.ones(shape, dtype)
    if np.issubdtype(dtype, np.integer):
        return _integers(spec, shape, dtype, random)
    if _is_picture(spec):
        return np.asarray(random.random(shape), dtype)
    return np.asarray(0.5 * random.standard_normal(shape), dtype)


class NoInputs(Exception):
    """No inputs can be made, for the reason that is the text."""


def _shipped(specs, folder):
    import onnx
    from onnx import numpy_helper
    feeds = {}
    for place, spec in enumerate(specs):
        data = (folder / f"input_{place}.pb").read_bytes()
        if spec.type.startswith("seq("):
            sequence = onnx.SequenceProto.FromString(data)
            feeds[spec.name] = numpy_helper.to_list(sequence)
        else:
            array = numpy_helper.to_array(onnx.TensorProto.FromString(data))
            feeds[spec.name] = array.astype(np.str_) if array.dtype == object else array
    return feeds


def make_inputs(specs, path, file):
    """Returns {input: array} for a model's inputs as ONNX Runtime lists them.

    The inputs that the package ships beside the model are taken where there are any.
    """
    folder = pathlib.Path(path).with_suffix(".inputs")
    if folder.is_dir() and len(list(folder.glob("input_*.pb"))) == len(specs):
        return _shipped(specs, folder)
    hints = hints_for(file)
    random = np.random.default_rng(SEED)
    feeds = {}
    for spec in specs:
        if spec.type not in DTYPES:
            raise NoInputs(f"input '{spec.name}' is {spec.type}")
        shape = shape_of(spec, hints)
        if spec.name in hints["values"]:
            feeds[spec.name] = np.full(shape, hints["values"][spec.name], DTYPES[spec.type])
        elif spec.name in hints["ranges"]:
            low, high = hints["ranges"][spec.name]
            feeds[spec.name] = random.uniform(low, high, shape).astype(DTYPES[spec.type])
        else:
            feeds[spec.name] = _values(spec, shape, random)
    return feeds
