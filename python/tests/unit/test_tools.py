"""What the subcommands do, as functions that return plain dataclasses."""

import dataclasses
import shutil
import struct
import zlib

import numpy
import pytest
from conftest import ROOT

import cleave

ALEXNET = ROOT / "models/alexnet_cifar10.onnx"


def png(pixels):
    """The bytes of a PNG file of an array [height, width, 3] of bytes."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = numpy.random.default_rng(3)
    for index in range(24):
        pixels = generator.integers(0, 256, (32, 32, 3), numpy.uint8)
        (folder / f"{index}.png").write_bytes(png(pixels))
    return folder


@pytest.fixture
def model(tmp_path):
    """The shipped model without its sidecar."""
    return shutil.copy(ALEXNET, tmp_path / "model.onnx")


def test_inspect_lists_the_cuts(layers):
    found = cleave.inspect(layers[0], batch=2, cuts="all")
    assert (found.batch, found.exits, found.exit) == (2, [], 0)
    assert [arg.shape for arg in found.inputs] == [[2, 64]]
    assert [cut.index for cut in found.cuts] == list(range(len(found.cuts)))
    assert found.cuts[0].compression_ratio == 1
    assert found.cuts[-1].tensors[0].name == "y"
    assert found.cuts[-1].elements == 16
    assert found.total_macs == 2 * (64 * 32 + 32 * 16 + 16 * 8)
    assert found.candidates == [cut.index for cut in found.cuts]
    assert dataclasses.asdict(found)["cuts"][0]["tensors"][0]["name"] == "x"


def test_inspect_takes_an_exit():
    first = cleave.inspect(ALEXNET, exit=0)
    last = cleave.inspect(ALEXNET)
    assert (first.exit, last.exit) == (0, 4)
    assert first.total_macs < last.total_macs
    with pytest.raises(cleave.InvalidArgumentError, match="exit"):
        cleave.inspect(ALEXNET, exit=9)


def test_verify_compares_every_cut(layers):
    report = cleave.verify(layers[0], cuts="all")
    assert report.within_tolerance
    assert not report.random
    assert [verdict.index for verdict in report.cuts] == list(range(len(report.cuts)))
    assert report.worst_relative_error == max(verdict.relative_error for verdict in report.cuts)
    with pytest.raises(cleave.InvalidArgumentError, match="cuts"):
        cleave.verify(layers[0], cuts="many")


def test_calibrate_measures_plans_and_stores_them(model, pictures):
    calibration = cleave.calibrate(model, pictures, samples=8, batch=8, encodings=["q8"])
    assert (calibration.samples, calibration.labels, calibration.metric) == (8, False, "top1")
    assert {row.encoding for row in calibration.rows} == {"fp32", "q8"}
    best = [row for row in calibration.rows if row.exit == 4 and row.encoding == "fp32"]
    assert all(row.accuracy == 1 and row.right == 8 for row in best)
    assert calibration.sidecar.endswith("model.json")
    with cleave.Device(model, min_accuracy=0.5) as device:
        assert device.explain()[0].accuracy is not None
    with pytest.raises(cleave.InvalidArgumentError, match="fp99"):
        cleave.calibrate(model, pictures, encodings=["fp99"])


def test_fit_codec_writes_the_file_beside_the_model(model, pictures):
    fit = cleave.fit_codec(model, pictures, samples=16, probes=1)
    assert fit.codec.endswith("model.codec")
    fitted = [tensor for tensor in fit.tensors if not tensor.left_out]
    assert fitted
    assert all(len(tensor.bytes_for_each_element) == 6 for tensor in fitted)
    finest_first = fitted[0].bytes_for_each_element
    assert finest_first == sorted(finest_first, reverse=True)
    with cleave.Device(model) as device:
        assert device.warnings == []
        assert "t1" in {row.encoding for row in device.explain()}


def test_errors_name_the_folder(model, tmp_path):
    with pytest.raises(cleave.Error, match="nowhere"):
        cleave.calibrate(model, tmp_path / "nowhere")
    with pytest.raises(cleave.Error, match="nowhere"):
        cleave.fit_codec(model, tmp_path / "nowhere")
