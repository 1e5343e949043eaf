"""The protocol's messages and tiny ONNX models, written by hand, so that no package is needed."""
import hashlib
import struct

INFER = "/inference.GRPCInferenceService/ModelInfer"
PROBE = "/cleave.v1.Edge/Probe"
STATUS = "/cleave.v1.Edge/Status"
GET_PROFILE = "/cleave.v1.Edge/GetProfile"
PUSH = "/cleave.v1.Edge/Push"


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def infer(model, shape, contents, name="x", datatype="FP32", parameters=()):
    """A ModelInferRequest of one input with raw contents; parameters are pairs of texts."""
    message = text(1, model)
    for key, value in parameters:
        message += text(4, text(1, key) + text(2, text(3, value)))
    described = text(1, name) + text(2, datatype) + b"".join(number(3, size) for size in shape)
    return message + text(5, described) + text(7, contents)


def pool_call(model="pool", batch=1):
    return infer(model, [batch, 3, 8, 8], b"\0" * (batch * 3 * 8 * 8 * 4))


def probe(reply_bytes):
    return number(2, reply_bytes)


def get_profile(model, batches):
    return text(1, model) + b"".join(number(3, batch) for batch in batches)


def push_header(name, model, size=None):
    digest = hashlib.sha256(model).hexdigest()
    return text(1, text(1, name) + text(2, digest) + number(3, len(model) if size is None else size))


def push_chunk(chunk):
    return text(2, chunk)


FLOAT, INT64, BOOL = 1, 7, 9


def value_info(name, dtype, shape):
    """Sizes that are texts are free."""
    dims = b"".join(text(1, number(1, size) if isinstance(size, int) else text(2, size)) for size in shape)
    return text(1, name) + text(2, text(1, number(1, dtype) + text(2, dims)))


def node(kind, inputs, outputs, attributes=b""):
    return (b"".join(text(1, i) for i in inputs) + b"".join(text(2, o) for o in outputs) + text(4, kind) +
            attributes)


def tensor(name, dtype, shape, raw):
    return b"".join(number(1, size) for size in shape) + number(2, dtype) + text(8, name) + text(9, raw)


def graph(nodes, inputs, outputs, initializers=()):
    return (b"".join(text(1, one) for one in nodes) + text(2, "g") +
            b"".join(text(5, one) for one in initializers) + b"".join(text(11, one) for one in inputs) +
            b"".join(text(12, one) for one in outputs))


def model(graph_bytes):
    return number(1, 8) + text(7, graph_bytes) + text(8, text(1, "") + number(2, 17))


def pool_model():
    """x [n, 3, 8, 8] -> y [n, 3, 1, 1]"""
    return model(graph([node("GlobalAveragePool", ["x"], ["y"])], [value_info("x", FLOAT, ["n", 3, 8, 8])],
                       [value_info("y", FLOAT, ["n", 3, 1, 1])]))


def padded_model(size):
    """The same with so many bytes of weights, which take part."""
    count = size // 4
    weights = tensor("w", FLOAT, [count], b"\0" * (4 * count))
    nodes = [node("ReduceSum", ["w"], ["s"], text(5, text(1, "keepdims") + number(3, 0) + number(20, 2))),
             node("Add", ["x", "s"], ["z"]), node("GlobalAveragePool", ["z"], ["y"])]
    return model(graph(nodes, [value_info("x", FLOAT, ["n", 3, 8, 8])], [value_info("y", FLOAT, ["n", 3, 1, 1])],
                       [weights]))


def matmul_model(side, repeats):
    """x [n, side] -> y [n, side], through so many products with one matrix."""
    weights = tensor("w", FLOAT, [side, side], struct.pack("<f", 0.001) * (side * side))
    names = ["x"] + [f"t{i}" for i in range(1, repeats)] + ["y"]
    nodes = [node("MatMul", [names[i], "w"], [names[i + 1]]) for i in range(repeats)]
    return model(graph(nodes, [value_info("x", FLOAT, ["n", side])], [value_info("y", FLOAT, ["n", side])],
                       [weights]))


def wide_model(inner):
    """x [n, 16] -> y [n, 1], through tensors of n x inner."""
    weights = tensor("w", FLOAT, [16, inner], b"\0" * (64 * inner))
    axes = tensor("axes", INT64, [1], struct.pack("<q", 1))
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Softmax", ["a"], ["b"]), node("Mul", ["a", "b"], ["c"]),
             node("ReduceSum", ["c", "axes"], ["y"])]
    return model(graph(nodes, [value_info("x", FLOAT, ["n", 16])], [value_info("y", FLOAT, ["n", 1])],
                       [weights, axes]))


def folding_model():
    """A constant of 2 GiB, of which the file holds its shape alone."""
    shape = tensor("shape", INT64, [1], struct.pack("<q", 1 << 29))
    nodes = [node("ConstantOfShape", ["shape"], ["big"]),
             node("ReduceMax", ["big"], ["m"], text(5, text(1, "keepdims") + number(3, 0) + number(20, 2))),
             node("Add", ["x", "m"], ["y"])]
    return model(graph(nodes, [value_info("x", FLOAT, [1, 4])], [value_info("y", FLOAT, [1, 4])], [shape]))


def endless_model():
    """A Loop without an end that matters."""
    body = graph([node("Identity", ["go"], ["go_on"]), node("Sin", ["v"], ["w"])],
                 [value_info("i", INT64, []), value_info("go", BOOL, []), value_info("v", FLOAT, [1, 4])],
                 [value_info("go_on", BOOL, []), value_info("w", FLOAT, [1, 4])])
    times = tensor("times", INT64, [], struct.pack("<q", 1 << 62))
    go = tensor("go0", BOOL, [], b"\1")
    loop = node("Loop", ["times", "go0", "x"], ["y"], text(5, text(1, "body") + text(6, body) + number(20, 5)))
    return model(graph([loop], [value_info("x", FLOAT, [1, 4])], [value_info("y", FLOAT, [1, 4])], [times, go]))
