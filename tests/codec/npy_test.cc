#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "codec/image.h"

namespace cleave {
namespace {

using testing::HasSubstr;

// Returns a file of this version with this header and these data bytes.
std::string Npy(std::string header, absl::string_view data, int version = 1) {
  header.push_back('\n');
  std::string bytes("\x93NUMPY", 6);
  bytes.push_back(static_cast<char>(version));
  bytes.push_back('\0');
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFF));
  }
  bytes += header;
  bytes.append(data.data(), data.size());
  return bytes;
}

std::string Header(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

std::string ErrorOf(const std::string& bytes) {
  const absl::Status status = NpyToTensor(bytes, "x.npy").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(NpyTest, ReadsWhatNumPyWrites) {
  // This is np.save of np.array([[1, 2], [3, 4]], dtype='<i2'), with the header as NumPy 1.24
  // writes it.
  const std::string header = Header("<i2", "False", "(2, 2)");
  const std::string data("\1\0\2\0\3\0\4\0", 8);
  for (const int version : {1, 2, 3}) {
    const Tensor tensor = NpyToTensor(Npy(header, data, version), "x").value();
    EXPECT_EQ(tensor.dtype(), DataType::kInt16);
    EXPECT_EQ(tensor.shape(), (Shape{2, 2}));
    EXPECT_EQ(std::string(tensor.bytes()), data);
  }
}

TEST(NpyTest, ReadsScalarsVectorsAndOldSpellings) {
  const std::string four(4, '\0');
  EXPECT_EQ(NpyToTensor(Npy(Header("<f4", "False", "()"), four), "x").value().shape(), Shape{});
  EXPECT_EQ(NpyToTensor(Npy(Header("<f4", "False", "(1,)"), four), "x").value().shape(), Shape{1});
  EXPECT_EQ(NpyToTensor(Npy(Header("<f4", "False", "(1L, 1L)"), four), "x").value().shape(),
            (Shape{1, 1}));
  EXPECT_EQ(NpyToTensor(Npy(Header("<f4", "False", "(0, 3)"), ""), "x").value().elements(), 0);
  const std::string reordered = "{ \"shape\":(1,),'fortran_order':False ,'descr' : \"<f4\"}";
  EXPECT_TRUE(NpyToTensor(Npy(reordered, four), "x").ok());
}

TEST(NpyTest, WhatItWritesItReads) {
  std::mt19937 random(3);
  for (const DataType dtype :
       {DataType::kFloat32, DataType::kFloat16, DataType::kFloat64, DataType::kInt8,
        DataType::kInt16, DataType::kInt32, DataType::kInt64, DataType::kUint8, DataType::kUint16,
        DataType::kUint32, DataType::kUint64, DataType::kBool}) {
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{2, 3, 4}, Shape{1, 0, 5}}) {
      std::string data(ElementCount(shape).value() * ElementSize(dtype), '\0');
      for (char& byte : data) byte = static_cast<char>(random() % 2);
      const Tensor tensor = Tensor::FromBytes(dtype, shape, data).value();
      const std::string file = TensorToNpy(tensor).value();
      EXPECT_EQ((file.size() - data.size()) % 64, 0U);
      const Tensor back = NpyToTensor(file, "x").value();
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_EQ(back.shape(), shape);
      EXPECT_EQ(std::string(back.bytes()), data);
    }
  }
}

TEST(NpyTest, HasNoTypeForBfloat16) {
  const Tensor tensor = Tensor::Zeros(DataType::kBFloat16, {2}).value();
  EXPECT_EQ(TensorToNpy(tensor).status().code(), absl::StatusCode::kInvalidArgument);
}

// As NumPy writes code points: four bytes each.
std::string CodePoints(std::u32string_view points) {
  return {reinterpret_cast<const char*>(points.data()), points.size() * sizeof(char32_t)};
}

TEST(NpyTest, ReadsTexts) {
  // np.array(['ab', '', 'ü€😀']) and np.array([b'ab', b'', b'\xff']).
  const std::string wide = CodePoints(std::u32string_view(U"ab\0\0\0\0\u00FC\u20AC\U0001F600", 9));
  const Tensor texts = NpyToTensor(Npy(Header("<U3", "False", "(3,)"), wide), "x").value();
  EXPECT_EQ(texts.dtype(), DataType::kString);
  EXPECT_THAT(texts.strings(), testing::ElementsAre("ab", "", "\u00FC\u20AC\U0001F600"));
  const std::string narrow("ab\0\0\xFF\0", 6);
  const Tensor bytes = NpyToTensor(Npy(Header("|S2", "False", "(3, 1)"), narrow), "x").value();
  EXPECT_THAT(bytes.strings(), testing::ElementsAre("ab", "", "\xFF"));
  EXPECT_EQ(bytes.shape(), (Shape{3, 1}));
  EXPECT_EQ(NpyToTensor(Npy(Header("<U0", "False", "(0,)"), ""), "x").value().elements(), 0);
}

TEST(NpyTest, WritesStringsAsBytesOfOneWidth) {
  const absl::string_view texts[] = {"ab", "", "\xFF"};
  const Tensor tensor = Tensor::FromStrings({1, 3}, texts).value();
  const Tensor back = NpyToTensor(TensorToNpy(tensor).value(), "x").value();
  EXPECT_EQ(back.shape(), tensor.shape());
  EXPECT_EQ(back.bytes(), tensor.bytes());
}

TEST(NpyTest, RefusesTextsThatAreNone) {
  EXPECT_THAT(ErrorOf(Npy(Header("<U1", "False", "(2,)"), "abcd")),
              HasSubstr("found 4 bytes, expected 2 texts of 4 bytes"));
  EXPECT_THAT(ErrorOf(Npy(Header("|S0", "False", "(1000000000000,)"), "")),
              HasSubstr("found 0 bytes"));
  EXPECT_THAT(ErrorOf(Npy(Header("<U4294967295", "False", "(100000000000000000,)"), "abcd")),
              HasSubstr("found 4 bytes"));
  for (const char32_t point : {char32_t{0xD800}, char32_t{0x110000}}) {
    EXPECT_THAT(ErrorOf(Npy(Header("<U1", "False", "()"), CodePoints({&point, 1}))),
                HasSubstr("text 0 with no code point"));
  }
  EXPECT_THAT(ErrorOf(Npy(Header(">U1", "False", "()"), "abcd")), HasSubstr("descr"));
  EXPECT_THAT(ErrorOf(Npy(Header("<U-1", "False", "()"), "abcd")), HasSubstr("descr"));
}

TEST(NpyTest, RefusesWhatItDoesNotUnderstand) {
  const std::string four(4, '\0');
  EXPECT_THAT(ErrorOf(""), HasSubstr("x.npy: no .npy file"));
  EXPECT_THAT(ErrorOf("PK\3\4 a .npz"), HasSubstr("no .npy file"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "True", "(1,)"), four)), HasSubstr("fortran_order: found"));
  EXPECT_THAT(ErrorOf(Npy(Header(">f4", "False", "(1,)"), four)), HasSubstr("found '>f4'"));
  EXPECT_THAT(ErrorOf(Npy(Header("|O", "False", "(1,)"), four)), HasSubstr("found '|O'"));
  EXPECT_THAT(ErrorOf(Npy(Header("<c8", "False", "(1,)"), four)), HasSubstr("little-endian"));
  EXPECT_THAT(
      ErrorOf(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", four)),
      HasSubstr("structured"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(1,)"), four, 4)), HasSubstr("version 4"));
}

TEST(NpyTest, RefusesBadShapesAndSizes) {
  const std::string four(4, '\0');
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(-1,)"), four)), HasSubstr("not negative"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(1.5,)"), four)), HasSubstr("header"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(2,)"), four)),
              HasSubstr("data: found 4 bytes, expected 8 for FP32 2"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(0,)"), four)), HasSubstr("expected 0"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(4294967296, 4294967296)"), four)),
              HasSubstr("fewer elements"));
  EXPECT_THAT(ErrorOf(Npy(Header("<f4", "False", "(99999999999999999999,)"), four)),
              HasSubstr("header"));
  std::string dims = "(";
  for (int i = 0; i < 40; ++i) dims += "1, ";
  EXPECT_FALSE(NpyToTensor(Npy(Header("<f4", "False", dims + ")"), four), "x").ok());
}

TEST(NpyTest, RefusesBrokenHeaders) {
  for (const char* header :
       {"", "{", "}", "[]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "{'descr: <f4}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} import os"}) {
    EXPECT_THAT(ErrorOf(Npy(header, std::string(4, '\0'))), HasSubstr("x.npy: .npy")) << header;
  }
}

TEST(NpyTest, RefusesTruncatedFilesAtAnyLength) {
  const std::string whole = TensorToNpy(Tensor::FromFloats({2, 2}, {1, 2, 3, 4}).value()).value();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_FALSE(NpyToTensor(whole.substr(0, size), "x").ok()) << size;
  }
  EXPECT_FALSE(NpyToTensor(whole + "x", "x").ok());
}

}  // namespace
}  // namespace cleave
