"""What comes back: plain dataclasses. `dataclasses.asdict` makes rows of them that pandas takes."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Union

# A dimension: its size, the name of a free one, or None for a free one without a name.
Dimension = Union[int, str, None]

# The names that ONNX Runtime gives to the Open Inference Protocol's types.
_ONNX_TYPES = {
    "FP32": "tensor(float)",
    "FP16": "tensor(float16)",
    "BF16": "tensor(bfloat16)",
    "FP64": "tensor(double)",
    "INT8": "tensor(int8)",
    "INT16": "tensor(int16)",
    "INT32": "tensor(int32)",
    "INT64": "tensor(int64)",
    "UINT8": "tensor(uint8)",
    "UINT16": "tensor(uint16)",
    "UINT32": "tensor(uint32)",
    "UINT64": "tensor(uint64)",
    "BOOL": "tensor(bool)",
    "BYTES": "tensor(string)",
}


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input, an output or another tensor of a model.

    `dtype` is the Open Inference Protocol's name of the type ("FP32"), `type` ONNX Runtime's
    ("tensor(float)"). A free dimension of `shape` is its name, or None.
    """

    name: str
    dtype: str
    shape: List[Dimension]

    @property
    def type(self) -> str:
        return _ONNX_TYPES[self.dtype]


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What an ONNX file says about itself, under ONNX Runtime's names."""

    producer_name: str
    domain: str
    description: str
    graph_name: str
    graph_description: str
    version: int
    custom_metadata_map: Dict[str, str]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What runs where: the exit that ends the network, the cut between head and tail, and how the
    tensors of the cut travel. Cut 0 is the input (all on the edge), the last one the output."""

    exit: int
    cut: int
    encoding: str


@dataclasses.dataclass(frozen=True)
class Timeline:
    """Where the time of one inference went, in microseconds; a phase that did not happen is 0."""

    decide_us: int = 0
    prepare_us: int = 0
    head_us: int = 0
    encode_us: int = 0
    uplink_us: int = 0
    queue_us: int = 0
    tail_us: int = 0
    downlink_us: int = 0
    wasted_us: int = 0


@dataclasses.dataclass(frozen=True)
class HedgeRecord:
    """What became of a hedge. `finished_us` is None where it was given up or failed."""

    plan: Plan
    finished_us: Optional[int]
    won: bool


@dataclasses.dataclass(frozen=True)
class FilterRecord:
    """What a filter said: "passed", "filtered" or "checked", and the logit of there being something."""

    outcome: str
    logit: float


@dataclasses.dataclass(frozen=True)
class VerificationRecord:
    """What came of an answer of the edge that the device made again."""

    agrees: bool
    difference: float


@dataclasses.dataclass(frozen=True)
class InferenceRecord:
    """What became of one inference.

    `where` is "device", "split" or "edge". `plan` and `decided` are None where the model ran whole,
    by a session without an edge. `fallback` says why the edge did not finish the inference, where it
    was to. `latency_us` is the time from the call to the answer, `predicted_us` what was predicted.
    `outputs` has the arrays by name, in the model's order.
    """

    id: int
    plan: Optional[Plan]
    decided: Optional[Plan]
    where: str
    fallback: Optional[str]
    reason: str
    latency_us: int
    predicted_us: float
    timeline: Timeline
    unfamiliar: bool = False
    bytes_up: int = 0
    bytes_down: int = 0
    form: str = "outputs"
    filter: Optional[FilterRecord] = None
    accuracy: Optional[float] = None
    confidence: Optional[float] = None
    deadline_us: Optional[int] = None
    deadline_missed: bool = False
    miss_chance: Optional[float] = None
    hedge: Optional[HedgeRecord] = None
    verification: Optional[VerificationRecord] = None
    link_up_bps: float = 0.0
    link_rtt_us: float = 0.0
    link_age_us: int = 0
    device_slowdown: float = 1.0
    edge_slowdown: float = 1.0
    outputs: Dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True)
class PlanForecast:
    """The predicted time of a candidate plan by phase, in microseconds. `bytes_up` is the request."""

    exit: int
    cut: int
    encoding: str
    accuracy: Optional[float]
    tensors: str
    bytes_up: int
    head_us: float
    encode_us: float
    uplink_us: float
    queue_us: float
    tail_us: float
    downlink_us: float
    total_us: float
    allowed: bool
    chosen: bool


@dataclasses.dataclass(frozen=True)
class EdgeEvent:
    """One thing that happened on an edge: "infer", "refused", "error", "profile", "push", "load",
    "codec" or "drain". What does not apply is 0, empty or None. Text is from outside."""

    kind: str
    model: str
    exit: Optional[int]
    cut: int
    batch: int
    queue_us: int
    compute_us: int
    error: str


@dataclasses.dataclass(frozen=True)
class CutInfo:
    """A place where a model can be cut. `compression_ratio` is its elements over the input's;
    `obstacle` says why nothing can be cut here, or is empty."""

    index: int
    tensors: List[NodeArg]
    elements: int
    bytes: int
    compression_ratio: float
    natural_bottleneck: bool
    frontier: bool
    macs_before: int
    obstacle: str


@dataclasses.dataclass(frozen=True)
class Inspection:
    """Where an exit of a model can be cut, at the shapes of `inputs`."""

    model: str
    digest: str
    exit: int
    exits: List[str]
    batch: int
    inputs: List[NodeArg]
    shape_guesses: List[str]
    total_macs: int
    candidates: List[int]
    cuts: List[CutInfo]


@dataclasses.dataclass(frozen=True)
class CutVerdict:
    """How far head and tail are from the whole model at one cut."""

    index: int
    max_abs_error: float
    relative_error: float
    bit_exact: bool
    time_ratio: float


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """How far head and tail are from the whole model. `random`: the model gives other outputs each
    time, so that only names, types and shapes are compared."""

    model: str
    inputs: List[NodeArg]
    cuts: List[CutVerdict]
    worst_abs_error: float
    worst_relative_error: float
    time_ratio_median: float
    tolerance: float
    random: bool
    within_tolerance: bool


@dataclasses.dataclass(frozen=True)
class CalibrationRow:
    """The accuracy of one plan, from 0 to 1, with its 95% confidence interval, and the mean bytes
    that travel. `right` counts samples and is None for a detector, `accuracy_at_50` for all others."""

    exit: int
    cut: int
    encoding: str
    accuracy: float
    low: float
    high: float
    right: Optional[int]
    accuracy_at_50: Optional[float]
    bytes: float
    entropy_bytes: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The accuracy of every plan. `metric` is "top1" or "mean_average_precision"; `labels` says
    whether it is against labels or against the last exit in full precision. `sidecar` is the file
    that it was stored in, or None."""

    model: str
    exits: List[str]
    digest: str
    data_digest: str
    samples: int
    seed: int
    labels: bool
    metric: str
    rows: List[CalibrationRow]
    sidecar: Optional[str]


@dataclasses.dataclass(frozen=True)
class FittedTensor:
    """A tensor of a cut, and the mean bytes of each element at the rates t1 to t6. Where there is no
    codec of it, `left_out` says why."""

    cut: int
    tensor: str
    left_out: str
    bytes_for_each_element: List[float]


@dataclasses.dataclass(frozen=True)
class CodecFit:
    """The codecs that were fitted, and the file that has them."""

    model: str
    codec: str
    digest: str
    model_digest: str
    data_digest: str
    samples: int
    tensors: List[FittedTensor]


def record_from(fields: Dict[str, Any], outputs: Dict[str, Any]) -> InferenceRecord:
    """Make the record of fields as the C++ side gives them."""
    for name in ("plan", "decided"):
        fields[name] = Plan(**fields[name])
    fields["timeline"] = Timeline(**fields["timeline"])
    if fields["hedge"] is not None:
        hedge = fields["hedge"]
        fields["hedge"] = HedgeRecord(Plan(**hedge["plan"]), hedge["finished_us"], hedge["won"])
    if fields["filter"] is not None:
        fields["filter"] = FilterRecord(**fields["filter"])
    if fields["verification"] is not None:
        fields["verification"] = VerificationRecord(**fields["verification"])
    return InferenceRecord(**fields, outputs=outputs)


def args_from(list_of_fields: List[Dict[str, Any]]) -> List[NodeArg]:
    """Make the descriptions of tensors."""
    return [NodeArg(**fields) for fields in list_of_fields]
