"""A plain client of the Open Inference Protocol over gRPC, which knows nothing of cleave.

Its messages are generated from the repository's copy of the protocol's published definition.
"""
import importlib
import pathlib
import sys
import tempfile

import grpc
import numpy as np

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto" / "open_inference_grpc.proto"
SECONDS = 120
DATATYPES = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}


def _messages():
    from grpc_tools import protoc
    name = PROTO.stem + "_pb2"
    if name not in sys.modules:
        with tempfile.TemporaryDirectory() as folder:
            if protoc.main(["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", str(PROTO)]):
                raise RuntimeError(f"{PROTO}: protoc could not read it")
            sys.path.insert(0, folder)
            try:
                importlib.import_module(name)
            finally:
                sys.path.remove(folder)
    return sys.modules[name]


def _strings_to_raw(array):
    """Returns the protocol's form of strings: each as four bytes of length and its bytes."""
    texts = [str(text).encode() for text in array.flat]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _raw_to_strings(raw):
    texts = []
    while raw:
        end = 4 + int.from_bytes(raw[:4], "little")
        texts.append(raw[4:end].decode())
        raw = raw[end:]
    return np.array(texts, np.str_)


class Refused(Exception):
    """The server's own words."""


def infer(address, model, feeds):
    """Returns {output: array}; `feeds` is {input: array}."""
    pb = _messages()
    request = pb.ModelInferRequest(model_name=model)
    for name, array in feeds.items():
        texts = array.dtype.kind == "U"
        datatype = "BYTES" if texts else DATATYPES.get(str(array.dtype))
        if datatype is None:
            raise Refused(f"input '{name}': this client sends no {array.dtype}")
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(
            _strings_to_raw(array) if texts else np.ascontiguousarray(array).tobytes())
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=unlimited) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer",
                                   request_serializer=pb.ModelInferRequest.SerializeToString,
                                   response_deserializer=pb.ModelInferResponse.FromString)
        try:
            response = call(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise Refused(f"{error.code().name}: {error.details()}") from error
    dtypes = {datatype: np.dtype(name) for name, datatype in DATATYPES.items()}
    outputs = {}
    for place, output in enumerate(response.outputs):
        raw = response.raw_output_contents[place]
        array = (_raw_to_strings(raw) if output.datatype == "BYTES"
                 else np.frombuffer(raw, dtypes[output.datatype]))
        outputs[output.name] = array.reshape(output.shape)
    return outputs
