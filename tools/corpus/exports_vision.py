"""Exports of networks that look at pictures: ultralytics and torchvision, with random weights."""
import os
import pathlib
import shutil

OPSET = 17
SIDE = 320


def _yolo(config, **flags):
    def export(path):
        import torch
        from ultralytics import YOLO
        torch.manual_seed(1)
        os.chdir(path.parent)
        made = YOLO(f"{config}.yaml").export(format="onnx", imgsz=SIDE, **flags)
        shutil.move(made, path)
    return export


def _onnx_export(module, example, path, dynamo, **more):
    import torch
    if not dynamo:
        more.setdefault("opset_version", OPSET)
    torch.onnx.export(module.eval(), example, str(path), dynamo=dynamo, **more)


def _torchvision(make, example, dynamo=False, **more):
    def export(path):
        import torch
        torch.manual_seed(1)
        _onnx_export(make(), example(torch), path, dynamo, **more)
    return export


def _detection(name):
    def make():
        import torchvision
        return getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None)
    return _torchvision(make, lambda torch: ([torch.rand(3, SIDE, SIDE)],),
                        input_names=["image"], output_names=["boxes", "labels", "scores"])


class _Segmentation:
    """Made at the time of the export, since it needs torch."""

    @staticmethod
    def make():
        import torch
        import torchvision

        class Only(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.network = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(
                    weights=None, weights_backbone=None)

            def forward(self, image):
                return self.network(image)["out"]
        return Only()


def _classifier(name):
    def make():
        import torchvision
        return getattr(torchvision.models, name)(weights=None)
    return make


def _dynamo_batch(torch):
    return {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}


def _dynamo_classifier(name):
    def export(path):
        import torch
        torch.manual_seed(1)
        _onnx_export(_classifier(name)(), (torch.rand(2, 3, 224, 224),), path, True,
                     input_names=["image"], output_names=["logits"], external_data=False,
                     **_dynamo_batch(torch))
    return export


def _quantized(make_float):
    def export(path):
        from onnxruntime.quantization import QuantType, quantize_dynamic
        whole = path.with_suffix(".float.onnx")
        make_float(whole)
        quantize_dynamic(str(whole), str(path), weight_type=QuantType.QUInt8)
        pathlib.Path(whole).unlink()
    return export


def _statically_quantized(make_float, name, shape):
    def export(path):
        import numpy as np
        from onnxruntime.quantization import CalibrationDataReader, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Random(CalibrationDataReader):
            def __init__(self):
                random = np.random.default_rng(1)
                self.left = [random.random(shape, np.float32) for _ in range(2)]

            def get_next(self):
                return {name: self.left.pop()} if self.left else None

        whole, prepared = path.with_suffix(".float.onnx"), path.with_suffix(".prepared.onnx")
        make_float(whole)
        quant_pre_process(str(whole), str(prepared))
        quantize_static(str(prepared), str(path), Random())
        whole.unlink()
        prepared.unlink()
    return export


_DYNAMIC_PICTURE = {"image": {0: "batch", 2: "height", 3: "width"},
                    "scores": {0: "batch", 2: "height", 3: "width"}}
_mobilenet = _torchvision(_classifier("mobilenet_v3_small"), lambda torch: torch.rand(1, 3, 224, 224),
                          input_names=["image"], output_names=["logits"])

ULTRALYTICS = "ultralytics"
TORCHVISION = "torchvision"
EXPORTS = {
    "yolov8n": (ULTRALYTICS, _yolo("yolov8n")),
    "yolov8n_dynamic": (ULTRALYTICS, _yolo("yolov8n", dynamic=True)),
    "yolov8n_nms": (ULTRALYTICS, _yolo("yolov8n", nms=True, conf=1e-6)),
    "yolov8n_half": (ULTRALYTICS, _yolo("yolov8n", half=True)),
    "yolov8n_static_int8": (ULTRALYTICS + ", onnxruntime.quantization", _statically_quantized(
        _yolo("yolov8n"), "images", (1, 3, SIDE, SIDE))),
    "yolov8n_seg": (ULTRALYTICS, _yolo("yolov8n-seg")),
    "yolo11n": (ULTRALYTICS, _yolo("yolo11n")),
    "yolo11n_dynamic": (ULTRALYTICS, _yolo("yolo11n", dynamic=True)),
    "yolo11n_nms": (ULTRALYTICS, _yolo("yolo11n", nms=True, conf=1e-6)),
    "yolo11n_dynamic_nms": (ULTRALYTICS, _yolo("yolo11n", dynamic=True, nms=True, conf=1e-6)),
    "yolo11n_pose": (ULTRALYTICS, _yolo("yolo11n-pose")),
    "yolo11n_cls": (ULTRALYTICS, _yolo("yolo11n-cls")),
    "ssdlite320": (TORCHVISION, _detection("ssdlite320_mobilenet_v3_large")),
    "faster_rcnn": (TORCHVISION, _detection("fasterrcnn_mobilenet_v3_large_320_fpn")),
    "deeplabv3": (TORCHVISION, _torchvision(
        _Segmentation.make, lambda torch: torch.rand(1, 3, SIDE, SIDE), input_names=["image"],
        output_names=["scores"])),
    "deeplabv3_dynamic": (TORCHVISION, _torchvision(
        _Segmentation.make, lambda torch: torch.rand(2, 3, SIDE, SIDE), input_names=["image"],
        output_names=["scores"], dynamic_axes=_DYNAMIC_PICTURE)),
    "mobilenet_v3_dynamo": (TORCHVISION, _dynamo_classifier("mobilenet_v3_small")),
    "mobilenet_v3_uint8": (TORCHVISION + ", onnxruntime.quantization", _quantized(_mobilenet)),
    "mobilenet_v3_static_int8": (TORCHVISION + ", onnxruntime.quantization", _statically_quantized(
        _mobilenet, "image", (1, 3, 224, 224))),
}
