"""A device: one model, run with the help of an edge where that is faster."""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any, Dict, List, Optional, Sequence, Union

from cleave import _arrays, _cleave, _errors, _options, _threads
from cleave._records import InferenceRecord, NodeArg, PlanForecast, args_from, record_from

# A model: its file, or the file's content.
ModelSource = Union[str, bytes, "os.PathLike[str]"]
# The input of a model that has one, or all by name.
Inputs = Union[Any, Dict[str, Any]]


class ModelFile:
    """A model as a file, which a device needs. That of a model in memory is removed with this object."""

    def __init__(self, model: ModelSource) -> None:
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        if isinstance(model, (bytes, bytearray, memoryview)):
            self._folder = tempfile.TemporaryDirectory(prefix="cleave-")
            path = pathlib.Path(self._folder.name) / "model.onnx"
            path.write_bytes(model)
            self.path = str(path)
        else:
            self.path = os.fspath(model)


class Device:
    """Runs one model, with the help of an edge where that is faster (dynamic split computing, arXiv
    2205.11269). No inference is lost: whatever happens to edge and link, `infer` ends with the outputs.

    `model` is the path of an ONNX file or its content. `edge` is HOST:PORT; without it everything stays
    on this machine. The other options are the attributes of `DeviceOptions`, as in

        Device("yolo.onnx", edge="server:8001", policy="dynamic", deadline_us=50_000)

    Opening measures the model's profile, unless it is cached, and greets the edge; an edge that cannot
    be reached is no error. Thread-safe; inferences run one at a time. It cannot be used after a fork.

    Raises NotFoundError or InvalidArgumentError, which name the file or the option, what was found and
    what was expected.
    """

    def __init__(self, model: ModelSource, edge: Optional[str] = None, **options: Any) -> None:
        self._file = ModelFile(model)
        fields = dict(options)
        if edge is not None:
            fields["edge"] = edge
        self._device = _cleave.Device(
            self._file.path, _options.fill(_cleave.DeviceOptions(), fields)
        )
        self._args = {arg.name: arg for arg in args_from(self._device.inputs())}

    def infer(self, inputs: Inputs) -> InferenceRecord:
        """Run one inference and wait for its end.

        `inputs` is a dict from the name of each input to a numpy array, or the array of the only one, of
        any shape that the model takes; all of the same batch size. Arrays are not copied where they are
        C-contiguous, and must not be changed until the call returns. The arrays in `outputs` belong to
        the caller. Ctrl-C ends the wait for an edge at once.

        Raises InvalidArgumentError for arrays that do not fit the model.
        """
        arrays = _arrays.prepare_all(self._by_name(inputs), self._args)
        outputs, fields = self._device.infer(arrays)
        return record_from(fields, outputs)

    async def ainfer(self, inputs: Inputs) -> InferenceRecord:
        """The same for asyncio: other tasks run meanwhile. Cancelling the task drops the result."""
        return await _threads.call(self.infer, inputs)

    def infer_pictures(self, files: Sequence[Union[str, bytes, "os.PathLike[str]"]]) -> InferenceRecord:
        """Run one inference on a batch of pictures (JPEG, PNG or WebP), given as paths or as the contents
        of the files, for a model whose only input is a picture. The files themselves may travel.

        Raises InvalidArgumentError for a file that is no picture.
        """
        contents = [
            bytes(file)
            if isinstance(file, (bytes, bytearray, memoryview))
            else pathlib.Path(file).read_bytes()
            for file in files
        ]
        outputs, fields = self._device.infer_pictures(contents)
        return record_from(fields, outputs)

    async def ainfer_pictures(
        self, files: Sequence[Union[str, bytes, "os.PathLike[str]"]]
    ) -> InferenceRecord:
        """The same for asyncio."""
        return await _threads.call(self.infer_pictures, files)

    def set_policy(self, policy: str) -> None:
        """Change the policy from the next inference on: "dynamic", "device", "edge", "fixed:..." or the
        file of a learned one. Errors name file and field, and the policy is then unchanged."""
        self._device.set_policy(policy)

    def explain(self, batch: int = 1) -> List[PlanForecast]:
        """Return the forecast of every candidate plan under the present state, at this batch size."""
        return [PlanForecast(**fields) for fields in self._device.explain(batch)]

    def close(self) -> None:
        """Let go of the model and the edge. Inferences that are under way on other threads still end."""
        self._device.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def inputs(self) -> List[NodeArg]:
        """The model's inputs."""
        return args_from(self._device.inputs())

    @property
    def profiled_inputs(self) -> List[NodeArg]:
        """The inputs with the shapes that were profiled, every dimension known."""
        return args_from(self._device.profiled_inputs())

    @property
    def outputs(self) -> List[NodeArg]:
        """The outputs; of a model with exits, those of the exit that counts as the best."""
        return args_from(self._device.outputs())

    @property
    def shape_guesses(self) -> List[str]:
        """A sentence for each dimension of `profiled_inputs` that was guessed."""
        return self._device.shape_guesses()

    @property
    def warnings(self) -> List[str]:
        """A sentence for each file beside the model that cannot be used."""
        return self._device.warnings()

    @property
    def exits(self) -> List[str]:
        """The names of the exits; empty for a model without."""
        return self._device.exits()

    @property
    def candidate_cuts(self) -> List[int]:
        """The indices of the cuts that the policy chooses among."""
        return self._device.candidate_cuts()

    @property
    def last_cut(self) -> int:
        """The index of the model's output among its cuts."""
        return self._device.last_cut()

    @property
    def edge_usable(self) -> bool:
        """Whether a request could be sent to the edge now."""
        return self._device.edge_usable()

    @property
    def edge_problem(self) -> str:
        """Why no request could be sent to the edge now; empty where one could."""
        return self._device.edge_problem()

    def _by_name(self, inputs: Inputs) -> Dict[str, Any]:
        if isinstance(inputs, dict):
            return inputs
        names = list(self._args)
        if len(names) == 1:
            return {names[0]: inputs}
        raise _errors.InvalidArgumentError(
            f"inputs: found one array, expected a dict with {', '.join(names)}"
        )
