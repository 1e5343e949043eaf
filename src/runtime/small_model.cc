#include "runtime/small_model.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "model/plain_model.h"
#include "runtime/ort_session.h"

namespace cleave {
namespace {

std::size_t CountOf(const TensorSpec& spec) {
  std::size_t count = 1;
  for (const std::int64_t size : spec.shape) count *= static_cast<std::size_t>(size);
  return count;
}

absl::Status CheckPort(const TensorSpec& found, const TensorSpec& expected,
                       const std::string& what) {
  if (found.dtype != expected.dtype) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": found type ", DataTypeName(found.dtype),
                                                   ", expected ", DataTypeName(expected.dtype)));
  }
  if (found.shape != expected.shape) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": found shape ", ShapeString(found.shape),
                                                   ", expected ", ShapeString(expected.shape)));
  }
  return absl::OkStatus();
}

absl::Status CheckPorts(const std::vector<TensorSpec>& found,
                        const std::vector<TensorSpec>& expected, const std::string& what) {
  for (const TensorSpec& spec : expected) {
    const auto at = std::find_if(found.begin(), found.end(), [&spec](const TensorSpec& other) {
      return other.name == spec.name;
    });
    if (at == found.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " '", spec.name, "': found none, expected one"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckPort(*at, spec, absl::StrCat(what, " '", spec.name, "'")));
  }
  if (found.size() == expected.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, "s: found ", found.size(), ", expected ", expected.size()));
}

}  // namespace

struct SmallModel::Lane::Impl {
  const ort::Session* session = nullptr;
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<float>> outputs;
  std::vector<Ort::Value> values;  // They view the vectors, so they are destroyed first.
  Ort::IoBinding binding{nullptr};
  Ort::RunOptions run_options;

  void Bind(const Ort::MemoryInfo& memory, const TensorSpec& spec, std::vector<float>& buffer) {
    buffer.assign(CountOf(spec), 0.0F);
    values.push_back(Ort::Value::CreateTensor<float>(memory, buffer.data(), buffer.size(),
                                                     spec.shape.data(), spec.shape.size()));
  }
};

SmallModel::Lane::Lane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SmallModel::Lane::~Lane() = default;

std::span<float> SmallModel::Lane::input(int index) { return impl_->inputs[index]; }
std::span<const float> SmallModel::Lane::output(int index) const { return impl_->outputs[index]; }
absl::Status SmallModel::Lane::Run() {
  return impl_->session->RunBound(impl_->binding, impl_->run_options);
}

SmallModel::SmallModel(std::unique_ptr<ort::Session> session, std::vector<TensorSpec> inputs,
                       std::vector<TensorSpec> outputs)
    : session_(std::move(session)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}
SmallModel::~SmallModel() = default;

absl::StatusOr<std::unique_ptr<SmallModel>> SmallModel::Create(absl::string_view bytes,
                                                               const std::string& origin,
                                                               std::vector<TensorSpec> inputs,
                                                               std::vector<TensorSpec> outputs) {
  CLEAVE_ASSIGN_OR_RETURN(const PlainModel plain, ReadPlainModel(bytes, origin));
  CLEAVE_RETURN_IF_ERROR(CheckPorts(plain.inputs, inputs, origin + ": input"));
  CLEAVE_RETURN_IF_ERROR(CheckPorts(plain.outputs, outputs, origin + ": output"));
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions options,
                          ort::MakeSessionOptions(RuntimeOptions(), ort::Arena::kOwn));
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<ort::Session> session,
      ort::Session::FromBytes(bytes, /*folder=*/"", std::move(options), origin));
  return std::unique_ptr<SmallModel>(
      new SmallModel(std::move(session), std::move(inputs), std::move(outputs)));
}

absl::StatusOr<std::unique_ptr<SmallModel::Lane>> SmallModel::NewLane() const {
  auto impl = std::make_unique<Lane::Impl>();
  impl->session = session_.get();
  impl->inputs.resize(inputs_.size());
  impl->outputs.resize(outputs_.size());
  try {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    CLEAVE_ASSIGN_OR_RETURN(impl->binding, session_->NewBinding());
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      impl->Bind(memory, inputs_[i], impl->inputs[i]);
      impl->binding.BindInput(inputs_[i].name.c_str(), impl->values.back());
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      impl->Bind(memory, outputs_[i], impl->outputs[i]);
      impl->binding.BindOutput(outputs_[i].name.c_str(), impl->values.back());
    }
  } catch (const Ort::Exception& error) {
    return ort::ToStatus(error, "small model");
  }
  return std::unique_ptr<Lane>(new Lane(std::move(impl)));
}

}  // namespace cleave
