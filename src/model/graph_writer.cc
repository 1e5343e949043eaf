#include "model/graph_writer.h"

#include <onnx/onnx_pb.h>

#include <functional>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/file.h"

namespace cleave {
namespace {

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOpset = 13;
constexpr const char* kBatch = "batch";

void Declare(absl::string_view name, const Shape& shape, onnx::ValueInfoProto& out) {
  out.set_name(std::string(name));
  auto& tensor = *out.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param(kBatch);
  for (const std::int64_t size : shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
}

void SetInts(absl::string_view name, const std::vector<std::int64_t>& values,
             onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

void SetInt(absl::string_view name, std::int64_t value, onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

std::int64_t Product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

struct GraphWriter::Impl {
  onnx::ModelProto model;
  std::map<std::string, Shape, std::less<>> shapes;
  absl::Status fault;

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  bool Refuse(absl::string_view name, absl::string_view why) {
    if (fault.ok()) {
      fault =
          absl::InvalidArgumentError(absl::StrCat(model.graph().name(), ": '", name, "': ", why));
    }
    return false;
  }

  bool Define(absl::string_view name, Shape shape) {
    if (!fault.ok()) return false;
    if (name.empty()) return Refuse(name, "found an empty name");
    for (const std::int64_t size : shape) {
      if (size < 1) {
        return Refuse(
            name, absl::StrCat("found the shape ", ShapeString(shape), ", expected sizes from 1"));
      }
    }
    if (!shapes.emplace(std::string(name), std::move(shape)).second) {
      return Refuse(name, "the name is taken");
    }
    return true;
  }

  // Returns the input's shape, or nullptr after a fault. A `rank` of 0 accepts any.
  const Shape* Find(absl::string_view name, absl::string_view input, std::size_t rank) {
    if (!fault.ok()) return nullptr;
    const auto found = shapes.find(input);
    if (found == shapes.end()) {
      Refuse(name, absl::StrCat("reads '", input, "', which nothing has written"));
      return nullptr;
    }
    if (rank != 0 && found->second.size() != rank) {
      Refuse(name, absl::StrCat("found an input of ", found->second.size(),
                                " dimensions beside the batch, expected ", rank));
      return nullptr;
    }
    return &found->second;
  }

  bool CheckCount(absl::string_view name, absl::string_view what, std::size_t found,
                  std::int64_t expected) {
    if (static_cast<std::int64_t>(found) == expected) return true;
    return Refuse(name, absl::StrCat(what, ": found ", found, " values, expected ", expected));
  }

  onnx::NodeProto& AddNode(absl::string_view op, absl::string_view name, absl::string_view input) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(std::string(op));
    node.set_name(std::string(name));
    node.add_input(std::string(input));
    node.add_output(std::string(name));
    return node;
  }

  void AddInitializer(const std::string& name, const Shape& shape, std::span<const float> values,
                      onnx::NodeProto& node) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    // The bytes are little-endian, as this machine is.
    tensor.set_raw_data(values.data(), values.size_bytes());
    node.add_input(name);
  }

  // Returns a convolution whose kernel has this shape, without strides, dilations and padding;
  // nullptr after a fault.
  onnx::NodeProto* AddConv(absl::string_view name, absl::string_view input, const Shape& kernel,
                           const Shape& out, const WriterWeights& weights) {
    if (!CheckCount(name, "weights", weights.weights.size(), Product(kernel)) ||
        !CheckCount(name, "bias", weights.bias.size(), out.front()) || !Define(name, out)) {
      return nullptr;
    }
    onnx::NodeProto& node = AddNode("Conv", name, input);
    AddInitializer(absl::StrCat(name, ".weight"), kernel, weights.weights, node);
    AddInitializer(absl::StrCat(name, ".bias"), {out.front()}, weights.bias, node);
    SetInts("kernel_shape", {kernel[2], kernel[3]}, node);
    return &node;
  }
};

GraphWriter::GraphWriter(absl::string_view graph_name) : impl_(std::make_unique<Impl>()) {
  impl_->model.set_ir_version(kIrVersion);
  impl_->model.set_producer_name("cleave");
  impl_->model.add_opset_import()->set_version(kOpset);
  impl_->graph().set_name(std::string(graph_name));
}

GraphWriter::~GraphWriter() = default;

std::string GraphWriter::Input(absl::string_view name, const Shape& shape) {
  if (impl_->Define(name, shape)) Declare(name, shape, *impl_->graph().add_input());
  return std::string(name);
}

std::string GraphWriter::Conv(absl::string_view name, absl::string_view input,
                              std::int64_t out_channels, std::int64_t kernel, std::int64_t stride,
                              std::int64_t padding, const WriterWeights& weights) {
  std::string output(name);
  const Shape* in = impl_->Find(name, input, 3);
  if (in == nullptr) return output;
  if (kernel < 1 || stride < 1 || padding < 0) {
    impl_->Refuse(name, absl::StrCat("found kernel ", kernel, ", stride ", stride, ", padding ",
                                     padding, ", expected at least 1, 1 and 0"));
    return output;
  }
  const auto side = [&](std::int64_t size) {
    const std::int64_t room = size + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
  };
  const Shape out = {out_channels, side((*in)[1]), side((*in)[2])};
  onnx::NodeProto* node =
      impl_->AddConv(name, input, {out_channels, (*in)[0], kernel, kernel}, out, weights);
  if (node == nullptr) return output;
  SetInts("strides", {stride, stride}, *node);
  SetInts("pads", {padding, padding, padding, padding}, *node);
  return output;
}

std::string GraphWriter::DilatedConv(absl::string_view name, absl::string_view input,
                                     std::int64_t out_channels, std::int64_t kernel,
                                     std::int64_t dilation, const WriterWeights& weights) {
  std::string output(name);
  const Shape* in = impl_->Find(name, input, 3);
  if (in == nullptr) return output;
  if (kernel < 1 || kernel % 2 == 0 || dilation < 1) {
    impl_->Refuse(name, absl::StrCat("found kernel ", kernel, ", dilation ", dilation,
                                     ", expected an odd one and at least 1"));
    return output;
  }
  const Shape out = {out_channels, (*in)[1], (*in)[2]};
  onnx::NodeProto* node =
      impl_->AddConv(name, input, {out_channels, (*in)[0], kernel, kernel}, out, weights);
  if (node == nullptr) return output;
  const std::int64_t pad = dilation * (kernel - 1) / 2;
  SetInts("dilations", {dilation, dilation}, *node);
  SetInts("pads", {pad, pad, pad, pad}, *node);
  return output;
}

std::string GraphWriter::Add(absl::string_view name, absl::string_view a, absl::string_view b) {
  std::string output(name);
  const Shape* first = impl_->Find(name, a, 0);
  const Shape* second = impl_->Find(name, b, 0);
  if (first == nullptr || second == nullptr) return output;
  if (*first != *second) {
    impl_->Refuse(name, absl::StrCat("found ", ShapeString(*first), " and ", ShapeString(*second),
                                     ", expected one shape"));
    return output;
  }
  if (impl_->Define(name, *first)) impl_->AddNode("Add", name, a).add_input(std::string(b));
  return output;
}

std::string GraphWriter::Relu(absl::string_view name, absl::string_view input) {
  const Shape* in = impl_->Find(name, input, 0);
  if (in != nullptr && impl_->Define(name, *in)) impl_->AddNode("Relu", name, input);
  return std::string(name);
}

std::string GraphWriter::MaxPool(absl::string_view name, absl::string_view input,
                                 std::int64_t kernel, std::int64_t stride) {
  std::string output(name);
  const Shape* in = impl_->Find(name, input, 3);
  if (in == nullptr) return output;
  if (kernel < 1 || stride < 1) {
    impl_->Refuse(name, absl::StrCat("found kernel ", kernel, ", stride ", stride,
                                     ", expected at least 1 and 1"));
    return output;
  }
  const auto side = [&](std::int64_t size) {
    return size < kernel ? 0 : (size - kernel) / stride + 1;
  };
  if (!impl_->Define(name, {(*in)[0], side((*in)[1]), side((*in)[2])})) return output;
  onnx::NodeProto& node = impl_->AddNode("MaxPool", name, input);
  SetInts("kernel_shape", {kernel, kernel}, node);
  SetInts("strides", {stride, stride}, node);
  return output;
}

std::string GraphWriter::GlobalAveragePool(absl::string_view name, absl::string_view input) {
  const Shape* in = impl_->Find(name, input, 3);
  if (in != nullptr && impl_->Define(name, {(*in)[0], 1, 1})) {
    impl_->AddNode("GlobalAveragePool", name, input);
  }
  return std::string(name);
}

std::string GraphWriter::Flatten(absl::string_view name, absl::string_view input) {
  const Shape* in = impl_->Find(name, input, 0);
  if (in != nullptr && impl_->Define(name, {Product(*in)})) {
    SetInt("axis", 1, impl_->AddNode("Flatten", name, input));
  }
  return std::string(name);
}

std::string GraphWriter::Gemm(absl::string_view name, absl::string_view input,
                              std::int64_t out_features, const WriterWeights& weights) {
  std::string output(name);
  const Shape* in = impl_->Find(name, input, 1);
  if (in == nullptr) return output;
  const Shape matrix = {out_features, (*in)[0]};
  if (!impl_->CheckCount(name, "weights", weights.weights.size(), Product(matrix)) ||
      !impl_->CheckCount(name, "bias", weights.bias.size(), out_features) ||
      !impl_->Define(name, {out_features})) {
    return output;
  }
  onnx::NodeProto& node = impl_->AddNode("Gemm", name, input);
  impl_->AddInitializer(output + ".weight", matrix, weights.weights, node);
  impl_->AddInitializer(output + ".bias", {out_features}, weights.bias, node);
  SetInt("transB", 1, node);
  return output;
}

void GraphWriter::Output(absl::string_view tensor) {
  const Shape* shape = impl_->Find("output", tensor, 0);
  if (shape == nullptr) return;
  for (const auto& output : impl_->model.graph().output()) {
    if (output.name() == tensor) {
      impl_->Refuse(tensor, "is an output already");
      return;
    }
  }
  Declare(tensor, *shape, *impl_->graph().add_output());
}

void GraphWriter::Metadata(absl::string_view key, absl::string_view value) {
  onnx::StringStringEntryProto& entry = *impl_->model.add_metadata_props();
  entry.set_key(std::string(key));
  entry.set_value(std::string(value));
}

Shape GraphWriter::ShapeOf(absl::string_view tensor) const {
  const auto found = impl_->shapes.find(tensor);
  return found == impl_->shapes.end() ? Shape{} : found->second;
}

absl::StatusOr<std::string> GraphWriter::Serialize() const {
  if (!impl_->fault.ok()) return impl_->fault;
  if (impl_->model.graph().output().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(impl_->model.graph().name(), ": has no output"));
  }
  std::string bytes;
  if (!impl_->model.SerializeToString(&bytes)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(impl_->model.graph().name(), ": a model of more than 2 GiB"));
  }
  return bytes;
}

absl::Status GraphWriter::Save(const std::string& path) const {
  const absl::StatusOr<std::string> bytes = Serialize();
  return bytes.ok() ? WriteFileAtomically(path, *bytes) : bytes.status();
}

}  // namespace cleave
