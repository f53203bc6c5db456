#include "controlplane/kernel/policy_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/host/nft_expressions.h"
#include "dataplane/net/wire.h"

namespace meiguan::kernel {
namespace {

using host::NftExpression;
using host::NftSet;
using host::Slot;

constexpr std::uint32_t kTypeProtocol = 12;  // how `nft` numbers types of keys

// Slots of a judgement: neighbours are keys of several fields.
constexpr Slot kAddress = 0;  // four slots; also names of interfaces
constexpr Slot kIn = 4;
constexpr Slot kClass = 5;
constexpr Slot kTo = 7;
constexpr Slot kOut = 8;
constexpr Slot kProtocol = 8;  // once the out-port has been asked
constexpr Slot kPort = 9;
constexpr Slot kRow = 12;
constexpr Slot kColumn = 13;
constexpr Slot kMark = 14;  // of the packet, given back in the end

// nft's bits of a flow's state.
constexpr std::uint32_t kInvalid = 1;
constexpr std::uint32_t kEstablished = 1U << (IP_CT_ESTABLISHED + 1);
constexpr std::uint32_t kRelated = 1U << (IP_CT_RELATED + 1);
constexpr std::uint32_t kNew = 1U << (IP_CT_NEW + 1);
constexpr std::uint32_t kUntracked = 1U << 6;

class Writer {
 public:
  Writer(host::NftTable& table, std::uint32_t generation)
      : table_{table}, generation_{generation} {}

  void run() {
    add_forward();
    add_state();
    add_judge("judge_out", NFT_META_IIFNAME, NFT_META_OIFNAME);
    add_judge("judge_back", NFT_META_OIFNAME, NFT_META_IIFNAME);
  }

 private:
  void rule(const std::string& chain, std::vector<NftExpression> expressions) {
    table_.rules.push_back({chain, std::move(expressions)});
  }
  void chain(const std::string& name) { table_.chains.push_back({name, {}}); }

  void add_forward() {
    table_.chains.push_back({"forward", host::NftHook{.number = NF_INET_FORWARD, .priority = 0}});
    chain("ours");
    for (const std::uint32_t key : {NFT_META_IIFNAME, NFT_META_OIFNAME}) {
      rule("forward", {host::load_meta(key, kAddress), host::look_up("data_ports", kAddress),
                       host::go_to("ours")});
    }
  }

  // Goes on where the flow's state has one of these bits.
  static std::vector<NftExpression> state(std::uint32_t bits) {
    return {host::load_tracked(NFT_CT_STATE, kAddress), host::mask(kAddress, host::bytes_of(bits)),
            host::compare(NFT_CMP_NEQ, kAddress, host::bytes_of(0))};
  }
  static std::vector<NftExpression> with(std::vector<NftExpression> head,
                                         std::vector<NftExpression> tail) {
    head.insert(head.end(), std::make_move_iterator(tail.begin()),
                std::make_move_iterator(tail.end()));
    return head;
  }
  static std::vector<NftExpression> protocol_is(std::uint8_t protocol) {
    return {host::load_meta(NFT_META_L4PROTO, kAddress), host::is(kAddress, {protocol})};
  }

  void add_state() {
    rule("ours", with(state(kInvalid | kUntracked), {host::count(), host::drop()}));
    // Errors pass with their flow; nothing else is related to one.
    for (const std::uint8_t protocol : {net::protocol::kIcmp, net::protocol::kIcmp6}) {
      rule("ours", with(with(state(kRelated), protocol_is(protocol)),
                        {host::load_tracked(NFT_CT_MARK, kAddress),
                         host::is(kAddress, host::bytes_of(generation_)), host::accept()}));
    }
    rule("ours", with(state(kRelated), {host::go_to("reason_icmp-unsolicited")}));
    rule("ours", with(state(kEstablished),
                      {host::load_tracked(NFT_CT_MARK, kAddress),
                       host::is(kAddress, host::bytes_of(generation_)), host::accept()}));
    // FIN, SYN, RST, ACK: a connection begins with SYN alone.
    rule("ours", with(with(state(kNew), protocol_is(net::protocol::kTcp)),
                      {host::load_bytes(host::Header::kTransport, 13, 1, kAddress),
                       host::mask(kAddress, {0x17}), host::compare(NFT_CMP_NEQ, kAddress, {0x02}),
                       host::go_to("reason_tcp-no-state")}));
    // Only requests open a flow: echo, timestamp, information; of IPv6 echo.
    chain("requests4");
    chain("requests6");
    rule("ours",
         with(with(state(kNew), protocol_is(net::protocol::kIcmp)), {host::go_to("requests4")}));
    rule("ours",
         with(with(state(kNew), protocol_is(net::protocol::kIcmp6)), {host::go_to("requests6")}));
    chain("macs");
    chain("judge_out");
    chain("judge_back");
    const auto type_is = [&](const char* in, std::uint8_t type) {
      rule(in, {host::load_bytes(host::Header::kTransport, 0, 1, kAddress),
                host::is(kAddress, {type}), host::go_to("macs")});
    };
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{8, 13, 15}) {
      type_is("requests4", type);
    }
    type_is("requests6", 128);
    for (const char* const chain_name : {"requests4", "requests6"}) {
      rule(chain_name, {host::go_to("reason_icmp-unsolicited")});
    }
    rule("ours", with(state(kNew), {host::go_to("macs")}));
    rule("ours", {host::load_tracked(NFT_CT_DIRECTION, kAddress), host::is(kAddress, {0}),
                  host::go_to("judge_out")});
    rule("ours", {host::go_to("judge_back")});
    add_macs();
  }

  void add_macs() {
    struct Family {
      std::uint8_t number;
      std::uint32_t offset, bytes;
      const char *terminals, *macs;
    };
    for (const Family& family : {Family{NFPROTO_IPV4, 12, 4, "terminals4", "macs4"},
                                 Family{NFPROTO_IPV6, 8, 16, "terminals6", "macs6"}}) {
      rule("macs",
           {host::load_meta(NFT_META_NFPROTO, kAddress), host::is(kAddress, {family.number}),
            host::load_bytes(host::Header::kNetwork, family.offset, family.bytes, kAddress),
            host::look_up(family.terminals, kAddress),
            host::load_bytes(host::Header::kLink, 6, 6, kAddress + family.bytes / 4),
            host::look_up(family.macs, kAddress, false), host::go_to("reason_terminal-mac")});
    }
    rule("macs", {host::go_to("judge_out")});
  }

  // Loads what is asked for, and puts what `set` has for `key` into `to`, by way of the packet's
  // mark: `nft` up to 1.0.6 cannot list a key that comes out of a map, and whoever lists all tables
  // must not fail over ours.
  static void map(std::vector<NftExpression>& all, std::optional<NftExpression> load,
                  const char* set, Slot key, Slot to) {
    if (load) all.push_back(std::move(*load));
    all.push_back(host::map(set, key, to));
    all.push_back(host::set_meta(NFT_META_MARK, to));
    all.push_back(host::load_meta(NFT_META_MARK, to));
  }

  // `in` and `out`: the interface by which the flow's first packet came, and would leave.
  void add_judge(const char* name, std::uint32_t in, std::uint32_t out) {
    struct Family {
      std::uint8_t number;
      std::uint32_t source, destination;
      const char *ends, *to;
    };
    const std::array<Family, 2> families{Family{NFPROTO_IPV4, NFT_CT_SRC_IP, NFT_CT_DST_IP, "ends4",
                                                "to4"},
                                         Family{NFPROTO_IPV6, NFT_CT_SRC_IP6, NFT_CT_DST_IP6,
                                                "ends6", "to6"}};
    for (const Family& family : families) {
      for (const bool has_port : {true, false}) {
        std::vector<NftExpression> all{host::load_meta(NFT_META_NFPROTO, kAddress),
                                       host::is(kAddress, {family.number}),
                                       host::load_meta(NFT_META_L4PROTO, kAddress),
                                       host::look_up("with_ports", kAddress, has_port),
                                       host::load_meta(NFT_META_MARK, kMark)};
        map(all, host::load_meta(in, kAddress), "ports", kAddress, kIn);
        map(all, host::load_original(family.source, kAddress), family.ends, kAddress, kClass);
        map(all, {}, "rows", kIn, kRow);
        map(all, host::load_meta(out, kAddress), "ports", kAddress, kOut);
        map(all, host::load_original(family.destination, kAddress), family.to, kAddress, kTo);
        all.push_back(host::look_up("ways", kTo));
        all.push_back(host::load_meta(NFT_META_L4PROTO, kProtocol));
        all.push_back(has_port ? host::load_original(NFT_CT_PROTO_DST, kPort)
                               : host::put(kPort, host::bytes_of(0)));
        map(all, {}, "columns", kTo, kColumn);
        all.push_back(host::set_meta(NFT_META_MARK, kMark));
        all.push_back(host::go_by("cells", kRow));
        rule(name, std::move(all));
      }
    }
    rule(name, {host::go_to("reason_default-deny")});
    if (!table_.sets.empty() && table_.sets.back().name == "with_ports") return;
    NftSet with_ports{.name = "with_ports", .key_type = kTypeProtocol, .key_bytes = 1};
    for (const std::uint8_t protocol :
         {net::protocol::kTcp, net::protocol::kUdp, net::protocol::kSctp, net::protocol::kIcmp,
          net::protocol::kIcmp6}) {
      with_ports.elements.push_back({.key = {protocol}});
    }
    table_.sets.push_back(std::move(with_ports));
  }

  host::NftTable& table_;
  const std::uint32_t generation_;
};

}  // namespace

void add_policy_rules(host::NftTable& table, std::uint32_t generation) {
  Writer{table, generation}.run();
}

}  // namespace meiguan::kernel
