"""Reads a graph model of TensorFlow.js and runs it as a torch.nn.Module, which torch can export to ONNX.

It knows the operations of convolutional detectors that were themselves converted from ONNX: their tensors
are turned to channels-last for each convolution and back. This module keeps every tensor channels-first and
only remembers how the file sees it, so that the exported graph has none of these turns.
"""
import base64
import json
import os

import numpy
import torch
from torch.nn import functional

TO_CHANNELS_LAST = [0, 2, 3, 1]
TO_CHANNELS_FIRST = [0, 3, 1, 2]


class Value:
    """A tensor with channels first, padding that is still to be added, and whether the file has it channels-last."""

    def __init__(self, tensor, channels_last=False, padding=None, padding_value=0.0):
        self.tensor = tensor
        self.channels_last = channels_last
        self.padding = padding  # Of height and width, the same before and after.
        self.padding_value = padding_value

    def turned(self, channels_last):
        return Value(self.tensor, channels_last, self.padding, self.padding_value)

    def plain(self):
        if self.padding is not None:
            raise ValueError("found padding before an operation that is neither a convolution nor a pooling")
        return self.tensor


def sides_of(tensor):
    """Height and width as numbers, which the exported graph then does not compute."""
    return [int(side) for side in tensor.shape[2:]]


def read_weights(model, folder):
    """Returns the constants by name. Floats that were stored as halves are floats again."""
    constants = {}
    for group in model["weightsManifest"]:
        data = b""
        for path in group["paths"]:
            with open(os.path.join(folder, os.path.basename(path)), "rb") as file:
                data += file.read()
        offset = 0
        for weight in group["weights"]:
            stored = weight.get("quantization", {}).get("dtype", weight["dtype"])
            kind = {"float16": numpy.float16, "float32": numpy.float32, "int32": numpy.int32}[stored]
            count = int(numpy.prod(weight["shape"], dtype=numpy.int64))
            values = numpy.frombuffer(data, kind, count, offset).reshape(weight["shape"])
            offset += values.nbytes
            if weight["dtype"] == "float32":
                values = values.astype(numpy.float32)
            constants[weight["name"]] = values
        if offset != len(data):
            raise ValueError(f"weights: found {len(data)} bytes, expected {offset}")
    return constants


class TfjsGraph(torch.nn.Module):
    """The graph of the file `path`, from its only placeholder to these nodes, in their order."""

    def __init__(self, path, outputs):
        super().__init__()
        with open(path, encoding="utf-8") as file:
            model = json.load(file)
        self.nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        self.constants = read_weights(model, os.path.dirname(path))
        self.outputs = outputs
        for name, values in self.constants.items():
            if values.dtype == numpy.float32:
                self.register_parameter(self._key(name), torch.nn.Parameter(torch.from_numpy(values.copy())))

    @staticmethod
    def _key(name):
        return name.replace("/", "_").replace(".", "_")

    def _parameter(self, name):
        return getattr(self, self._key(name))

    def parameter_count(self):
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, picture):
        values = {}
        return tuple(self._value(name, picture, values).plain() for name in self.outputs)

    def _value(self, name, picture, values):
        """Depth first, without recursion: a graph may be deeper than Python's stack."""
        open_nodes = [name]
        while open_nodes:
            key = open_nodes[-1]
            node_name, _, port = key.partition(":")
            node = self.nodes[node_name]
            missing = [given for given in self._inputs(node) if given not in values]
            if key in values:
                open_nodes.pop()
            elif missing:
                open_nodes.extend(missing)
            else:
                values[key] = self._run(node, int(port or 0), picture, values)
        return values[name]

    def _inputs(self, node):
        """The inputs that are no constants, nor shapes that constants alone make."""
        if node["op"] == "Reshape":
            return node["input"][:1]
        return [given for given in node.get("input", []) if given not in self.constants]

    def _shape(self, name):
        """The value of a small graph of integers: a constant, or a sum of one and a sparse tensor without entries."""
        if name in self.constants:
            return self.constants[name].tolist()
        node = self.nodes[name]
        if node["op"] == "AddV2":
            left, right = (self._shape(given) for given in node["input"])
            if not isinstance(right, list):
                return [value + right for value in left]
            return [a + b for a, b in zip(left, right)]
        if node["op"] == "SparseToDense" and self.constants[node["input"][0]].size == 0:
            return self.constants[node["input"][3]].tolist()
        raise ValueError(f"{name}: found operation {node['op']}, expected a constant shape")

    def _run(self, node, port, picture, values):
        if node["op"] == "Placeholder":
            return Value(picture)
        run = getattr(self, "_run_" + node["op"], None)
        if run is None:
            raise ValueError(f"{node['name']}: operation {node['op']} is not known")
        given = [values.get(name) for name in node["input"]]
        return run(node, given, port)

    def _integers(self, node, at):
        return self.constants[node["input"][at]].tolist()

    @staticmethod
    def _places(node, name):
        """The two middle numbers of an attribute in NHWC, which are those of height and width."""
        text = base64.b64decode(node["attr"]["data_format"]["s"]).decode()
        if text != "NHWC":
            raise ValueError(f"{node['name']}: found {text}, expected NHWC")
        return [int(number) for number in node["attr"][name]["list"]["i"]][1:3]

    def _run_Identity(self, node, given, port):
        return given[0]

    def _run_Transpose(self, node, given, port):
        order = self._integers(node, 1)
        if order == TO_CHANNELS_LAST and not given[0].channels_last:
            return given[0].turned(True)
        if order == TO_CHANNELS_FIRST and given[0].channels_last:
            return given[0].turned(False)
        if given[0].channels_last:
            raise ValueError(f"{node['name']}: found the order {order} of a channels-last tensor")
        return Value(given[0].plain().permute(order))

    def _run_Pad(self, node, given, port, value=0.0):
        pads = self._integers(node, 1)
        height, width = (pads[1], pads[2]) if given[0].channels_last else (pads[2], pads[3])
        if sum(map(sum, pads)) != sum(height) + sum(width) or height[0] != height[1] or width[0] != width[1]:
            raise ValueError(f"{node['name']}: found padding {pads}, expected the same before and after each side")
        return Value(given[0].plain(), given[0].channels_last, (height[0], width[0]), value)

    def _run_PadV2(self, node, given, port):
        return self._run_Pad(node, given, port, float(self.constants[node["input"][2]]))

    def _run_Conv2D(self, node, given, port):
        weight = self._parameter(node["input"][1]).permute(3, 2, 0, 1)
        strides = self._places(node, "strides")
        padding = given[0].padding or (0, 0)
        return Value(functional.conv2d(given[0].tensor, weight, stride=strides, padding=padding,
                                       dilation=self._places(node, "dilations")), True)

    def _run_MaxPool(self, node, given, port):
        padding = given[0].padding or (0, 0)
        if given[0].padding is not None and given[0].padding_value > -3e38:
            raise ValueError(f"{node['name']}: found padding of {given[0].padding_value}, expected minus infinity")
        return Value(functional.max_pool2d(given[0].tensor, self._places(node, "ksize"),
                                           self._places(node, "strides"), padding), given[0].channels_last)

    def _run_Add(self, node, given, port):
        if given[1] is None:
            bias = self._parameter(node["input"][1])
            return Value(given[0].plain() + bias.view(1, -1, 1, 1), given[0].channels_last)
        return Value(given[0].plain() + given[1].plain(), given[0].channels_last)

    def _run_LeakyRelu(self, node, given, port):
        return Value(functional.leaky_relu(given[0].plain(), node["attr"]["alpha"]["f"]), given[0].channels_last)

    def _run_Sigmoid(self, node, given, port):
        return Value(torch.sigmoid(given[0].plain()), given[0].channels_last)

    def _run_ConcatV2(self, node, given, port):
        axis = int(self.constants[node["input"][-1]])
        parts = given[:-1]
        if axis != 1 or any(part.channels_last for part in parts):
            raise ValueError(f"{node['name']}: found axis {axis}, expected the channels, which come first")
        return Value(torch.cat([part.plain() for part in parts], 1))

    def _run_SplitV(self, node, given, port):
        axis = int(self.constants[node["input"][2]])
        if axis != 1 or given[0].channels_last:
            raise ValueError(f"{node['name']}: found axis {axis}, expected the channels, which come first")
        return Value(torch.split(given[0].plain(), self._integers(node, 1), 1)[port])

    def _run_ResizeBilinear(self, node, given, port):
        if not node["attr"]["half_pixel_centers"]["b"] or not given[0].channels_last:
            raise ValueError(f"{node['name']}: expected centres of pixels and channels last")
        tensor = given[0].plain()
        # A factor, since a size would make the batch size a number of the graph.
        factors = [to / side for to, side in zip(self._integers(node, 1), sides_of(tensor))]
        return Value(functional.interpolate(tensor, scale_factor=factors, mode="bilinear", align_corners=False), True)

    def _run_Reshape(self, node, given, port):
        tensor = given[0].plain()
        shape = self._shape(node["input"][1])
        if shape[0] != 1 or shape.count(-1) > 1:
            raise ValueError(f"{node['name']}: found the shape {shape}, expected a batch of 1")
        # The batch may be of any size, and the other sides are known.
        known = -int(numpy.prod(shape)) if -1 in shape else None
        sides = [int(tensor.shape[1]) * int(numpy.prod(sides_of(tensor))) // known if side == -1 else side for side in shape[1:]]
        return Value(tensor.reshape([-1] + sides))
