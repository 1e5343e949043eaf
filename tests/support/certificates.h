#ifndef CLEAVE_TESTS_SUPPORT_CERTIFICATES_H_
#define CLEAVE_TESTS_SUPPORT_CERTIFICATES_H_

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/temp_dir.h"

namespace cleave::testing {

// The PEM files of a certificate and its key.
struct KeyPair {
  std::string certificate;
  std::string key;
};

// An authority, and the certificates that it gives, made by the command `openssl`.
class Authority {
 public:
  explicit Authority(const std::string& name = "test authority") {
    Run("req -x509 " + std::string(kNewKey) +
        " -keyout ca.key -out ca.pem -days 30 -subj '/CN=" + name + "'");
  }

  std::string certificate() const { return folder_.path() + "/ca.pem"; }
  std::string key() const { return folder_.path() + "/ca.key"; }

  struct Wish {
    std::string name = "edge";  // The common name, and what its files are called.
    std::string alternative_names = "DNS:localhost,IP:127.0.0.1";
    int days = 30;  // Below 0: it has expired.
  };
  KeyPair Give(const Wish& wish) const {
    folder_.Write("names", "subjectAltName=" + wish.alternative_names + "\n");
    Run("req -new " + std::string(kNewKey) + " -keyout " + wish.name +
        ".key -out request -subj '/CN=" + wish.name + "'");
    Run("x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -days " +
        std::to_string(wish.days) + " -out " + wish.name + ".pem");
    return {folder_.path() + "/" + wish.name + ".pem", folder_.path() + "/" + wish.name + ".key"};
  }
  KeyPair GiveTo(const std::string& name) const { return Give({.name = name}); }

 private:
  static constexpr char kNewKey[] = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

  void Run(const std::string& arguments) const {
    const std::string command =
        "cd '" + folder_.path() + "' && openssl " + arguments + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }

  TempDir folder_;
};

// Takes the place of a key pair that is in use, as a renewal does.
inline void Renew(const KeyPair& in_use, const KeyPair& anew) {
  namespace fs = std::filesystem;
  for (const auto& [from, to] :
       {std::pair(anew.key, in_use.key), std::pair(anew.certificate, in_use.certificate)}) {
    fs::copy_file(from, to + ".new", fs::copy_options::overwrite_existing);
    fs::rename(to + ".new", to);
  }
}

// A file that only its owner may read.
inline std::string WriteSecret(const TempDir& folder, const std::string& name,
                               const std::string& text) {
  std::string path = folder.Write(name, text);
  EXPECT_EQ(chmod(path.c_str(), 0600), 0);
  return path;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_CERTIFICATES_H_
