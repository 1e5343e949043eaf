#include "core/certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/secret_file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxBytes = 16 << 20;

template <typename Object, void (*kFree)(Object*)>
struct Freer {
  void operator()(Object* object) const { kFree(object); }
};
using Bio = std::unique_ptr<BIO, Freer<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;

Bio BioOf(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

absl::Status Unfit(const std::string& path, const char* found, const char* expected) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": found ", found, ", expected ", expected));
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxBytes));
  Certificate certificate(PEM_read_bio_X509(BioOf(pem).get(), nullptr, nullptr, nullptr));
  if (certificate) return certificate;
  return Unfit(path, "no certificate", "one in PEM");
}

// No key with a password: there would be nobody to ask.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

absl::StatusOr<Key> ReadKey(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string pem, ReadSecretFile(path));
  Key key(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, NoPassword, nullptr));
  if (key) return key;
  return Unfit(path, "no private key", "one in PEM without a password");
}

}  // namespace

absl::Status CheckKeyPair(const std::string& certificate_path, const std::string& key_path) {
  CLEAVE_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_path));
  CLEAVE_ASSIGN_OR_RETURN(const Key key, ReadKey(key_path));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Unfit(key_path, "the key of another certificate",
                 absl::StrCat("that of ", certificate_path).c_str());
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) > 0) return absl::OkStatus();
  return Unfit(certificate_path, "a certificate that has expired", "one that is valid");
}

absl::Status CheckAuthorities(const std::string& path) { return ReadCertificate(path).status(); }

}  // namespace cleave
