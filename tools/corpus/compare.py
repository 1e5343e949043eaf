"""Compares the outputs of two runs of one model."""
import math

import numpy as np

TOLERANCE = 1e-3


class Different(Exception):
    """The outputs are not the same; the text says how."""


def read_json_outputs(record):
    """Returns {output: array} of one inference that `cleave run --json --full-outputs` printed."""
    dtypes = {"FP16": "float16", "FP32": "float32", "FP64": "float64", "BOOL": "bool"}
    outputs = {}
    for output in record["outputs"]:
        data = output["data"]
        if output["dtype"] == "BYTES":
            outputs[output["name"]] = np.array(data, np.str_).reshape(output["shape"])
            continue
        dtype = np.dtype(dtypes.get(output["dtype"], output["dtype"].lower()))
        if output["dtype"] == "FP16":
            array = np.array(data, np.uint16).view(np.float16)
        else:
            # A value that is not finite comes as null.
            array = np.array([math.nan if value is None else value for value in data], dtype)
        outputs[output["name"]] = array.reshape(output["shape"])
    return outputs


def largest_value(array):
    """Returns the largest absolute finite value, 0 where there is none."""
    values = np.abs(array[np.isfinite(array)].astype(np.float64))
    return float(values.max(initial=0))


def _largest_error(name, found, expected):
    # Texts have the width of the longest as their type.
    texts = found.dtype.kind == "U" and expected.dtype.kind == "U"
    if (found.dtype != expected.dtype and not texts) or found.shape != expected.shape:
        raise Different(f"output '{name}': found {found.dtype} {list(found.shape)}, expected "
                        f"{expected.dtype} {list(expected.shape)}")
    if not np.issubdtype(expected.dtype, np.number) and expected.dtype != np.bool_:
        if not np.array_equal(found, expected):
            raise Different(f"output '{name}': other texts")
        return 0.0
    finite = np.isfinite(expected)
    if not np.array_equal(np.isfinite(found), finite):
        raise Different(f"output '{name}': other values are not finite")
    return largest_value(found[finite].astype(np.float64) - expected[finite].astype(np.float64))


def difference(found, expected):
    """Returns the largest difference as a share of each output's largest value, 0 if bit-exact.

    Raises Different where outputs are missing, have another type or shape, or differ by more than
    TOLERANCE.
    """
    worst = 0.0
    for name, array in expected.items():
        if name not in found:
            raise Different(f"output '{name}' is missing")
        error = _largest_error(name, found[name], array)
        share = error / (largest_value(array) or 1) if error > 0 else 0.0
        if share > TOLERANCE:
            raise Different(f"output '{name}': differs by {share:.2g} of its largest value")
        worst = max(worst, share)
    extra = sorted(set(found) - set(expected))
    if extra:
        raise Different(f"output '{extra[0]}' was not expected")
    return worst
