"""numpy arrays on their way into the C++ side."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy

from cleave import _errors


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


def prepare(name: str, value: Any) -> Any:
    """Return the value as the C++ side takes it: the same array where it lies in row-major order and
    in the machine's byte order, else a copy that does; strings as a pair of shape and bytes."""
    array = value if type(value) is numpy.ndarray else numpy.asarray(value)
    if array.dtype.kind in "OUS":
        return _strings(name, array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.flags.c_contiguous:
        return array
    return array.copy(order="C")


def prepare_all(inputs: Dict[str, Any]) -> Dict[str, Any]:
    """Return the inputs of an inference as the C++ side takes them."""
    return {name: prepare(name, value) for name, value in inputs.items()}
