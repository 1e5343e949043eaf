"""Measures what the package costs: its import, and a call against the C++ library.

python overhead.py [MODEL.onnx]

The overhead of a call is the time of InferenceSession.run less the time that the C++ library reports for the same run
(last_record.latency_us): the median over many runs of a model that does next to nothing. It is printed beside the goals.
"""

import statistics
import subprocess
import sys
import time

import numpy

import cleave

RUNS = 2000
IMPORTS = 10
GOAL_CALL_US = 50
GOAL_IMPORT_S = 0.3

IMPORT = "import time, numpy; start = time.perf_counter(); import cleave; print(time.perf_counter() - start)"


def import_seconds():
    """The median time of an import in a process that has numpy already."""
    times = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(IMPORTS)]
    return statistics.median(times)


def overhead_us(session):
    """The median overhead of a call, in microseconds."""
    feed = {}
    for arg in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in arg.shape]
        feed[arg.name] = numpy.zeros(shape, numpy.float32)
    overheads = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        session.run(None, feed)
        overheads.append((time.perf_counter_ns() - start) / 1000 - session.last_record.latency_us)
    return statistics.median(overheads)


def main(model="tests/install/relu.onnx"):
    print(f"import: {import_seconds():.3f} s (goal: {GOAL_IMPORT_S} s)")
    whole = overhead_us(cleave.InferenceSession(model))
    print(f"overhead of a call: {whole:.1f} us (goal: {GOAL_CALL_US} us)")
    # The main thread leaves these to another one, so that Ctrl-C ends the wait.
    with cleave.Edge(model, listen="127.0.0.1:0") as edge:
        remote = overhead_us(cleave.InferenceSession(model, edge=edge.address, policy="edge"))
    print(f"overhead of a call with an edge: {remote:.1f} us (goal: {GOAL_CALL_US} us)")


main(*sys.argv[1:])
