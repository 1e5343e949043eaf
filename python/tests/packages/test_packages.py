"""Other people's programs, unchanged, with onnxruntime.InferenceSession replaced by ours.

Each is run on ONNX Runtime first, and then on ours: whole on this machine, with an edge, with one over a shaped link
(CLEAVE_PROGRAM is the program `cleave`, which relays), and with an edge that is killed in the middle. It has to come to the
same result. Pictures and sounds are made here.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="cleave-test-cache-")

import numpy
import onnxruntime
import pytest
from PIL import Image, ImageDraw, ImageFont

import cleave

SERVE = """
import sys
import cleave
with cleave.Edge(sys.argv[1], listen="127.0.0.1:0") as edge:
    print(edge.address, flush=True)
    sys.stdin.read()
"""


def folder_of(package, *below):
    """The folder of a package, which is not imported for that."""
    return pathlib.Path(importlib.util.find_spec(package).origin).parent.joinpath(*below)


class Server:
    """A process that says its address at the end of its first line."""

    def __init__(self, *command):
        self._process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline().split()
        assert line, f"{command[0]} did not start"
        self.address = line[-1]

    def kill(self):
        self._process.kill()
        self._process.wait()

    def close(self):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture(params=["whole", "edge", "shaped", "killed"])
def replaced(request, monkeypatch):
    """A function that replaces onnxruntime's session for a folder of models, and a list of where each run of ours went."""
    servers = []
    where = []
    if request.param == "shaped" and "CLEAVE_PROGRAM" not in os.environ:
        pytest.skip("CLEAVE_PROGRAM is not set, so that there is no relay")

    def replace(models, *modules):
        edge = None
        if request.param != "whole":
            edge = Server(sys.executable, "-c", SERVE, models)
            servers.append(edge)
        if request.param == "shaped":
            edge = Server(
                os.environ["CLEAVE_PROGRAM"], "link", "--to", edge.address, "--rate", "50mbit", "--delay", "5ms"
            )
            servers.append(edge)

        class Session(cleave.InferenceSession):
            def __init__(self, *arguments, **options):
                if edge:
                    options.update(edge=edge.address, policy="edge")
                super().__init__(*arguments, **options)

            def run(self, *arguments, **options):
                outputs = super().run(*arguments, **options)
                where.append(self.last_record.where)
                if request.param == "killed" and len(where) == 1:
                    edge.kill()
                return outputs

        for module in (onnxruntime, *modules):
            monkeypatch.setattr(module, "InferenceSession", Session)

    def check():
        if request.param in ("edge", "shaped"):
            assert set(where) == {"edge"}
        elif request.param == "killed":
            assert where[0] == "edge"
            assert where[-1] == "device"
        else:
            assert set(where) == {"device"}

    yield replace, check
    for server in reversed(servers):
        server.close()


def page():
    """A picture of two lines of text, as BGR pixels."""
    image = Image.new("RGB", (640, 160), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(36)
    draw.text((20, 20), "Split computing 2205", fill="black", font=font)
    draw.text((20, 90), "HELLO EDGE", fill="black", font=font)
    return numpy.array(image)[:, :, ::-1].copy()


def test_rapidocr_reads_the_same_text(replaced):
    from rapidocr_onnxruntime import RapidOCR
    from rapidocr_onnxruntime.utils import infer_engine

    expected = RapidOCR()(page())[0]
    assert expected[0][1] == "Split computing 2205"
    replace, check = replaced
    replace(folder_of("rapidocr_onnxruntime", "models"), infer_engine)
    found = RapidOCR()(page())[0]
    assert [text for _, text, _ in found] == [text for _, text, _ in expected]
    numpy.testing.assert_allclose([box for box, _, _ in found], [box for box, _, _ in expected], atol=1)
    check()


FILES = {
    "python": b"import os\n\n\ndef main(arguments):\n    return [os.path.join(a, 'x') for a in arguments]\n" * 8,
    "jsonl": b'{"name": "cleave", "numbers": [1, 2, 3], "nested": {"a": null, "b": true}}\n' * 8,
    "html": b"<!DOCTYPE html><html><head><title>t</title></head><body><p>text</p></body></html>\n" * 8,
}


def test_magika_names_the_same_types(replaced):
    from magika import Magika

    def types():
        magika = Magika()
        return {name: str(magika.identify_bytes(content).output.label) for name, content in FILES.items()}

    expected = types()
    assert set(expected.values()) == set(FILES)
    replace, check = replaced
    replace(next(folder_of("magika", "models").iterdir()))
    assert types() == expected
    check()


def tone():
    """A second of a tone that rises from 220 Hz to 440 Hz, at 16 kHz."""
    time = numpy.arange(16000) / 16000
    return (0.5 * numpy.sin(2 * numpy.pi * (220 * time + 110 * time**2))).astype(numpy.float32)


def test_swift_f0_hears_the_same_pitch(replaced):
    from swift_f0 import SwiftF0

    def pitches():
        detector = SwiftF0()
        return [detector.detect(tone(), 16000) for _ in range(2)]

    expected = pitches()
    replace, check = replaced
    replace(folder_of("swift_f0"))
    for found, wanted in zip(pitches(), expected):
        numpy.testing.assert_allclose(found.pitch_hz, wanted.pitch_hz, rtol=1e-3)
        numpy.testing.assert_allclose(found.confidence, wanted.confidence, atol=1e-3)
    check()


def test_openwakeword_gives_the_same_scores(replaced):
    models = folder_of("openwakeword", "resources", "models")

    def scores():
        from openwakeword.model import Model

        numpy.random.seed(1)  # It fills its buffer with noise.
        model = Model(wakeword_models=[str(models / "alexa_v0.1.onnx")], inference_framework="onnx")
        sound = (tone() * 20000).astype(numpy.int16)
        return [model.predict(frame)["alexa_v0.1"] for frame in sound[: 12 * 1280].reshape(-1, 1280)]

    expected = scores()
    replace, check = replaced
    replace(models)
    numpy.testing.assert_allclose(scores(), expected, atol=1e-4)
    check()
