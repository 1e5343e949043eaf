#include "core/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/certificates.h"

namespace cleave {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::KeyPair;
using testing::TempDir;

TEST(Certificate, AKeyPairFitsTogetherAndIsValid) {
  const Authority authority;
  const KeyPair pair = authority.GiveTo("edge");
  EXPECT_TRUE(CheckKeyPair(pair.certificate, pair.key).ok())
      << CheckKeyPair(pair.certificate, pair.key);
  EXPECT_TRUE(CheckAuthorities(authority.certificate()).ok());
}

TEST(Certificate, SaysWhatIsWrongWithAFile) {
  const Authority authority;
  const TempDir folder;
  const KeyPair pair = authority.GiveTo("edge");
  const KeyPair other = authority.GiveTo("other");
  const KeyPair expired = authority.Give({.name = "expired", .days = -1});
  const std::string garbage = testing::WriteSecret(folder, "garbage", "no PEM");
  EXPECT_THAT(CheckKeyPair(pair.certificate, other.key).message(),
              HasSubstr("other.key: found the key of another certificate"));
  EXPECT_THAT(CheckKeyPair(expired.certificate, expired.key).message(),
              HasSubstr("expired.pem: found a certificate that has expired"));
  EXPECT_THAT(CheckKeyPair(garbage, pair.key).message(),
              HasSubstr("garbage: found no certificate"));
  EXPECT_THAT(CheckKeyPair(pair.certificate, garbage).message(),
              HasSubstr("garbage: found no private key"));
  EXPECT_THAT(CheckKeyPair(pair.key, pair.certificate).message(),
              HasSubstr("found no certificate"));
  EXPECT_THAT(CheckAuthorities(garbage).message(), HasSubstr("found no certificate"));
  EXPECT_EQ(CheckAuthorities(folder.path() + "/none").code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(chmod(pair.key.c_str(), 0644), 0);
  EXPECT_THAT(CheckKeyPair(pair.certificate, pair.key).message(), HasSubstr("found mode 0644"));
}

}  // namespace
}  // namespace cleave
