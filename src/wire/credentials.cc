#include "wire/credentials.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "absl/strings/strip.h"
#include "core/certificate.h"
#include "core/check.h"
#include "core/file.h"
#include "core/secret_file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr unsigned kRefreshS = 1;

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  if (files.certificate.empty() == files.key.empty()) return absl::OkStatus();
  return files.key.empty() ? FieldError("tls_key", "none", "the key of tls_cert")
                           : FieldError("tls_cert", "none", "the certificate of tls_key");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  CLEAVE_RETURN_IF_ERROR(CheckKeyPair(files.certificate, files.key));
  if (!files.ca.empty()) CLEAVE_RETURN_IF_ERROR(CheckAuthorities(files.ca));
  namespace tls = grpc::experimental;
  const auto provider = std::make_shared<tls::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, kRefreshS);
  tls::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(files.ca.empty()
                                    ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!files.ca.empty()) options.watch_root_certs();
  return tls::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const TlsFiles& files) {
  if (files.ca.empty()) return grpc::InsecureChannelCredentials();
  CLEAVE_RETURN_IF_ERROR(CheckAuthorities(files.ca));
  grpc::SslCredentialsOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(files.ca));
  if (!files.certificate.empty()) {
    CLEAVE_RETURN_IF_ERROR(CheckKeyPair(files.certificate, files.key));
    CLEAVE_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadFile(files.certificate));
    CLEAVE_ASSIGN_OR_RETURN(options.pem_private_key, ReadSecretFile(files.key));
  }
  return grpc::SslCredentials(options);
}

Credentials CredentialsOf(const grpc::ServerContextBase& context) {
  Credentials credentials;
  const auto [first, last] = context.client_metadata().equal_range(kAuthorizationKey);
  if (first != last) {
    absl::string_view value = View(first->second);
    credentials.token = absl::ConsumePrefix(&value, kBearer) ? std::string(value) : "";
    credentials.has_token = true;
  }
  const std::shared_ptr<const grpc::AuthContext> shown = context.auth_context();
  if (shown == nullptr || !shown->IsPeerAuthenticated()) return credentials;
  for (const char* property : {GRPC_X509_SAN_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    for (const grpc::string_ref& name : shown->FindPropertyValues(property)) {
      credentials.certificate_names.emplace_back(name.data(), name.size());
    }
  }
  return credentials;
}

}  // namespace cleave
