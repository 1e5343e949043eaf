"""What the tests share: tiny models, and an edge in a process of its own."""

import os
import pathlib
import subprocess
import sys
import tempfile

# Profiles of tests are nobody's cache.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="cleave-test-cache-")

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

# The tests of a wheel are copied to where nothing else of the repository is.
ROOT = pathlib.Path(os.environ.get("CLEAVE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[3]))

SERVE = """
import signal, sys
import cleave
with cleave.Edge(sys.argv[1:], listen="127.0.0.1:0") as edge:
    print(edge.address, flush=True)
    sys.stdin.read()
"""


def weight(name, array):
    return numpy_helper.from_array(array, name)


def save(path, nodes, inputs, outputs, weights=(), metadata=()):
    """Write a model; inputs and outputs are (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        list(weights),
    )
    model = helper.make_model(graph, producer_name="maker", opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def layers(tmp_path_factory):
    """Three layers of matrix products: x [batch, 64] -> y [batch, 8], and what they compute."""
    generator = numpy.random.default_rng(1)
    matrices = [
        generator.standard_normal((rows, columns)).astype(numpy.float32) / 8
        for rows, columns in ((64, 32), (32, 16), (16, 8))
    ]
    nodes = []
    tensor = "x"
    for index in range(3):
        last = index == 2
        nodes.append(helper.make_node("MatMul", [tensor, f"w{index}"], ["y" if last else f"m{index}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"m{index}"], [f"r{index}"]))
            tensor = f"r{index}"
    path = save(
        tmp_path_factory.mktemp("models") / "layers.onnx",
        nodes,
        [("x", TensorProto.FLOAT, ["batch", 64])],
        [("y", TensorProto.FLOAT, ["batch", 8])],
        [weight(f"w{index}", matrix) for index, matrix in enumerate(matrices)],
        {"character": "abc"},
    )

    def compute(x):
        for matrix in matrices[:-1]:
            x = numpy.maximum(x @ matrix, 0)
        return x @ matrices[-1]

    return path, compute


@pytest.fixture
def frame():
    return numpy.random.default_rng(2).standard_normal((1, 64)).astype(numpy.float32)


class EdgeProcess:
    """An edge in a Python process of its own, which can be killed."""

    def __init__(self, *models):
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *map(str, models)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._process.stdout.readline().strip()
        assert self.address, "the edge did not start"

    def kill(self):
        self._process.kill()
        self._process.wait()

    def close(self):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def start_edge():
    """A function that starts an edge for models; all of them end with the test."""
    started = []

    def start(*models):
        started.append(EdgeProcess(*models))
        return started[-1]

    yield start
    for edge in started:
        edge.close()


def run_python(code, *arguments, check=True):
    """Run Python code in a process of its own, which has a minute, and return what became of it."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
