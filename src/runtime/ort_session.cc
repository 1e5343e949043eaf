#include "runtime/ort_session.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/shape_fits.h"
#include "core/status_macros.h"

namespace cleave::ort {
namespace {

struct TypePair {
  DataType dtype;
  ONNXTensorElementDataType onnx;
};

constexpr std::array kTypePairs = std::to_array<TypePair>({
    {DataType::kFloat32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {DataType::kFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {DataType::kBFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
    {DataType::kFloat64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {DataType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {DataType::kInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},
    {DataType::kInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {DataType::kInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {DataType::kUint8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {DataType::kUint16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16},
    {DataType::kUint32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {DataType::kUint64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64},
    {DataType::kBool, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},
    {DataType::kString, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING},
});

absl::StatusCode CodeOf(OrtErrorCode code, absl::string_view message) {
  if (absl::StrContains(message, "terminate flag")) return absl::StatusCode::kCancelled;
  if (absl::StrContains(message, "Failed to allocate memory") ||
      absl::StrContains(message, "bad_alloc")) {
    return absl::StatusCode::kResourceExhausted;
  }
  switch (code) {
    case ORT_NO_SUCHFILE:
    case ORT_NO_MODEL:
      return absl::StatusCode::kNotFound;
    case ORT_NOT_IMPLEMENTED:
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
    case ORT_FAIL:
    case ORT_RUNTIME_EXCEPTION:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

// ONNX Runtime reports an unknown shape and the shape of a scalar alike.
std::optional<Shape> ShapeOf(const Ort::ConstTensorTypeAndShapeInfo& info) {
  Shape shape = info.GetShape();
  if (shape.empty()) return std::nullopt;
  return shape;
}

Port MakePort(std::string name, const Ort::TypeInfo& info) {
  Port port{.name = std::move(name)};
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
    port.type_name = absl::StrCat("ONNX type ", static_cast<int>(info.GetONNXType()));
    return port;
  }
  const Ort::ConstTensorTypeAndShapeInfo tensor = info.GetTensorTypeAndShapeInfo();
  port.dtype = FromOnnxType(tensor.GetElementType());
  port.type_name = port.dtype
                       ? std::string(DataTypeName(*port.dtype))
                       : absl::StrCat("element type ", static_cast<int>(tensor.GetElementType()));
  port.shape = ShapeOf(tensor);
  std::vector<const char*> symbols(tensor.GetDimensionsCount());
  tensor.GetSymbolicDimensions(symbols.data(), symbols.size());
  port.symbols.assign(symbols.begin(), symbols.end());
  return port;
}

// ONNX Runtime has strings of its own, which may hold any bytes.
Ort::Value StringsToValue(const Tensor& tensor) {
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value value =
      Ort::Value::CreateTensor(allocator, tensor.shape().data(), tensor.shape().size(),
                               ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  std::size_t index = 0;
  for (const absl::string_view text : tensor.strings()) {
    char* place = value.GetResizedStringTensorElementBuffer(index++, text.size());
    std::copy(text.begin(), text.end(), place);
  }
  return value;
}

absl::StatusOr<Tensor> ValueToStrings(const Ort::Value& value,
                                      const Ort::TensorTypeAndShapeInfo& info) {
  std::vector<std::string> texts(info.GetElementCount());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i].resize(value.GetStringTensorElementLength(i));
    value.GetStringTensorElement(texts[i].size(), i, texts[i].data());
  }
  const std::vector<absl::string_view> views(texts.begin(), texts.end());
  return Tensor::FromStrings(info.GetShape(), views);
}

std::string PortNames(const std::vector<Port>& ports) {
  return absl::StrJoin(ports, ", ", [](std::string* out, const Port& port) {
    absl::StrAppend(out, "'", port.name, "'");
  });
}

}  // namespace

Ort::Env& Environment() {
  // It is never destroyed: sessions in static objects of an embedding program may outlive main().
  static Ort::Env& env = *[] {
    // The library that PyPI has reports to its maker, and logs that in files, from the
    // environment's creation on. Switching it off afterwards would be too late.
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    auto* made = new Ort::Env(ORT_LOGGING_LEVEL_FATAL, "cleave");
    made->DisableTelemetryEvents();
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    made->CreateAndRegisterAllocator(memory, nullptr);
    return made;
  }();
  return env;
}

absl::Status ToStatus(const Ort::Exception& error, absl::string_view what) {
  return {CodeOf(error.GetOrtErrorCode(), error.what()), absl::StrCat(what, ": ", error.what())};
}

ONNXTensorElementDataType ToOnnxType(DataType dtype) {
  for (const TypePair& pair : kTypePairs) {
    if (pair.dtype == dtype) return pair.onnx;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

std::optional<DataType> FromOnnxType(ONNXTensorElementDataType type) {
  for (const TypePair& pair : kTypePairs) {
    if (pair.onnx == type) return pair.dtype;
  }
  return std::nullopt;
}

absl::StatusOr<ValuePtr> ToValue(const Tensor& tensor, absl::string_view what) {
  static const Ort::MemoryInfo& memory =
      *new Ort::MemoryInfo(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault));
  try {
    auto value = std::make_shared<Value>();
    value->memory = tensor;
    if (tensor.dtype() == DataType::kString) {
      value->value = StringsToValue(tensor);
      return value;
    }
    // ONNX Runtime never writes to an input; its API only lacks the const.
    value->value = Ort::Value::CreateTensor(memory, const_cast<std::byte*>(tensor.data()),
                                            tensor.size_bytes(), tensor.shape().data(),
                                            tensor.shape().size(), ToOnnxType(tensor.dtype()));
    return value;
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what);
  }
}

absl::StatusOr<Tensor> ToTensor(const ValuePtr& value, absl::string_view what) {
  if (value->memory) return *value->memory;
  try {
    if (!value->value.IsTensor()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": found something that is not a dense tensor, expected a tensor"));
    }
    const Ort::TensorTypeAndShapeInfo info = value->value.GetTensorTypeAndShapeInfo();
    const std::optional<DataType> dtype = FromOnnxType(info.GetElementType());
    if (!dtype) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": found element type ", static_cast<int>(info.GetElementType()),
                       " of ONNX, expected a number, bool or string"));
    }
    if (*dtype == DataType::kString) return ValueToStrings(value->value, info);
    const std::size_t size_bytes = info.GetElementCount() * ElementSize(*dtype);
    return Tensor::Wrap(*dtype, info.GetShape(), value->value.GetTensorRawData(), size_bytes,
                        value);
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what);
  }
}

Session::Session(Ort::Session session, std::string what)
    : session_(std::move(session)), what_(std::move(what)) {
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    inputs_.push_back(
        MakePort(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
    outputs_.push_back(MakePort(session_.GetOutputNameAllocated(i, allocator).get(),
                                session_.GetOutputTypeInfo(i)));
  }
  for (const Port& port : inputs_) input_names_.push_back(port.name.c_str());
  for (const Port& port : outputs_) output_names_.push_back(port.name.c_str());
}

absl::StatusOr<std::unique_ptr<Session>> Session::FromBytes(absl::string_view bytes,
                                                            const std::string& folder,
                                                            Ort::SessionOptions options,
                                                            std::string what) {
  try {
    if (!folder.empty()) {
      options.AddConfigEntry("session.model_external_initializers_file_folder_path",
                             folder.c_str());
    }
    Ort::Session session(Environment(), bytes.data(), bytes.size(), options);
    return std::unique_ptr<Session>(new Session(std::move(session), std::move(what)));
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what);
  }
}

absl::StatusOr<std::unique_ptr<Session>> Session::FromFile(const std::string& path,
                                                           const Ort::SessionOptions& options,
                                                           std::string what) {
  try {
    Ort::Session session(Environment(), path.c_str(), options);
    return std::unique_ptr<Session>(new Session(std::move(session), std::move(what)));
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what);
  }
}

absl::StatusOr<std::vector<ValuePtr>> Session::Run(const std::vector<ValuePtr>& inputs,
                                                   const Ort::RunOptions& run_options) const {
  std::vector<const OrtValue*> in;
  in.reserve(inputs.size());
  for (const ValuePtr& value : inputs) in.push_back(value->value);
  std::vector<OrtValue*> out(outputs_.size(), nullptr);
  // Running a session is thread-safe and does not change it; the C API takes a mutable pointer.
  OrtSession* session = const_cast<Ort::Session&>(session_);
  OrtStatus* failed = Ort::GetApi().Run(session, run_options, input_names_.data(), in.data(),
                                        in.size(), output_names_.data(), out.size(), out.data());
  std::vector<ValuePtr> values;
  values.reserve(out.size());
  for (OrtValue* raw : out) {
    auto value = std::make_shared<Value>();
    value->value = Ort::Value(raw);
    values.push_back(std::move(value));
  }
  if (failed == nullptr) return values;
  const Ort::Status status(failed);
  const std::string message = status.GetErrorMessage();
  return absl::Status(CodeOf(status.GetErrorCode(), message), absl::StrCat(what_, ": ", message));
}

absl::StatusOr<Ort::IoBinding> Session::NewBinding() const {
  try {
    return Ort::IoBinding(const_cast<Ort::Session&>(session_));
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what_);
  }
}

absl::Status Session::RunBound(const Ort::IoBinding& binding,
                               const Ort::RunOptions& run_options) const {
  OrtSession* session = const_cast<Ort::Session&>(session_);
  OrtStatus* failed = Ort::GetApi().RunWithBinding(session, run_options, binding);
  if (failed == nullptr) return absl::OkStatus();
  const Ort::Status status(failed);
  const std::string message = status.GetErrorMessage();
  return {CodeOf(status.GetErrorCode(), message), absl::StrCat(what_, ": ", message)};
}

absl::StatusOr<std::string> Session::EndProfiling() {
  try {
    Ort::AllocatorWithDefaultOptions allocator;
    return std::string(session_.EndProfilingAllocated(allocator).get());
  } catch (const Ort::Exception& error) {
    return ToStatus(error, what_);
  }
}

absl::Status CheckFits(const Port& port, const Tensor& tensor, absl::string_view what) {
  if (port.dtype && *port.dtype != tensor.dtype()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": tensor '", port.name, "': found type ",
                                                   DataTypeName(tensor.dtype()), ", expected ",
                                                   DataTypeName(*port.dtype)));
  }
  if (port.shape && !ShapeFits(*port.shape, tensor.shape())) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": tensor '", port.name, "': found shape ",
                                                   ShapeString(tensor.shape()), ", expected ",
                                                   ShapeString(*port.shape)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ValuePtr>> BindInputs(const std::vector<Port>& ports,
                                                 const std::vector<NamedTensor>& tensors,
                                                 absl::string_view what) {
  std::vector<ValuePtr> values(ports.size());
  for (const NamedTensor& given : tensors) {
    std::size_t at = 0;
    while (at < ports.size() && ports[at].name != given.name) ++at;
    if (at == ports.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": found tensor '", given.name, "', expected ", PortNames(ports)));
    }
    if (values[at] != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": tensor '", given.name, "' is given twice"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckFits(ports[at], given.tensor, what));
    CLEAVE_ASSIGN_OR_RETURN(values[at], ToValue(given.tensor, what));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (values[i] == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": tensor '", ports[i].name, "' is missing"));
    }
  }
  return values;
}

}  // namespace cleave::ort
