#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "runtime/ort_session.h"

namespace cleave {

struct WholeModel::Impl {
  std::string what;
  std::unique_ptr<ort::Session> session;
  std::vector<std::string> outputs;  // They are in the file's order.
};

WholeModel::WholeModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WholeModel::~WholeModel() = default;

absl::StatusOr<std::unique_ptr<WholeModel>> WholeModel::Create(const Graph& graph,
                                                               const RuntimeOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions session_options,
                          ort::MakeSessionOptions(options, ort::Arena::kOwn));
  const bool takes_half =
      std::any_of(graph.inputs().begin(), graph.inputs().end(),
                  [](const TensorSpec& input) { return input.dtype == DataType::kFloat16; });
  if (takes_half) ort::AvoidHalfCrash(session_options);
  auto impl = std::make_unique<Impl>();
  impl->what = graph.origin();
  // A file with outputs that are no tensors is loaded without them.
  const bool as_it_is = graph.outputs_are_the_files();
  if (graph.path().empty() || graph.is_part() || !as_it_is) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, graph.InstrumentedModel({}));
    CLEAVE_ASSIGN_OR_RETURN(
        impl->session,
        ort::Session::FromBytes(bytes, graph.folder(), std::move(session_options), impl->what));
  } else {
    CLEAVE_ASSIGN_OR_RETURN(impl->session,
                            ort::Session::FromFile(graph.path(), session_options, impl->what));
  }
  return std::unique_ptr<WholeModel>(new WholeModel(std::move(impl)));
}

absl::StatusOr<std::vector<NamedTensor>> WholeModel::Run(
    const std::vector<NamedTensor>& inputs) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ort::ValuePtr> bound,
                          ort::BindInputs(impl_->session->inputs(), inputs, impl_->what));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ort::ValuePtr> values,
                          impl_->session->Run(bound, Ort::RunOptions()));
  std::vector<NamedTensor> outputs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string& name = impl_->session->outputs()[i].name;
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor,
                            ort::ToTensor(values[i], absl::StrCat(impl_->what, ", ", name)));
    outputs.push_back({name, std::move(tensor)});
  }
  return outputs;
}

}  // namespace cleave
