#ifndef CLEAVE_CORE_CERTIFICATE_H_
#define CLEAVE_CORE_CERTIFICATE_H_

#include <string>

#include "absl/status/status.h"

namespace cleave {

// Checks the PEM file of a certificate and that of its private key: both can be read, the key is
// the certificate's and not everybody's to read, and the certificate has not expired.
// FailedPrecondition and the errors of ReadFile name the file, what was found and what was
// expected.
absl::Status CheckKeyPair(const std::string& certificate_path, const std::string& key_path);

// Checks that the PEM file has at least one certificate. Errors as above.
absl::Status CheckAuthorities(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_CORE_CERTIFICATE_H_
