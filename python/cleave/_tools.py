"""What the subcommands of `cleave` do, as functions."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Sequence, Union

from cleave import _cleave
from cleave._records import (
    Calibration,
    CalibrationRow,
    CodecFit,
    CutInfo,
    CutVerdict,
    FittedTensor,
    Inspection,
    VerifyReport,
    args_from,
)

Path = Union[str, "os.PathLike[str]"]
# By input: a shape, with -1 for a dimension that is guessed.
Shapes = Dict[str, List[int]]


def inspect(
    model: Path,
    *,
    batch: Optional[int] = None,
    shapes: Optional[Shapes] = None,
    cuts: str = "frontier",
    exit: Optional[int] = None,
) -> Inspection:
    """Return the places where a model can be cut, as `cleave inspect` shows them.

    `cuts` says which are `candidates`: "frontier", "all" or a number. `exit` is the early exit, by default
    the last one. Raises NotFoundError or InvalidArgumentError, which name the file.
    """
    fields = _cleave.inspect(os.fspath(model), batch, shapes or {}, cuts, exit)
    fields["inputs"] = args_from(fields["inputs"])
    for cut in fields["cuts"]:
        cut["tensors"] = args_from(cut["tensors"])
    fields["cuts"] = [CutInfo(**cut) for cut in fields["cuts"]]
    return Inspection(**fields)


def verify(
    model: Path,
    *,
    batch: Optional[int] = None,
    shapes: Optional[Shapes] = None,
    cuts: str = "frontier",
    exit: Optional[int] = None,
    threads: int = 1,
    tolerance: float = 1e-4,
) -> VerifyReport:
    """Run head and tail at every candidate cut and compare with the whole model on the same made-up
    input, as `cleave verify` does. An error above `tolerance`, a share of the largest absolute output, is
    no exception: `within_tolerance` says it. Ctrl-C gives the work up.
    """
    fields = _cleave.verify(os.fspath(model), batch, shapes or {}, cuts, exit, threads, tolerance)
    fields["inputs"] = args_from(fields["inputs"])
    fields["cuts"] = [CutVerdict(**cut) for cut in fields["cuts"]]
    return VerifyReport(**fields)


def calibrate(
    model: Path,
    data: Path,
    *,
    labels: str = "",
    samples: int = 1000,
    seed: int = 1,
    encodings: Optional[Sequence[str]] = None,
    cuts: str = "frontier",
    batch: int = 100,
    shapes: Optional[Shapes] = None,
    threads: int = 1,
    save: bool = True,
) -> Calibration:
    """Measure the accuracy of every exit, candidate cut and encoding on pictures, as `cleave calibrate`
    does, and with `save` store it in the model's sidecar.

    `data` is a folder of pictures, with or without classes; `labels` is "folders" or a file. `samples`
    counts pictures, `batch` those that run at once. Raises InvalidArgumentError, which names what does not
    fit. Ctrl-C gives the work up.
    """
    fields = _cleave.calibrate(
        os.fspath(model),
        os.fspath(data),
        labels,
        samples,
        seed,
        None if encodings is None else list(encodings),
        cuts,
        batch,
        shapes or {},
        threads,
        save,
    )
    fields["rows"] = [CalibrationRow(**row) for row in fields["rows"]]
    return Calibration(**fields)


def fit_codec(
    model: Path,
    data: Path,
    *,
    samples: int = 100,
    seed: int = 1,
    cuts: str = "frontier",
    tensors: Sequence[str] = (),
    shapes: Optional[Shapes] = None,
    probes: int = 4,
    threads: int = 1,
    out: Optional[Path] = None,
) -> CodecFit:
    """Fit a codec to the tensors of each candidate cut, the encodings t1 to t6, as `cleave codec fit
    --no-calibration` does, and write it to `out` or beside the model, where devices and edges look.

    `data` is a folder of pictures, of which a quarter is left out to measure on, or one of .npy files. `samples`
    counts those that are fitted to. `tensors` are fitted to in place of those of the cuts. `probes` counts the
    samples whose outputs' response is probed for each band. Raises InvalidArgumentError, which names what does
    not fit. Ctrl-C gives the work up.
    """
    fields = _cleave.fit_codec(
        os.fspath(model),
        os.fspath(data),
        samples,
        seed,
        cuts,
        list(tensors),
        shapes or {},
        probes,
        threads,
        None if out is None else os.fspath(out),
    )
    fields["tensors"] = [FittedTensor(**tensor) for tensor in fields["tensors"]]
    return CodecFit(**fields)
