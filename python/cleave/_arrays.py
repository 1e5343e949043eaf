"""numpy arrays on their way into the C++ side."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy

from cleave import _errors
from cleave._records import NodeArg

# By the Open Inference Protocol's name.
_TYPES = {
    "FP32": numpy.float32,
    "FP16": numpy.float16,
    "FP64": numpy.float64,
    "INT8": numpy.int8,
    "INT16": numpy.int16,
    "INT32": numpy.int32,
    "INT64": numpy.int64,
    "UINT8": numpy.uint8,
    "UINT16": numpy.uint16,
    "UINT32": numpy.uint32,
    "UINT64": numpy.uint64,
    "BOOL": numpy.bool_,
    "BYTES": numpy.object_,
}


def _strings(name: str, array: numpy.ndarray) -> Any:
    flat: List[bytes] = []
    for item in array.ravel().tolist():
        if isinstance(item, str):
            flat.append(item.encode("utf-8", "surrogateescape"))
        elif isinstance(item, bytes):
            flat.append(item)
        else:
            raise _errors.InvalidArgumentError(
                f"input '{name}': found an object of type {type(item).__name__}, expected str or bytes"
            )
    return list(array.shape), flat


def _array_of(name: str, value: Any, dtype: Optional[str]) -> numpy.ndarray:
    """Return what is no array as one, of the type that the model expects of it."""
    try:
        return numpy.asarray(value, _TYPES.get(dtype or ""))
    except (ValueError, TypeError, OverflowError) as error:
        raise _errors.InvalidArgumentError(
            f"input '{name}': found {type(value).__name__}, expected an array of {dtype}: {error}"
        ) from None


def prepare(name: str, value: Any, dtype: Optional[str] = None) -> Any:
    """Return the value as the C++ side takes it: the same array where it lies in row-major order and
    in the machine's byte order, else a copy that does; strings as a pair of shape and bytes. `dtype` is
    the Open Inference Protocol's name of the type that the model expects: lists and numbers of Python
    become that, arrays keep theirs."""
    array = value
    if type(value) is not numpy.ndarray:
        own = isinstance(value, (numpy.ndarray, numpy.generic))
        array = numpy.asarray(value) if own else _array_of(name, value, dtype)
    if array.dtype.kind in "OUS":
        return _strings(name, array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.flags.c_contiguous:
        return array
    return array.copy(order="C")


def prepare_all(inputs: Dict[str, Any], args: Dict[str, NodeArg]) -> Dict[str, Any]:
    """Return the inputs of an inference as the C++ side takes them; `args` are the model's, by name."""
    return {
        name: prepare(name, value, args[name].dtype if name in args else None)
        for name, value in inputs.items()
    }
