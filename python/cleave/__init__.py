"""cleave runs one neural network on a device and an edge server together (docs/python.md)."""

import atexit as _atexit

from cleave import _cleave
from cleave._cleave import DeviceOptions, EdgeOptions
from cleave._device import Device
from cleave._edge import Edge
from cleave._errors import (
    AbortedError,
    AlreadyExistsError,
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    Error,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from cleave._records import (
    Calibration,
    CalibrationRow,
    CodecFit,
    CutInfo,
    CutVerdict,
    EdgeEvent,
    FilterRecord,
    FittedTensor,
    HedgeRecord,
    InferenceRecord,
    Inspection,
    ModelMetadata,
    NodeArg,
    Plan,
    PlanForecast,
    Timeline,
    VerificationRecord,
    VerifyReport,
)
from cleave._session import (
    ExecutionMode,
    GraphOptimizationLevel,
    InferenceSession,
    SessionOptions,
    get_device,
)
from cleave._session import available_providers as get_available_providers
from cleave._tools import calibrate, fit_codec, inspect, verify

__version__ = _cleave.version()
onnxruntime_version = _cleave.onnxruntime_version

_atexit.register(_cleave.prepare_for_exit)
