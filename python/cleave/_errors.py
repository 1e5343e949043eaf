"""The exceptions: one for each code of a status, with the words of the C++ library."""


class Error(Exception):
    """Base of all errors of this package. `code` is the name of the status, as "INVALID_ARGUMENT"."""

    code = "UNKNOWN"


class CancelledError(Error):
    """The work was given up."""

    code = "CANCELLED"


class InvalidArgumentError(Error, ValueError):
    """A value that does not fit: the message names the field, what was found and what was expected."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(Error, TimeoutError):
    """Something took too long."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(Error, LookupError):
    """A file, or another thing that was named, is not there."""

    code = "NOT_FOUND"


class AlreadyExistsError(Error):
    """What was to be made is there already."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(Error, PermissionError):
    """The other side does not allow it."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(Error):
    """Memory, a queue or another limit is used up."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(Error, RuntimeError):
    """The state of a thing does not allow it: it was closed, the process forked, a file has changed."""

    code = "FAILED_PRECONDITION"


class AbortedError(Error):
    """Something else got in the way."""

    code = "ABORTED"


class OutOfRangeError(Error, ValueError):
    """A value beyond the end."""

    code = "OUT_OF_RANGE"


class UnimplementedError(Error, NotImplementedError):
    """What this package, or the other side, cannot do."""

    code = "UNIMPLEMENTED"


class InternalError(Error):
    """A fault inside the library or ONNX Runtime."""

    code = "INTERNAL"


class UnavailableError(Error, ConnectionError):
    """An address cannot be reached or listened on."""

    code = "UNAVAILABLE"


class DataLossError(Error):
    """Data is damaged."""

    code = "DATA_LOSS"


class UnauthenticatedError(Error, PermissionError):
    """The other side does not know who asks."""

    code = "UNAUTHENTICATED"


# By absl::StatusCode, which are the codes of gRPC.
_CLASSES = {
    1: CancelledError,
    3: InvalidArgumentError,
    4: DeadlineExceededError,
    5: NotFoundError,
    6: AlreadyExistsError,
    7: PermissionDeniedError,
    8: ResourceExhaustedError,
    9: FailedPreconditionError,
    10: AbortedError,
    11: OutOfRangeError,
    12: UnimplementedError,
    13: InternalError,
    14: UnavailableError,
    15: DataLossError,
    16: UnauthenticatedError,
}


def error_class(code):
    """Return the exception of a status code; the C++ side calls it."""
    return _CLASSES.get(code, Error)
