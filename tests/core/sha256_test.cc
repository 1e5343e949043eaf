#include "core/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace cleave {
namespace {

// FIPS 180-4's examples, and the empty message.
TEST(Sha256Test, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, PiecesMakeTheSameDigestAsTheWhole) {
  const std::string message(1000, 'x');
  for (const std::size_t piece : {1U, 63U, 64U, 65U, 999U}) {
    Sha256 sha;
    for (std::size_t at = 0; at < message.size(); at += piece) {
      sha.Update(absl::string_view(message).substr(at, piece));
    }
    EXPECT_EQ(sha.HexDigest(), Sha256Hex(message)) << piece;
  }
}

}  // namespace
}  // namespace cleave
