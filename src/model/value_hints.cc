#include "model/value_hints.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/string_view.h"

namespace cleave {
namespace {

// The lists of words that operators of ONNX have: OneHotEncoder and CategoryMapper, LabelEncoder
// (of both versions), TfIdfVectorizer.
constexpr absl::string_view kLists[] = {"cats_strings", "keys_strings", "classes_strings",
                                        "pool_strings"};
constexpr std::size_t kMostColumns = 4096;
// What is followed of all encoders together: a file may have many behind a long chain of nodes.
constexpr std::size_t kMostSteps = std::size_t{1} << 20;

bool IsOneOf(absl::string_view op, std::initializer_list<absl::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

const onnx::AttributeProto* FindAttribute(const onnx::NodeProto& node, absl::string_view name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

std::vector<std::string> WordsOf(const onnx::NodeProto& node) {
  for (const absl::string_view name : kLists) {
    const onnx::AttributeProto* list = FindAttribute(node, name);
    if (list != nullptr && list->strings_size() > 0) {
      return {list->strings().begin(), list->strings().end()};
    }
  }
  const onnx::AttributeProto* keys = FindAttribute(node, "keys_tensor");
  if (keys == nullptr) return {};
  return {keys->t().string_data().begin(), keys->t().string_data().end()};
}

std::vector<std::int64_t> IntegersOf(const onnx::TensorProto& tensor) {
  std::vector<std::int64_t> values(tensor.int64_data().begin(), tensor.int64_data().end());
  if (tensor.data_type() == onnx::TensorProto::INT64 && values.empty()) {
    values.resize(tensor.raw_data().size() / sizeof(std::int64_t));
    if (!values.empty()) {
      std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(std::int64_t));
    }
  }
  return values;
}

// Follows strings from an encoder back to the inputs.
class Tracer {
 public:
  explicit Tracer(const onnx::GraphProto& graph) : graph_(graph) {
    for (const onnx::NodeProto& node : graph.node()) {
      for (const std::string& output : node.output()) producers_[output] = &node;
    }
    for (const onnx::ValueInfoProto& input : graph.input()) {
      const auto& type = input.type().tensor_type();
      if (type.elem_type() == onnx::TensorProto::STRING) inputs_[input.name()] = &input;
    }
    for (const onnx::TensorProto& tensor : graph.initializer()) weights_[tensor.name()] = &tensor;
  }

  std::map<std::string, ColumnWords> Find() && {
    if (inputs_.empty()) return {};
    for (const onnx::NodeProto& node : graph_.node()) {
      const std::vector<std::string> words = WordsOf(node);
      if (words.empty() || node.input_size() == 0) continue;
      Follow(node.input(0), words);
    }
    return std::move(found_);
  }

 private:
  using Column = std::optional<std::size_t>;  // Nothing: all columns.

  void Follow(const std::string& encoded, const std::vector<std::string>& words) {
    seen_.clear();
    pending_ = {{encoded, std::nullopt}};
    while (!pending_.empty() && steps_ < kMostSteps) {
      ++steps_;
      const auto [tensor, column] = pending_.back();
      pending_.pop_back();
      if (!seen_.emplace(tensor, column).second) continue;
      if (inputs_.contains(tensor)) {
        Add(tensor, column, words);
      } else {
        GoBack(tensor, column);
      }
    }
  }

  void GoBack(const std::string& tensor, Column column) {
    const auto producer = producers_.find(tensor);
    if (producer == producers_.end() || producer->second->input_size() == 0) return;
    const onnx::NodeProto& node = *producer->second;
    if (IsOneOf(node.op_type(), {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast",
                                 "StringNormalizer", "Tokenizer"})) {
      pending_.emplace_back(node.input(0), column);
    } else if (node.op_type() == "Concat") {
      GoBackThroughConcat(node, column);
    } else if (IsOneOf(node.op_type(), {"ArrayFeatureExtractor", "Gather"})) {
      for (const Column picked : Picked(node, column)) {
        pending_.emplace_back(node.input(0), picked);
      }
    }
  }

  // Columns are counted through the inputs, whose width is 1 unless the file says otherwise.
  void GoBackThroughConcat(const onnx::NodeProto& node, Column column) {
    std::size_t first = 0;
    for (const std::string& part : node.input()) {
      const std::size_t width = WidthOf(part);
      if (!column) {
        pending_.emplace_back(part, std::nullopt);
      } else if (*column >= first && *column - first < width) {
        pending_.emplace_back(part, *column - first);
      }
      first += width;
    }
  }

  std::size_t WidthOf(const std::string& tensor) const {
    const auto input = inputs_.find(tensor);
    if (input == inputs_.end()) return 1;
    const auto& dims = input->second->type().tensor_type().shape().dim();
    const bool known = !dims.empty() && dims.rbegin()->dim_value() > 0;
    return known ? static_cast<std::size_t>(dims.rbegin()->dim_value()) : 1;
  }

  // The columns that a node with constant indices takes for its own column, or for all of them.
  std::vector<Column> Picked(const onnx::NodeProto& node, Column column) const {
    const auto weight = node.input_size() < 2 ? weights_.end() : weights_.find(node.input(1));
    if (weight == weights_.end()) return {};
    std::vector<Column> picked;
    const std::vector<std::int64_t> indices = IntegersOf(*weight->second);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] < 0 || (column && *column != i)) continue;
      picked.emplace_back(static_cast<std::size_t>(indices[i]));
    }
    return picked;
  }

  // Of two encoders behind one column, the first counts.
  void Add(const std::string& input, Column column, const std::vector<std::string>& words) {
    const std::size_t at = column.value_or(0);
    if (at >= kMostColumns) return;
    ColumnWords& columns = found_[input];
    if (columns.size() <= at) columns.resize(at + 1);
    if (columns[at].empty()) columns[at] = words;
  }

  const onnx::GraphProto& graph_;
  std::map<std::string, const onnx::NodeProto*> producers_;
  std::map<std::string, const onnx::ValueInfoProto*> inputs_;
  std::map<std::string, const onnx::TensorProto*> weights_;
  std::vector<std::pair<std::string, Column>> pending_;
  std::set<std::pair<std::string, Column>> seen_;
  std::size_t steps_ = 0;
  std::map<std::string, ColumnWords> found_;
};

std::map<std::string, SplitSizes> FindSplits(const onnx::GraphProto& graph) {
  std::set<std::string> inputs;
  for (const onnx::ValueInfoProto& input : graph.input()) inputs.insert(input.name());
  std::map<std::string, SplitSizes> splits;
  for (const onnx::NodeProto& node : graph.node()) {
    if (!IsOneOf(node.op_type(), {"Split", "SplitToSequence"}) || node.input_size() < 2) continue;
    if (!inputs.contains(node.input(0)) || !inputs.contains(node.input(1))) continue;
    const onnx::AttributeProto* axis = FindAttribute(node, "axis");
    splits[node.input(1)] = {node.input(0), axis == nullptr ? 0 : axis->i()};
  }
  return splits;
}

}  // namespace

ValueHints FindValueHints(const onnx::GraphProto& graph) {
  return {Tracer(graph).Find(), FindSplits(graph)};
}

}  // namespace cleave
