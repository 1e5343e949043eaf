"""Nothing ends the interpreter, and nothing keeps it: signals, forks, threads and its exit.

Where an edge was stopped and the device would wait for it for ten minutes, a process that ends within
run_python's minute did not wait.
"""

import os
import signal
import textwrap

import pytest
from conftest import run_python

PREAMBLE = """
import os, signal, subprocess, sys, threading, time
import numpy
import cleave
path = sys.argv[1]
frame = numpy.ones((1, 64), numpy.float32)
WAIT_US = 600_000_000

def stopped_edge_and_device():
    edge = subprocess.Popen([sys.executable, "-c", '''
import sys, cleave
with cleave.Edge(sys.argv[1], listen="127.0.0.1:0") as edge:
    print(edge.address, flush=True)
    sys.stdin.read()
''', path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    address = edge.stdout.readline().strip()
    device = cleave.Device(path, address, policy="edge", remote_timeout_us=WAIT_US)
    assert device.infer(frame).where == "edge"
    edge.send_signal(signal.SIGSTOP)
    os.waitpid(edge.pid, os.WUNTRACED)  # Until it has stopped.
    return edge, device
"""


def run(code, layers, **options):
    return run_python(PREAMBLE + textwrap.dedent(code), layers[0], **options)


def test_ctrl_c_ends_a_wait_for_an_edge(layers):
    done = run(
        """
        edge, device = stopped_edge_and_device()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            device.infer(frame)
        except KeyboardInterrupt:
            print("interrupted")
        edge.kill()
        """,
        layers,
    )
    assert done.stdout == "interrupted\n"


def test_a_handler_of_a_signal_that_does_not_raise_changes_nothing(layers):
    done = run(
        """
        edge, device = stopped_edge_and_device()
        def go_on(*unused):
            print("handled", flush=True)
            edge.send_signal(signal.SIGCONT)
        signal.signal(signal.SIGUSR1, go_on)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        print(device.infer(frame).where)
        edge.kill()
        """,
        layers,
    )
    assert done.stdout == "handled\nedge\n"


def test_ctrl_c_without_a_handler_ends_the_program_as_ever(layers):
    done = run(
        """
        edge, device = stopped_edge_and_device()
        threading.Timer(0.5, lambda: (edge.kill(), os.kill(os.getpid(), signal.SIGINT))).start()
        while True:
            device.infer(frame)
        """,
        layers,
        check=False,
    )
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.parametrize("status", [0, 3])
def test_the_interpreter_exits_with_requests_in_flight(layers, status):
    done = run(
        f"""
        edge, device = stopped_edge_and_device()
        def wait_for_ever():
            device.infer(frame)
            print("came back")
        for _ in range(3):
            threading.Thread(target=wait_for_ever, daemon=True).start()
        time.sleep(0.5)
        print("leaving", edge.pid, flush=True)
        sys.exit({status})
        """,
        layers,
        check=False,
    )
    said, edge = done.stdout.split()
    os.kill(int(edge), signal.SIGKILL)
    assert (done.returncode, said) == (status, "leaving"), done.stderr
    assert "Fatal" not in done.stderr


def test_the_interpreter_exits_while_threads_run_models(layers):
    for _ in range(3):
        run(
            """
            session = cleave.InferenceSession(path)
            def run_for_ever():
                while True:
                    session.run(None, {"x": frame})
            for _ in range(4):
                threading.Thread(target=run_for_ever, daemon=True).start()
            time.sleep(0.2)
            """,
            layers,
        )


def test_objects_may_outlive_everything(layers):
    done = run(
        """
        edge = cleave.Edge(path, listen="127.0.0.1:0")
        device = cleave.Device(path, edge.address, policy="edge")
        output = device.infer(frame).outputs["y"]
        sys.keep = [edge, device, output]
        class Late:
            def __del__(self):
                print(device.infer(frame).where)
        device.late = Late()
        """,
        layers,
    )
    assert done.stdout in ("", "edge\n")
    assert "Fatal" not in done.stderr


def test_a_child_of_a_fork_is_told(layers):
    done = run(
        """
        session = cleave.InferenceSession(path)
        device = cleave.Device(path)
        edge = cleave.Edge(path, listen="127.0.0.1:0")
        child = os.fork()
        if child == 0:
            for use in (lambda: session.run(None, {"x": frame}), lambda: device.infer(frame), edge.close,
                        lambda: cleave.Device(path, "127.0.0.1:1"), lambda: cleave.Edge(path)):
                try:
                    use()
                    print("used", flush=True)
                except cleave.FailedPreconditionError as error:
                    print(str(error).split(":")[0], flush=True)
            # What needs no thread of the parent works.
            print(cleave.InferenceSession(path).run(None, {"x": frame})[0].shape, flush=True)
            sys.exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
        print(session.run(None, {"x": frame})[0].shape, device.infer(frame).where)
        """,
        layers,
    )
    assert done.stdout.splitlines() == [
        "session",
        "device",
        "edge",
        "process",
        "process",
        "(1, 8)",
        "0",
        "(1, 8) device",
    ]


def test_multiprocessing_works_by_spawn(layers, tmp_path):
    script = tmp_path / "spawn.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys
            import numpy
            import cleave

            def work(path):
                session = cleave.InferenceSession(path)
                return session.run(None, {"x": numpy.ones((1, 64), numpy.float32)})[0].shape

            if __name__ == "__main__":
                with cleave.Edge(sys.argv[1], listen="127.0.0.1:0"):
                    with multiprocessing.get_context("spawn").Pool(2) as pool:
                        print(pool.map(work, [sys.argv[1]] * 4))
            """
        )
    )
    done = run_python("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
                      script, layers[0])
    assert done.stdout.strip() == str([(1, 8)] * 4)


def test_arrays_live_as_long_as_a_call_needs_them(layers):
    done = run(
        """
        import gc
        session = cleave.InferenceSession(path)
        before = sys.getrefcount(frame)
        for _ in range(100):
            session.run(None, {"x": frame})
        print(sys.getrefcount(frame) - before)
        edge, device = stopped_edge_and_device()
        array = numpy.ones((1, 64), numpy.float32)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            device.infer(array)
        except KeyboardInterrupt:
            del array  # The call that was given up still has it.
            gc.collect()
        edge.kill()
        edge.wait()
        try:
            print(device.infer(frame).where)
        except KeyboardInterrupt:
            pass
        """,
        layers,
    )
    assert done.stdout == "0\ndevice\n"


def test_memory_that_runs_out_is_an_exception(layers, tmp_path):
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(1 << 30)
    done = run(
        f"""
        import resource
        session = cleave.InferenceSession(path)
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (300 << 20), -1))
        try:
            cleave.InferenceSession("{large}")
        except (MemoryError, cleave.Error) as error:
            print(type(error).__name__)
        print(session.run(None, {{"x": frame}})[0].shape)
        """,
        layers,
    )
    assert done.stdout == "MemoryError\n(1, 8)\n"


def test_a_failed_constructor_leaves_nothing(layers):
    done = run(
        """
        for _ in range(3):
            for broken in ({"threads": 0}, {"policy": "nonsense"}):
                try:
                    cleave.Device(path, **broken)
                except cleave.InvalidArgumentError:
                    print("refused")
        """,
        layers,
    )
    assert done.stdout == "refused\n" * 6
