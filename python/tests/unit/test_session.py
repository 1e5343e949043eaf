"""The session behaves as onnxruntime's does."""

import threading

import numpy
import pytest
from conftest import save
from onnx import TensorProto, helper

import cleave
from cleave import _arrays


@pytest.fixture
def session(layers):
    return cleave.InferenceSession(layers[0])


def test_runs_what_the_model_computes(session, layers, frame):
    outputs = session.run(None, {"x": frame})
    assert len(outputs) == 1
    numpy.testing.assert_allclose(outputs[0], layers[1](frame), rtol=1e-4, atol=1e-5)


def test_takes_the_bytes_of_a_model(layers, frame):
    session = cleave.InferenceSession(layers[0].read_bytes())
    numpy.testing.assert_allclose(
        session.run(["y"], {"x": frame})[0], layers[1](frame), rtol=1e-4, atol=1e-5
    )


def test_describes_the_model_as_onnxruntime_does(session):
    (x,) = session.get_inputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["batch", 64])
    (y,) = session.get_outputs()
    assert (y.name, y.type, y.shape) == ("y", "tensor(float)", ["batch", 8])
    meta = session.get_modelmeta()
    assert meta.producer_name == "maker"
    assert meta.graph_name == "tiny"
    assert meta.custom_metadata_map == {"character": "abc"}
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_overridable_initializers() == []


def test_says_what_became_of_the_last_run(session, frame):
    assert session.last_record is None
    outputs = session.run(None, {"x": frame})
    record = session.last_record
    assert (record.id, record.where, record.plan, record.fallback) == (0, "device", None, None)
    assert record.reason == "no edge was given"
    assert record.timeline.head_us == record.latency_us
    assert record.outputs["y"] is outputs[0]
    session.run(None, {"x": frame})
    assert session.last_record.id == 1


def test_outputs_belong_to_the_caller(session, frame):
    first = session.run(None, {"x": frame})[0]
    kept = first.copy()
    first += 1
    second = session.run(None, {"x": frame})[0]
    numpy.testing.assert_array_equal(second, kept)
    assert not first.flags.owndata  # It views what ONNX Runtime wrote.


def test_inputs_are_not_copied_where_the_layout_allows(frame):
    assert _arrays.prepare("x", frame) is frame
    readonly = frame.copy()
    readonly.flags.writeable = False
    assert _arrays.prepare("x", readonly) is readonly


@pytest.mark.parametrize(
    "change",
    [
        lambda x: numpy.asfortranarray(numpy.repeat(x, 3, 0)),
        lambda x: numpy.repeat(x, 6, 0)[::2],
        lambda x: x.astype(">f4"),
        lambda x: x.tolist() and numpy.array(x.tolist(), numpy.float32),
    ],
    ids=["fortran", "strided", "big_endian", "made_of_a_list"],
)
def test_takes_arrays_of_any_layout(session, layers, frame, change):
    x = change(frame)
    numpy.testing.assert_allclose(
        session.run(None, {"x": x})[0], layers[1](numpy.array(x, numpy.float32)), rtol=1e-4, atol=1e-5
    )


TYPES = [
    (TensorProto.FLOAT, numpy.float32, "tensor(float)"),
    (TensorProto.FLOAT16, numpy.float16, "tensor(float16)"),
    (TensorProto.DOUBLE, numpy.float64, "tensor(double)"),
    (TensorProto.INT8, numpy.int8, "tensor(int8)"),
    (TensorProto.INT16, numpy.int16, "tensor(int16)"),
    (TensorProto.INT32, numpy.int32, "tensor(int32)"),
    (TensorProto.INT64, numpy.int64, "tensor(int64)"),
    (TensorProto.UINT8, numpy.uint8, "tensor(uint8)"),
    (TensorProto.UINT16, numpy.uint16, "tensor(uint16)"),
    (TensorProto.UINT32, numpy.uint32, "tensor(uint32)"),
    (TensorProto.UINT64, numpy.uint64, "tensor(uint64)"),
    (TensorProto.BOOL, numpy.bool_, "tensor(bool)"),
]


@pytest.mark.parametrize("onnx_type, dtype, name", TYPES, ids=[name for _, _, name in TYPES])
def test_takes_and_gives_every_type(tmp_path, onnx_type, dtype, name):
    path = save(
        tmp_path / "turn.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        [("x", onnx_type, [2, "n"])],
        [("y", onnx_type, ["n", 2])],
    )
    session = cleave.InferenceSession(path)
    assert session.get_inputs()[0].type == name
    x = numpy.array([[0, 1, 0], [1, 1, 0]], dtype)
    y = session.run(None, {"x": x})[0]
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("kind", ["U", "S", "O"])
def test_takes_and_gives_strings(tmp_path, kind):
    path = save(
        tmp_path / "turn.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        [("x", TensorProto.STRING, [1, "n"])],
        [("y", TensorProto.STRING, ["n", 1])],
    )
    words = numpy.array([["a", "", "four"]])
    x = words.astype(object) if kind == "O" else words.astype(kind)
    y = cleave.InferenceSession(path).run(None, {"x": x})[0]
    assert y.shape == (3, 1)
    assert y.ravel().tolist() == ["a", "", "four"]


def test_lists_take_the_type_that_the_model_expects(tmp_path, session, layers, frame):
    numpy.testing.assert_allclose(
        session.run(None, {"x": frame.tolist()})[0], layers[1](frame), rtol=1e-4, atol=1e-5
    )
    with cleave.Device(layers[0]) as device:
        numpy.testing.assert_allclose(
            device.infer(frame.tolist()).outputs["y"], layers[1](frame), rtol=1e-4, atol=1e-5
        )
    path = save(
        tmp_path / "turn.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        [("x", TensorProto.UINT8, [1, "n"])],
        [("y", TensorProto.UINT8, ["n", 1])],
    )
    session = cleave.InferenceSession(path)
    y = session.run(None, {"x": [[1, 2]]})[0]
    assert (y.dtype, y.tolist()) == (numpy.uint8, [[1], [2]])
    for wrong in ([["a"]], [[1], [2, 3]]):
        with pytest.raises(cleave.InvalidArgumentError, match="input 'x': found list, expected an array of UINT8"):
            session.run(None, {"x": wrong})


def test_strings_need_not_be_ascii(tmp_path):
    path = save(
        tmp_path / "turn.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        [("x", TensorProto.STRING, [1, "n"])],
        [("y", TensorProto.STRING, ["n", 1])],
    )
    session = cleave.InferenceSession(path)
    words = ["né", "日本", "\udcff"]  # The last is a byte that is not UTF-8.
    assert session.run(None, {"x": numpy.array([words], object)})[0].ravel().tolist() == words
    with pytest.raises(cleave.InvalidArgumentError, match="input 'x': found an object of type int"):
        session.run(None, {"x": numpy.array([[1]], object)})


def test_scalars_and_empty_arrays_keep_their_shapes(tmp_path):
    path = save(
        tmp_path / "add.onnx",
        [helper.make_node("Add", ["a", "b"], ["c"])],
        [("a", TensorProto.FLOAT, []), ("b", TensorProto.FLOAT, ["n"])],
        [("c", TensorProto.FLOAT, ["n"])],
    )
    session = cleave.InferenceSession(path)
    assert session.get_inputs()[0].shape == []
    outputs = session.run(None, {"a": numpy.float32(2), "b": numpy.zeros(0, numpy.float32)})
    assert outputs[0].shape == (0,)
    assert session.run(None, {"a": numpy.array(2, numpy.float32), "b": numpy.ones(1, numpy.float32)})[0] == 3


def test_an_output_that_is_an_input_is_a_copy(tmp_path):
    path = save(
        tmp_path / "same.onnx",
        [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])],
        [("x", TensorProto.FLOAT, [3])],
        [("y", TensorProto.FLOAT, [3]), ("z", TensorProto.FLOAT, [3])],
    )
    x = numpy.array([1, 2, 3], numpy.float32)
    y = cleave.InferenceSession(path).run(["y"], {"x": x})[0]
    y[:] = 0
    assert x.tolist() == [1, 2, 3]


def test_gives_the_outputs_that_were_asked_for(tmp_path):
    path = save(
        tmp_path / "two.onnx",
        [helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Abs", ["x"], ["a"])],
        [("x", TensorProto.FLOAT, [1])],
        [("n", TensorProto.FLOAT, [1]), ("a", TensorProto.FLOAT, [1])],
    )
    session = cleave.InferenceSession(path)
    x = {"x": numpy.array([-2], numpy.float32)}
    assert [float(y[0]) for y in session.run(None, x)] == [2, 2]
    assert [float(y[0]) for y in session.run(["a", "n"], x)] == [2, 2]
    assert len(session.run(["a"], x)) == 1
    with pytest.raises(cleave.InvalidArgumentError, match="output 'q': the model has none of this name"):
        session.run(["q"], x)


@pytest.mark.parametrize(
    "feed, words",
    [
        (lambda x: {"x": x.astype(numpy.float64)}, "'x': found type FP64, expected FP32"),
        (lambda x: {"x": x[:, :5]}, "'x': found shape 1x5, expected [?]x64"),
        (lambda x: {}, "'x' is missing"),
        (lambda x: {"q": x}, "found tensor 'q', expected 'x'"),
        (lambda x: {"x": numpy.array([1j])}, "input 'x': found"),
    ],
    ids=["type", "shape", "missing", "unknown", "complex"],
)
def test_errors_say_what_was_found_and_expected(session, frame, feed, words):
    with pytest.raises(cleave.InvalidArgumentError, match=words) as raised:
        session.run(None, feed(frame))
    assert isinstance(raised.value, (cleave.Error, ValueError))
    assert raised.value.code == "INVALID_ARGUMENT"
    session.run(None, {"x": frame})  # Nothing else is lost.


def test_errors_name_the_file(tmp_path):
    with pytest.raises(cleave.NotFoundError, match="nowhere.onnx"):
        cleave.InferenceSession(tmp_path / "nowhere.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(cleave.InvalidArgumentError, match="broken.onnx"):
        cleave.InferenceSession(broken)
    with pytest.raises(cleave.InvalidArgumentError):
        cleave.InferenceSession(b"no model")


def test_options_without_a_meaning_are_taken_and_missed_ones_refused(layers, frame):
    options = cleave.SessionOptions()
    options.intra_op_num_threads = 2
    options.graph_optimization_level = cleave.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = cleave.InferenceSession(layers[0], options, providers=["CPUExecutionProvider"])
    numpy.testing.assert_allclose(
        session.run(None, {"x": frame})[0], layers[1](frame), rtol=1e-4, atol=1e-5
    )
    assert session.get_session_options() is options
    options.enable_profiling = True
    with pytest.raises(cleave.UnimplementedError, match="enable_profiling: found True"):
        cleave.InferenceSession(layers[0], options)
    with pytest.raises(cleave.UnimplementedError, match="custom operators: found 'ops.so'"):
        options.register_custom_ops_library("ops.so")


def test_takes_the_first_provider_that_is_here(layers):
    assert "CPUExecutionProvider" in cleave.get_available_providers()
    session = cleave.InferenceSession(
        layers[0],
        providers=["NoSuchExecutionProvider", ("CPUExecutionProvider", {"arena_extend_strategy": "x"})],
    )
    assert session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(cleave.NotFoundError, match="providers: found NoSuchExecutionProvider"):
        cleave.InferenceSession(layers[0], providers=["NoSuchExecutionProvider"])


def test_an_option_of_a_device_needs_an_edge(layers):
    with pytest.raises(cleave.InvalidArgumentError, match="option 'policy': found one without an edge"):
        cleave.InferenceSession(layers[0], policy="edge")


def test_run_async_calls_back(session, layers, frame):
    came = threading.Event()
    got = []

    def callback(outputs, user_data, error):
        got.extend([outputs, user_data, error])
        came.set()

    session.run_async(None, {"x": frame}, callback, 7)
    assert came.wait(60)
    numpy.testing.assert_allclose(got[0][0], layers[1](frame), rtol=1e-4, atol=1e-5)
    assert got[1:] == [7, ""]
    came.clear()
    got.clear()
    session.run_async(None, {}, callback)
    assert came.wait(60)
    assert got[0] == []
    assert "'x' is missing" in got[2]


def test_many_threads_share_a_session(session, layers, frame):
    wrong = []

    def work(scale):
        for _ in range(50):
            x = frame * numpy.float32(scale)
            if not numpy.allclose(session.run(None, {"x": x})[0], layers[1](x), rtol=1e-3, atol=1e-4):
                wrong.append(scale)

    threads = [threading.Thread(target=work, args=(scale,)) for scale in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
