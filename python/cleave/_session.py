"""A session with the signature of onnxruntime.InferenceSession."""

from __future__ import annotations

import enum
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from cleave import _arrays, _cleave, _errors, _threads
from cleave._device import Device, ModelSource
from cleave._records import InferenceRecord, ModelMetadata, NodeArg, Timeline, args_from

_PROVIDER_SUFFIX = "ExecutionProvider"


class GraphOptimizationLevel(enum.IntEnum):
    """As in ONNX Runtime. Models are always optimized as with ORT_ENABLE_ALL."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """As in ONNX Runtime. Operators always run one after the other, as with ORT_SEQUENTIAL."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class SessionOptions:
    """The options of ONNX Runtime's sessions, as far as they mean something here.

    `intra_op_num_threads` counts the threads of each run; 0 stands for as many as this process may use
    cores. These change nothing about the answer and have no effect: `inter_op_num_threads`,
    `graph_optimization_level`, `execution_mode`, `enable_cpu_mem_arena`, `enable_mem_pattern`,
    `enable_mem_reuse`, `use_deterministic_compute`, `log_severity_level`, `log_verbosity_level`,
    `logid`, `add_session_config_entry`. What would be missed raises UnimplementedError when a session
    is made: `enable_profiling`, `optimized_model_filepath`, `register_custom_ops_library`,
    `add_free_dimension_override_by_name`, `add_initializer`. A session takes onnxruntime's own
    SessionOptions as well.
    """

    def __init__(self) -> None:
        self.intra_op_num_threads = 0
        self.inter_op_num_threads = 0
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.enable_cpu_mem_arena = True
        self.enable_mem_pattern = True
        self.enable_mem_reuse = True
        self.use_deterministic_compute = False
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.enable_profiling = False
        self.optimized_model_filepath = ""
        self._entries: Dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Note an entry, which has no effect."""
        self._entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        """Return an entry that was noted."""
        return self._entries[key]

    def register_custom_ops_library(self, path: str) -> None:
        """Raise UnimplementedError: a model is cut by what its operators are known to do."""
        raise _errors.UnimplementedError(f"custom operators: found '{path}', expected none")

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """Raise UnimplementedError: every run may have its own shapes."""
        raise _errors.UnimplementedError(f"dimension '{name}': found an override, expected none")

    def add_initializer(self, name: str, value: Any) -> None:
        """Raise UnimplementedError."""
        raise _errors.UnimplementedError(f"initializer '{name}': found one from outside, expected none")


def available_providers() -> List[str]:
    """Return ONNX Runtime's names of the execution providers that are here, as
    "CPUExecutionProvider"."""
    return [name + _PROVIDER_SUFFIX for name in _cleave.available_providers()]


def get_device() -> str:
    """Return "GPU" where ONNX Runtime has CUDA here, else "CPU"."""
    return "GPU" if "CUDA" in _cleave.available_providers() else "CPU"


Provider = Union[str, Tuple[str, Dict[str, Any]]]


def _choose_provider(
    providers: Optional[Sequence[Provider]], options: Optional[Sequence[Dict[str, Any]]]
) -> Tuple[str, Dict[str, Any]]:
    """Return the short name and the options of the first provider that is here."""
    if not providers:
        return "CPU", {}
    given = list(options) if options else [{} for _ in providers]
    if len(given) != len(providers):
        raise _errors.InvalidArgumentError(
            f"provider_options: found {len(given)}, expected {len(providers)}, one for each provider"
        )
    here = _cleave.available_providers()
    for provider, own in zip(providers, given):
        name, more = provider if isinstance(provider, tuple) else (provider, {})
        short = name[: -len(_PROVIDER_SUFFIX)] if name.endswith(_PROVIDER_SUFFIX) else name
        if short in here:
            return short, {**own, **more}
    names = [provider[0] if isinstance(provider, tuple) else provider for provider in providers]
    raise _errors.NotFoundError(
        f"providers: found {', '.join(names)}, expected one of {', '.join(available_providers())}"
    )


def _provider_text(name: str, options: Dict[str, Any]) -> str:
    # Those of the CPU are about its memory, and ONNX Runtime here has one for all sessions.
    if name == "CPU" or not options:
        return name
    return name + ":" + ",".join(f"{key}={value}" for key, value in options.items())


def _check_options(options: Any) -> None:
    for field in ("enable_profiling", "optimized_model_filepath"):
        value = getattr(options, field, None)
        if value:
            raise _errors.UnimplementedError(
                f"sess_options.{field}: found {value!r}, expected none: this package writes no such file"
            )


def _threads_of(options: Any) -> int:
    asked = getattr(options, "intra_op_num_threads", 0) if options is not None else 0
    return asked if asked > 0 else len(os.sched_getaffinity(0))


class InferenceSession:
    """Runs a model as onnxruntime.InferenceSession does, and with `edge` on two machines.

        session = cleave.InferenceSession("yolo.onnx", edge="server:8001")
        boxes = session.run(None, {"images": frame})
        print(session.last_record)

    `path_or_bytes` is the path of an ONNX file or its content. `sess_options`, `providers` and
    `provider_options` are those of ONNX Runtime (see SessionOptions); of several providers, the first
    that is here is taken. Without `edge`, the model runs whole on this machine. With `edge`, HOST:PORT,
    a `Device` runs it, and `options` are more attributes of `DeviceOptions`; its default policy never
    changes the answer. Thread-safe. It cannot be used after a fork.

    Raises NotFoundError, InvalidArgumentError or UnimplementedError, which name the file or the option,
    what was found and what was expected.
    """

    def __init__(
        self,
        path_or_bytes: ModelSource,
        sess_options: Any = None,
        providers: Optional[Sequence[Provider]] = None,
        provider_options: Optional[Sequence[Dict[str, Any]]] = None,
        *,
        edge: Optional[str] = None,
        disabled_optimizers: Optional[Sequence[str]] = None,
        enable_fallback: int = 1,
        **options: Any,
    ) -> None:
        del enable_fallback  # There is none from a provider that does not load to another.
        if disabled_optimizers:
            raise _errors.UnimplementedError(
                f"disabled_optimizers: found {list(disabled_optimizers)}, expected none"
            )
        if sess_options is not None:
            _check_options(sess_options)
        self._sess_options = sess_options if sess_options is not None else SessionOptions()
        self._provider, self._provider_options = _choose_provider(providers, provider_options)
        provider = _provider_text(self._provider, self._provider_options)
        threads = _threads_of(sess_options)
        self._device: Optional[Device] = None
        self._record: Optional[InferenceRecord] = None
        self._runs = 0
        if edge is None and options:
            raise _errors.InvalidArgumentError(
                f"option '{next(iter(options))}': found one without an edge, expected edge=HOST:PORT as well"
            )
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            self._model = _cleave.Model.from_bytes(bytes(path_or_bytes), "model")
        else:
            self._model = _cleave.Model.load(os.fspath(path_or_bytes))
        if edge is None:
            self._whole = _cleave.WholeSession(self._model, threads, provider)
        else:
            fields = {"threads": threads, "provider": provider, **options}
            self._device = Device(path_or_bytes, edge, **fields)
        self._inputs = args_from(self._model.inputs())
        self._args = {arg.name: arg for arg in self._inputs}
        self._outputs = (
            args_from(self._model.outputs()) if self._device is None else self._device.outputs
        )

    def run(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Dict[str, Any],
        run_options: Any = None,
    ) -> List[Any]:
        """Run the model once and return the outputs of these names, or all, as numpy arrays.

        `input_feed` has a numpy array for each input, of any shape that the model takes; lists and numbers
        of Python become arrays of the type that the model expects. C-contiguous arrays are not copied and must not be changed until the call returns. The outputs belong to the
        caller. `run_options` have no effect. The GIL is released meanwhile; Ctrl-C ends the wait for an
        edge at once, and is heard after a run on this machine.

        Raises InvalidArgumentError for a name that the model does not have, and for an array that does
        not fit.
        """
        del run_options
        if self._device is None:
            outputs, took_us = self._whole.run(_arrays.prepare_all(input_feed, self._args))
            self._record = self._whole_record(took_us, outputs)
        else:
            record = self._device.infer(input_feed)
            outputs = record.outputs
            self._record = record
        if not output_names:
            return list(outputs.values())
        return [self._named(outputs, name) for name in output_names]

    def run_async(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Dict[str, Any],
        callback: Callable[[List[Any], Any, str], None],
        user_data: Any = None,
        run_options: Any = None,
    ) -> None:
        """Run the model on another thread, which calls `callback(outputs, user_data, error)` at the end:
        `error` is empty, or says why there are no outputs. The arrays must not be changed until then."""

        def work() -> None:
            try:
                outputs = self.run(output_names, input_feed, run_options)
            except _errors.Error as error:
                callback([], user_data, str(error))
            else:
                callback(outputs, user_data, "")

        _threads.submit(work)

    @property
    def last_record(self) -> Optional[InferenceRecord]:
        """What became of the last run to end: where, by which plan, why, how long each phase took and
        how many bytes travelled. None before the first."""
        return self._record

    @property
    def device(self) -> Optional[Device]:
        """The device that runs the model; None without an edge."""
        return self._device

    def get_inputs(self) -> List[NodeArg]:
        """Return the inputs with `name`, `type` as "tensor(float)", and `shape`."""
        return list(self._inputs)

    def get_outputs(self) -> List[NodeArg]:
        """Return the outputs, in the order of `run`."""
        return list(self._outputs)

    def get_overridable_initializers(self) -> List[NodeArg]:
        """Return an empty list: weights are never taken from outside."""
        return []

    def get_modelmeta(self) -> ModelMetadata:
        """Return what the file says about itself."""
        return ModelMetadata(**self._model.metadata())

    def get_providers(self) -> List[str]:
        """Return the execution provider that runs the model, as "CPUExecutionProvider"."""
        return [self._provider + _PROVIDER_SUFFIX]

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        """Return the options of the provider that runs the model."""
        return {self.get_providers()[0]: {k: str(v) for k, v in self._provider_options.items()}}

    def get_session_options(self) -> Any:
        """Return the options that the session was made with."""
        return self._sess_options

    def enable_fallback(self) -> None:
        """Do nothing: a session has one provider."""

    def disable_fallback(self) -> None:
        """Do nothing: a session has one provider."""

    def io_binding(self) -> Any:
        """Raise UnimplementedError: arrays are not copied by `run` either."""
        raise _errors.UnimplementedError("io_binding: found a call, expected run() in its place")

    def _whole_record(self, took_us: int, outputs: Dict[str, Any]) -> InferenceRecord:
        self._runs += 1
        return InferenceRecord(
            id=self._runs - 1,
            plan=None,
            decided=None,
            where="device",
            fallback=None,
            reason="no edge was given",
            latency_us=took_us,
            predicted_us=0.0,
            timeline=Timeline(head_us=took_us),
            outputs=outputs,
        )

    def _named(self, outputs: Dict[str, Any], name: str) -> Any:
        if name in outputs:
            return outputs[name]
        raise _errors.InvalidArgumentError(
            f"output '{name}': the model has none of this name, expected {', '.join(outputs)}"
        )
