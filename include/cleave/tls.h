#ifndef CLEAVE_TLS_H_
#define CLEAVE_TLS_H_

#include <string>

namespace cleave {

// The PEM files with which one side of a connection shows who it is, and by which it knows the
// other (TLS 1.2 or later, RFC 8446). Files that are renewed are taken up without a restart, by new
// connections. A plain value.
struct TlsFiles {
  std::string certificate;  // Of this side, with those that lead to its authority.
  std::string key;          // The certificate's private key.
  std::string ca;           // The authorities of the other side.
};

}  // namespace cleave

#endif  // CLEAVE_TLS_H_
