#ifndef CLEAVE_CORE_SHA256_H_
#define CLEAVE_CORE_SHA256_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// Computes SHA-256 (FIPS 180-4) over bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view bytes);

  // Returns 64 lower-case hex digits. REQUIRES: it is called once, after the last Update.
  std::string HexDigest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Returns the SHA-256 of all the bytes as 64 lower-case hex digits. Thread-safe.
std::string Sha256Hex(absl::string_view bytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_SHA256_H_
