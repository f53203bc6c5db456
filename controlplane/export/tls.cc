#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <cerrno>

#include "controlplane/export/socket.h"

namespace meiguan::exporting {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { ::SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const noexcept { ::SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Session = std::unique_ptr<SSL, FreeSession>;

std::string why() {
  std::array<char, 256> text{};
  const auto code = ::ERR_get_error();
  if (code == 0) return "the connection ended";
  ::ERR_error_string_n(code, text.data(), text.size());
  ::ERR_clear_error();
  return text.data();
}

std::unexpected<Error> failed(const IpfixSettings& settings, const std::string& what) {
  return fail(fmt::format("{}: TLS: {}", settings.collector(), what),
              fmt::format("{}：TLS：{}", settings.collector(), what));
}

class TlsStream : public Connection {
 public:
  TlsStream(Context context, Socket socket, Session session, const StopSignal& stop)
      : context_{std::move(context)},
        socket_{std::move(socket)},
        session_{std::move(session)},
        stop_{stop} {}
  ~TlsStream() override {
    if (whole_) ::SSL_shutdown(session_.get());
  }

  // Until `act` is done; false: it failed or took too long.
  template <typename Act>
  bool finish(Act act) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      ::ERR_clear_error();
      const int result = act(session_.get());
      if (result > 0) return true;
      const int wants = ::SSL_get_error(session_.get(), result);
      const bool reads = wants == SSL_ERROR_WANT_READ;
      if (!reads && wants != SSL_ERROR_WANT_WRITE) {
        whole_ = false;
        return false;
      }
      if (!wait_for(socket_, reads ? POLLIN : POLLOUT, until, stop_)) return false;
    }
  }
  bool shake_hands() {
    whole_ = finish([](SSL* session) { return ::SSL_connect(session); });
    return whole_;
  }
  long verified() const { return ::SSL_get_verify_result(session_.get()); }

  Sent send(std::string_view message) override {
    // Whole or not at all: SSL_MODE_ENABLE_PARTIAL_WRITE is off.
    const bool done = finish([&](SSL* session) {
      return ::SSL_write(session, message.data(), static_cast<int>(message.size()));
    });
    return done ? Sent::kYes : Sent::kBroken;
  }
  bool alive() override {
    // What comes is TLS's own (tickets, keys), or the end.
    std::array<char, 256> heard{};
    for (;;) {
      ::ERR_clear_error();
      const int n = ::SSL_read(session_.get(), heard.data(), static_cast<int>(heard.size()));
      if (n > 0) continue;
      const int wants = ::SSL_get_error(session_.get(), n);
      if (wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE) return true;
      whole_ = false;
      return false;
    }
  }
  std::size_t largest_message() const override { return kStreamMessage; }

 private:
  Context context_;
  Socket socket_;
  Session session_;
  const StopSignal& stop_;
  bool whole_{false};  // may still be ended in order
};

Result<Context> make_context(const IpfixSettings& settings) {
  Context context{::SSL_CTX_new(::TLS_client_method())};
  if (!context) return failed(settings, why());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool trusted = settings.ca.empty()
                           ? ::SSL_CTX_set_default_verify_paths(context.get()) == 1
                           : ::SSL_CTX_load_verify_locations(context.get(), settings.ca.c_str(),
                                                             nullptr) == 1;
  if (!trusted) return failed(settings, settings.ca.string() + ": " + why());
  if (settings.certificate.empty()) return context;
  if (::SSL_CTX_use_certificate_chain_file(context.get(), settings.certificate.c_str()) != 1) {
    return failed(settings, settings.certificate.string() + ": " + why());
  }
  if (::SSL_CTX_use_PrivateKey_file(context.get(), settings.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return failed(settings, settings.key.string() + ": " + why());
  }
  return context;
}

}  // namespace

Result<std::unique_ptr<Connection>> open_tls(const IpfixSettings& settings, Socket socket,
                                             const StopSignal& stop) {
  auto context = make_context(settings);
  if (!context) return std::unexpected{context.error()};
  Session session{::SSL_new(context->get())};
  if (!session || ::SSL_set_fd(session.get(), socket.get()) != 1) return failed(settings, why());
  // A certificate says a name or an address (RFC 6125): whichever was configured.
  auto* const parameters = ::SSL_get0_param(session.get());
  if (::X509_VERIFY_PARAM_set1_ip_asc(parameters, settings.host.c_str()) != 1) {
    ::ERR_clear_error();
    // What SSL_set_tlsext_host_name() is, without its cast.
    auto* const name = const_cast<char*>(settings.host.c_str());
    if (::SSL_set1_host(session.get(), name) != 1 ||
        ::SSL_ctrl(session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) !=
            1) {
      return failed(settings, why());
    }
  }
  auto stream = std::make_unique<TlsStream>(std::move(*context), std::move(socket),
                                            std::move(session), stop);
  if (!stream->shake_hands()) {
    const long verified = stream->verified();
    return failed(settings,
                  verified == X509_V_OK ? why() : ::X509_verify_cert_error_string(verified));
  }
  return stream;
}

}  // namespace meiguan::exporting
