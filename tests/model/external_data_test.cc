#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/graph.h"
#include "model/plain_model.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ::testing::AllOf;
using ::testing::HasSubstr;
using FieldPath = std::vector<const FieldDescriptor*>;

// How often one kind of message may hold itself on a path: a subgraph of a subgraph is reached.
constexpr int kMaxNesting = 2;

// Finds every path of fields by which a message of this kind reaches a tensor, from the descriptors
// of the format.
void FindPaths(const Descriptor& from, FieldPath& path, std::map<const Descriptor*, int>& nesting,
               std::vector<FieldPath>& found) {
  if (&from == onnx::TensorProto::descriptor()) {
    found.push_back(path);
    return;
  }
  if (nesting[&from] == kMaxNesting) return;
  ++nesting[&from];
  for (int i = 0; i < from.field_count(); ++i) {
    const FieldDescriptor* field = from.field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    path.push_back(field);
    FindPaths(*field->message_type(), path, nesting, found);
    path.pop_back();
  }
  --nesting[&from];
}

std::vector<FieldPath> PathsToTensors() {
  FieldPath path;
  std::map<const Descriptor*, int> nesting;
  std::vector<FieldPath> found;
  FindPaths(*onnx::ModelProto::descriptor(), path, nesting, found);
  return found;
}

std::string NameOf(const FieldPath& path) {
  std::string name;
  for (const FieldDescriptor* field : path) name += (name.empty() ? "" : ".") + field->name();
  return name;
}

onnx::ModelProto ReluModel() {
  onnx::ModelProto model = testing::EmptyModel();
  testing::Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  testing::Describe("y", {-1, 4}, *model.mutable_graph()->add_output());
  testing::AddNode(*model.mutable_graph(), "Relu", {"x"}, "y");
  return model;
}

onnx::TensorProto ExternalTensor(const std::string& location) {
  onnx::TensorProto tensor;
  tensor.set_name("secret");
  tensor.set_data_type(onnx::TensorProto::UINT8);
  tensor.add_dims(4);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  onnx::StringStringEntryProto& entry = *tensor.add_external_data();
  entry.set_key("location");
  entry.set_value(location);
  return tensor;
}

// Returns a model that could be read but for this tensor.
onnx::ModelProto ModelWith(const FieldPath& path, const onnx::TensorProto& tensor) {
  onnx::ModelProto model = ReluModel();
  Message* at = &model;
  for (const FieldDescriptor* field : path) {
    at = field->is_repeated() ? at->GetReflection()->AddMessage(at, field)
                              : at->GetReflection()->MutableMessage(at, field);
  }
  at->CopyFrom(tensor);
  return model;
}

std::string RefusalFromMemory(const onnx::ModelProto& model) {
  return std::string(Graph::FromBytes(model.SerializeAsString(), "m.onnx").status().message());
}

// The folder of a model that is loaded: it holds a file, and a link to a file outside.
class ModelFolder {
 public:
  ModelFolder() {
    outside_.Write("secret", "root");
    inside_.Write("own", "data");
    std::filesystem::create_symlink(outside_.path() + "/secret", inside_.path() + "/link");
    std::filesystem::create_directory_symlink(outside_.path(), inside_.path() + "/folder");
    std::filesystem::create_directories(inside_.path() + "/*/_ORT_MEM_ADDR_");
    inside_.Write("*/_ORT_MEM_ADDR_/*", "data");
  }

  std::vector<std::string> LocationsThatLeadOut() const {
    const std::string up = "../" + std::filesystem::path(outside_.path()).filename().string();
    return {up + "/secret",  outside_.path() + "/secret", "link",
            "folder/secret", "*/_ORT_MEM_ADDR_/*",        ""};
  }

  absl::Status Load(const onnx::ModelProto& model) const {
    return Graph::Load(inside_.Write("m.onnx", model.SerializeAsString())).status();
  }

 private:
  testing::TempDir outside_;
  testing::TempDir inside_;
};

TEST(ExternalData, TheWalkReachesEveryKindOfPlace) {
  std::vector<std::string> names;
  for (const FieldPath& path : PathsToTensors()) names.push_back(NameOf(path));
  for (const char* expected :
       {"graph.initializer", "graph.sparse_initializer.values", "graph.sparse_initializer.indices",
        "graph.node.attribute.t", "graph.node.attribute.tensors",
        "graph.node.attribute.sparse_tensor.values", "graph.node.attribute.sparse_tensors.indices",
        "graph.node.attribute.g.initializer", "graph.node.attribute.graphs.node.attribute.t",
        "functions.node.attribute.t", "functions.node.attribute.g.sparse_initializer.values",
        "training_info.initialization.initializer", "training_info.algorithm.node.attribute.t"}) {
    EXPECT_THAT(names, ::testing::Contains(expected));
  }
}

TEST(ExternalData, AModelFromMemoryHasNoneAnywhere) {
  for (const FieldPath& path : PathsToTensors()) {
    const std::string bytes = ModelWith(path, ExternalTensor("secret")).SerializeAsString();
    const absl::Status refused = Graph::FromBytes(bytes, "m.onnx").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << NameOf(path);
    EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("external data of 'secret'")))
        << NameOf(path);
    EXPECT_FALSE(ReadPlainModel(bytes, "m.onnx").ok()) << NameOf(path);
  }
}

TEST(ExternalData, ALoadedModelStaysInItsFolderEverywhere) {
  const ModelFolder folder;
  for (const FieldPath& path : PathsToTensors()) {
    for (const std::string& location : folder.LocationsThatLeadOut()) {
      const absl::Status refused = folder.Load(ModelWith(path, ExternalTensor(location)));
      EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument)
          << NameOf(path) << " at '" << location << "'";
      EXPECT_THAT(std::string(refused.message()), HasSubstr("external data of 'secret'"))
          << NameOf(path);
    }
  }
  onnx::ModelProto own = ReluModel();
  *own.mutable_graph()->add_initializer() = ExternalTensor("own");
  EXPECT_TRUE(folder.Load(own).ok()) << folder.Load(own);
}

TEST(ExternalData, ALocationWithoutItsMarkIsRefusedFromMemoryToo) {
  onnx::ModelProto model = ReluModel();
  *model.mutable_graph()->add_initializer() = ExternalTensor("secret");
  model.mutable_graph()->mutable_initializer(0)->clear_data_location();
  EXPECT_THAT(RefusalFromMemory(model), HasSubstr("external data of 'secret' (graph.initializer"));
}

// The functions of later versions of ONNX have default attributes in a field of this number. It is
// unknown here, passed on unread, and read by an ONNX Runtime that knows it.
constexpr int kUnknownField = 1234;

TEST(ExternalData, IsRefusedInFieldsThatOnlyALaterVersionKnows) {
  onnx::AttributeProto attribute;
  attribute.set_name("value");
  *attribute.mutable_t() = ExternalTensor("secret");
  onnx::ModelProto model = ReluModel();
  onnx::FunctionProto& function = *model.add_functions();
  function.GetReflection()->MutableUnknownFields(&function)->AddLengthDelimited(
      kUnknownField, attribute.SerializeAsString());
  EXPECT_THAT(RefusalFromMemory(model),
              AllOf(HasSubstr("external data"), HasSubstr("functions[0]")));
  EXPECT_THAT(std::string(ModelFolder().Load(model).message()), HasSubstr("external data"));
}

TEST(ExternalData, IsRefusedInAnUnknownFieldThatComesInTwoParts) {
  onnx::TensorProto location;
  location.set_data_location(onnx::TensorProto::EXTERNAL);
  onnx::TensorProto rest = ExternalTensor("secret");
  rest.clear_data_location();
  onnx::ModelProto model = ReluModel();
  auto& unknown = *model.GetReflection()->MutableUnknownFields(&model);
  unknown.AddLengthDelimited(kUnknownField, rest.SerializeAsString());
  unknown.AddLengthDelimited(kUnknownField, location.SerializeAsString());
  EXPECT_THAT(RefusalFromMemory(model), HasSubstr("external data"));
}

TEST(ExternalData, OtherUnknownFieldsArePassedOn) {
  onnx::StringStringEntryProto entry;
  entry.set_key("pkg.torch.onnx.name_scopes");
  entry.set_value("['', 'p']");
  onnx::ModelProto model = ReluModel();
  onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  auto& unknown = *node.GetReflection()->MutableUnknownFields(&node);
  unknown.AddLengthDelimited(kUnknownField, entry.SerializeAsString());
  unknown.AddVarint(onnx::TensorProto::kDataLocationFieldNumber, onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(RefusalFromMemory(model), "");
}

}  // namespace
}  // namespace cleave
