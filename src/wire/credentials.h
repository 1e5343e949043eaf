#ifndef CLEAVE_WIRE_CREDENTIALS_H_
#define CLEAVE_WIRE_CREDENTIALS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tls.h"
#include "wire/server.h"

namespace cleave {

// Of a server: plain text without a certificate; with one TLS, and with an authority as well each
// client has to show a certificate of it (mutual TLS). Files that change are taken up within
// seconds. FailedPrecondition says what is wrong with a file.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files);

// Of a client: plain text without an authority; with one TLS, with a certificate of its own where
// there is one. The files are read now. Errors as above.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const TlsFiles& files);

// InvalidArgument names the flag that is missing where a certificate has no key or a key no
// certificate. `side` begins the flags' names: "tls".
absl::Status CheckTlsFiles(const TlsFiles& files);

// What the peer of this call presents.
Credentials CredentialsOf(const grpc::ServerContextBase& context);

// The metadata that carries a token (RFC 6750): a key, and what stands before the token.
inline constexpr char kAuthorizationKey[] = "authorization";
inline constexpr absl::string_view kBearer = "Bearer ";

}  // namespace cleave

#endif  // CLEAVE_WIRE_CREDENTIALS_H_
