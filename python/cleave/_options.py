"""Keyword arguments that become options of the C++ side."""

from __future__ import annotations

import os
from typing import Any, Dict, TypeVar

from cleave import _errors

Options = TypeVar("Options")


def fill(options: Options, fields: Dict[str, Any]) -> Options:
    """Set the fields of the options. InvalidArgumentError names a field that there is not, or a value
    of a wrong type."""
    known = [name for name in dir(options) if not name.startswith("_")]
    for name, value in fields.items():
        if name not in known:
            raise _errors.InvalidArgumentError(
                f"option '{name}': there is none of this name, expected one of {', '.join(known)}"
            )
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        try:
            setattr(options, name, value)
        except TypeError:
            expected = type(getattr(options, name)).__name__
            raise _errors.InvalidArgumentError(
                f"option '{name}': found {value!r}, expected a value of type {expected}"
            ) from None
    return options
