"""The server of an edge."""

from __future__ import annotations

import os
from typing import Any, List, Sequence, Union

from cleave import _cleave, _options
from cleave._records import EdgeEvent


class Edge:
    """Serves models to devices and to plain clients of the Open Inference Protocol, from threads of its
    own, as `cleave serve` does.

        with cleave.Edge("yolo.onnx", listen="127.0.0.1:0") as edge:
            session = cleave.InferenceSession("yolo.onnx", edge=edge.address)

    `models` are the paths of ONNX files, or of folders whose *.onnx files are all served. The other
    options are the attributes of `EdgeOptions`. With `allow_push`, models that strangers send run inside
    this process: `cleave serve` tries them in a process of its own first, this does not.

    Raises InvalidArgumentError or FailedPreconditionError for a model that cannot be served, and
    UnavailableError for an address that cannot be listened on.
    """

    def __init__(
        self,
        models: Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]],
        **options: Any,
    ) -> None:
        paths = [models] if isinstance(models, (str, os.PathLike)) else list(models)
        fields = {"models": [os.fspath(path) for path in paths], **options}
        filled = _options.fill(_cleave.EdgeOptions(), fields)
        self._host = filled.listen.rpartition(":")[0]
        self._edge = _cleave.Edge(filled)

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._edge.port

    @property
    def address(self) -> str:
        """HOST:PORT for a device on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(self._host, self._host)
        return f"{host}:{self._edge.port}"

    def events(self) -> List[EdgeEvent]:
        """Return what happened since the last call, the oldest first. At most 4096 are kept."""
        return [EdgeEvent(**fields) for fields in self._edge.events()]

    def close(self) -> None:
        """Take no more requests, let those under way end within `drain_us`, and cancel the rest."""
        self._edge.close()

    def __enter__(self) -> "Edge":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
