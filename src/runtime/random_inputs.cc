#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "runtime/ort_session.h"

namespace cleave {
namespace {

template <typename Number>
void FillWith(Number value, std::string& bytes) {
  for (std::size_t at = 0; at + sizeof(Number) <= bytes.size(); at += sizeof(Number)) {
    std::memcpy(bytes.data() + at, &value, sizeof(Number));
  }
}

template <typename Float>
void FillUniform(std::string& bytes, std::mt19937_64& random) {
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  for (std::size_t at = 0; at + sizeof(Float) <= bytes.size(); at += sizeof(Float)) {
    const Float value(uniform(random));
    std::memcpy(bytes.data() + at, &value, sizeof(Float));
  }
}

void FillBytes(std::string& bytes, std::mt19937_64& random) {
  std::uniform_int_distribution<int> uniform(0, std::numeric_limits<std::uint8_t>::max());
  for (char& byte : bytes) byte = static_cast<char>(uniform(random));
}

// A valid value of an integer input of this name.
std::int64_t UsualInteger(const std::string& input) {
  constexpr std::int64_t kSamplingRate = 16000;
  const std::string name = absl::AsciiStrToLower(input);
  const auto holds = [&](absl::string_view word) { return absl::StrContains(name, word); };
  if (name == "sr" || holds("sample_rate") || holds("sampling_rate")) return kSamplingRate;
  return holds("type_id") || holds("segment") || holds("position") || holds("index") ? 0 : 1;
}

template <typename Number>
void FillWithUsual(const std::string& input, std::string& bytes) {
  FillWith(static_cast<Number>(UsualInteger(input)), bytes);
}

// Words of the columns that the model knows, and ordinary ones for all others.
absl::StatusOr<Tensor> RandomStrings(const TensorSpec& spec, std::int64_t elements,
                                     const ColumnWords& columns, std::mt19937_64& random) {
  static const std::vector<std::string>& ordinary = *new std::vector<std::string>{
      "apple", "blue", "cat", "green", "house", "Monday", "red", "river", "tuesday", "yes"};
  const std::size_t width =
      spec.shape.empty() ? 1
                         : std::max<std::size_t>(1, static_cast<std::size_t>(spec.shape.back()));
  std::vector<absl::string_view> strings;
  for (std::size_t i = 0; i < static_cast<std::size_t>(elements); ++i) {
    const std::size_t column = columns.size() == 1 ? 0 : i % width;
    const bool known = column < columns.size() && !columns[column].empty();
    const std::vector<std::string>& words = known ? columns[column] : ordinary;
    strings.push_back(words[random() % words.size()]);
  }
  return Tensor::FromStrings(spec.shape, strings);
}

void FillRandom(const TensorSpec& spec, std::string& bytes, std::mt19937_64& random) {
  switch (spec.dtype) {
    case DataType::kFloat32:
      return FillUniform<float>(bytes, random);
    case DataType::kFloat64:
      return FillUniform<double>(bytes, random);
    case DataType::kFloat16:
      return FillUniform<Ort::Float16_t>(bytes, random);
    case DataType::kBFloat16:
      return FillUniform<Ort::BFloat16_t>(bytes, random);
    case DataType::kInt8:
    case DataType::kUint8:
      return FillBytes(bytes, random);
    case DataType::kInt16:
    case DataType::kUint16:
      return FillWithUsual<std::uint16_t>(spec.name, bytes);
    case DataType::kInt32:
    case DataType::kUint32:
      return FillWithUsual<std::uint32_t>(spec.name, bytes);
    case DataType::kInt64:
    case DataType::kUint64:
      return FillWithUsual<std::uint64_t>(spec.name, bytes);
    case DataType::kBool:
      return FillWith(true, bytes);
    case DataType::kString:
      return;
  }
}

// The dimension that the sizes are of; 0 where it is not known.
std::int64_t SizeToSplit(const std::vector<TensorSpec>& inputs, const SplitSizes& split) {
  const auto data = std::find_if(inputs.begin(), inputs.end(),
                                 [&](const TensorSpec& spec) { return spec.name == split.data; });
  if (data == inputs.end()) return 0;
  const auto rank = static_cast<std::int64_t>(data->shape.size());
  const std::int64_t axis = split.axis < 0 ? split.axis + rank : split.axis;
  return axis >= 0 && axis < rank ? data->shape[static_cast<std::size_t>(axis)] : 0;
}

template <typename Number>
void FillParts(std::int64_t size, std::string& bytes) {
  const auto parts = static_cast<std::int64_t>(bytes.size() / sizeof(Number));
  for (std::int64_t i = 0; i < parts; ++i) {
    const auto part = static_cast<Number>(size / parts + (i < size % parts ? 1 : 0));
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(Number), &part, sizeof(Number));
  }
}

// Parts as equal as can be, which sum to `size`; a scalar is the size of each part.
void FillSplit(const TensorSpec& spec, std::int64_t size, std::string& bytes) {
  if (spec.shape.empty() || size <= 0) return;
  if (spec.dtype == DataType::kInt64) FillParts<std::int64_t>(size, bytes);
  if (spec.dtype == DataType::kInt32) FillParts<std::int32_t>(size, bytes);
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const std::vector<TensorSpec>& inputs,
                                                      std::uint64_t seed, const ValueHints& hints) {
  std::mt19937_64 random(seed);
  static const ColumnWords& no_words = *new ColumnWords;
  std::vector<NamedTensor> tensors;
  for (const TensorSpec& spec : inputs) {
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t elements, ElementCount(spec.shape));
    if (spec.dtype == DataType::kString) {
      const auto known = hints.words.find(spec.name);
      const ColumnWords& columns = known == hints.words.end() ? no_words : known->second;
      CLEAVE_ASSIGN_OR_RETURN(Tensor strings, RandomStrings(spec, elements, columns, random));
      tensors.push_back({spec.name, std::move(strings)});
      continue;
    }
    std::string bytes(static_cast<std::size_t>(elements) * ElementSize(spec.dtype), '\0');
    FillRandom(spec, bytes, random);
    if (const auto split = hints.splits.find(spec.name); split != hints.splits.end()) {
      FillSplit(spec, SizeToSplit(inputs, split->second), bytes);
    }
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor,
                            Tensor::FromBytes(spec.dtype, spec.shape, std::move(bytes)));
    tensors.push_back({spec.name, std::move(tensor)});
  }
  return tensors;
}

absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const Graph& graph, std::int64_t batch,
                                                      std::uint64_t seed) {
  CLEAVE_ASSIGN_OR_RETURN(const InputShapes shapes, ShapesAtBatch(graph, batch));
  return RandomInputs(SpecsOf(graph, shapes), seed, graph.value_hints());
}

}  // namespace cleave
