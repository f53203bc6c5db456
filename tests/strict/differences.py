"""Where the Linux kernel, with the rules of kernel.nft, ends a packet otherwise than we do, and why ours is right.

On all else the two agree; `tests/system` compares. A case's name stands without its family.
"""

from __future__ import annotations

from dataclasses import dataclass

PASSES, DROPS = "passes", "drops"


@dataclass(frozen=True)
class Difference:
    kernel: str
    english: str
    chinese: str


FLAGGED = "the port it names is reserved, no service listens there and none can be named in a rule"
BEYOND = "what lies beyond the window is not of this connection; Linux forwards it without a look at its state"
BEYOND_ZH = "窗口之外的报文不属于该连接；Linux 不更新状态但仍放行"
FLAGGED_ZH = "端口 0 保留，没有服务监听，规则也无法指名"

DIFFERENCES: dict[str, Difference] = {
    "vlan-service-tag": Difference(
        PASSES, "a priority tag of a provider's bridge has no meaning on a port that is no provider's",
        "运营商网桥的优先级标签在非运营商端口上没有意义"),
    "vlan-nested": Difference(
        PASSES, "two tags hide from whoever reads one what the frame carries", "双层标签使只读一层者看不到帧的内容"),
    "group-source": Difference(
        PASSES, "no station has a group address; an answer to it would go to all", "没有主机使用组 MAC 地址；应答会发给所有人"),
    "ip4-reserved-flag": Difference(
        PASSES, "must be zero; receivers differ in what they make of it", "该位必须为零；各种接收方处理不一"),
    "ip4-timestamp": Difference(
        PASSES, "tells the network's shape and clocks; nftables has no name for it", "泄露网络结构与时钟；nftables 无法指名该选项"),
    "ip4-obsolete-options": Difference(
        PASSES, "nobody has sent them for decades; nftables has no name for them", "数十年无人使用；nftables 无法指名"),
    "ip4-cipso-label": Difference(
        DROPS, "Linux refuses a label of a domain that it was not told of; a gateway without labels has no say in them",
        "Linux 拒绝未登记域的标签；不使用标签的网关无权过问"),
    "ip6-source-route": Difference(
        PASSES, "leads the packet on to where the rules did not look", "把报文引到规则没有检查的地方"),
    "ip6-option-malformed": Difference(
        PASSES, "the option claims bytes that are not there; the receiver's parser is left to cope",
        "选项声明的长度超出实际字节，交给接收方解析器承受"),
    "ip6-jumbo-option-late": Difference(
        PASSES, "a jumbogram's length in a header that must not hold it", "巨型报文长度出现在不该有它的扩展头里"),
    "ip6-hop-by-hop-not-first": Difference(
        PASSES, "RFC 8200 has it first or not at all; a chain out of order hides the upper layer from others",
        "RFC 8200 规定只能居首；乱序的扩展头链对其他设备隐藏上层协议"),
    "ip6-out-of-order": Difference(
        PASSES, "a chain out of order hides the upper layer from others", "乱序的扩展头链对其他设备隐藏上层协议"),
    "ip6-repeated": Difference(
        PASSES, "each at most once; nested fragment headers make two datagrams of one", "每种至多一次；嵌套分片头使一个报文变成两个"),
    "ip6-more-than-eight": Difference(
        PASSES, "no sender needs them; who walks fewer does not see the ports", "正常发送方不需要；解析层数不够的设备看不到端口"),
    "tcp-port-zero": Difference(PASSES, FLAGGED, FLAGGED_ZH),
    "udp-port-zero": Difference(PASSES, FLAGGED, FLAGGED_ZH),
    "sctp-port-zero": Difference(PASSES, FLAGGED, FLAGGED_ZH),
    "udp-length": Difference(
        PASSES, "what lies behind the datagram's own end is carried past every inspection",
        "数据报末尾之后的字节可绕过一切检查"),
    "sctp-malformed": Difference(
        PASSES, "an INIT travels alone (RFC 9260 6.10); what is bundled with it opens without a handshake",
        "INIT 必须单独发送；与之捆绑的数据块绕过握手"),
    "gre-esp-ah-cut": Difference(
        PASSES, "the packet ends inside the header that its protocol must have", "报文在其协议必有的头内截断"),
    "echo-code": Difference(
        PASSES, "the code of an echo is 0; others carry what should not be seen", "回显的代码只能为 0；其他值是隐蔽信道"),
    "icmp4-codes": Difference(PASSES, "the code of a query is 0", "查询报文的代码只能为 0"),
    "icmp4-timestamp-cut": Difference(PASSES, "the message ends inside its fixed part", "报文在固定部分内截断"),
    "icmp6-codes": Difference(PASSES, "the code of an echo is 0", "回显的代码只能为 0"),
    "tcp-whole-connection": Difference(
        PASSES, "what follows the end is judged by the rules again within a second (FFW_RUL_EXT.1.5); Linux waits",
        "连接结束后的报文须立即重新按规则判定；Linux 还会放行一段时间"),
    "fragments-after-an-overlap": Difference(
        PASSES, "the overlap spoils the datagram for good (RFC 5722 4); Linux takes what follows for a new one",
        "重叠即废弃整个数据报；Linux 把后续分片当作新的数据报"),
    "tcp-sequence-outside": Difference(PASSES, BEYOND, BEYOND_ZH),
    "tcp-sequence-outside-of-answers": Difference(PASSES, BEYOND, BEYOND_ZH),
    "tcp-numbers-wrap": Difference(PASSES, BEYOND, BEYOND_ZH),
    "tcp-window-scale-of-one-side": Difference(PASSES, BEYOND, BEYOND_ZH),
    "tcp-window-closed": Difference(PASSES, BEYOND, BEYOND_ZH),
    "tcp-acknowledges-long-ago": Difference(
        PASSES, "nobody who has the connection acknowledges what is windows old (RFC 5961 5)",
        "连接的真正一端不会确认早已过窗的数据"),
    "tcp-reset-outside-the-window": Difference(
        PASSES, "a reset outside the window is a guess (RFC 5961 3)", "窗口之外的复位是盲猜攻击"),
    "tcp-selective-acknowledgment": Difference(
        PASSES, "nobody acknowledges what was not sent (RFC 2018 4)", "不会有人确认从未发送的数据"),
    "tcp-option-malformed": Difference(
        PASSES, "an option's length leads outside the header or is not its own; parsers of receivers differ",
        "选项长度越出报文头或与其类型不符；各接收方解析不一"),
    "known-flow-in-a-wrong-frame": Difference(
        PASSES, "no station has a group address (IEEE 802.3 3.2.3)", "没有主机使用组 MAC 地址"),
    "tcp-reset-ends": Difference(
        PASSES, "what follows a reset is judged by the rules again (FFW_RUL_EXT.1.5); Linux waits",
        "复位之后的报文须重新按规则判定；Linux 还会放行一段时间"),
    "tcp-options-malformed": Difference(
        PASSES, "a length of 0 has stopped stacks before; no sender writes one", "长度为 0 的选项曾使协议栈失效，正常发送方不会写出"),
    "tcp-outside-window": Difference(
        PASSES, "no receiver takes it (RFC 9293 3.10.7.4); only who guesses sends it",
        "接收方不会采用（RFC 9293 3.10.7.4），只有猜测者才会发送"),
    "tcp-acknowledges-unsent": Difference(
        PASSES, "no receiver takes it (RFC 5961 5); only who guesses sends it", "接收方不会采用（RFC 5961 5），只有猜测者才会发送"),
    "tcp-nothing-behind-fin": Difference(
        PASSES, "a sender is done with its FIN; what follows is another's", "发送方在 FIN 之后不再有数据，随后的报文出自他人"),
    "tcp-answered-by-a-stranger": Difference(
        PASSES, "the server has acknowledged the client's SYN; who acknowledges another number is not the server",
        "服务器已确认客户端的 SYN；确认其他序号的不是该服务器"),
    "fragments-larger-than-the-out-port": Difference(
        PASSES, "Linux cuts an IPv4 packet without DF smaller; the gateway never does, and tells its sender the MTU",
        "Linux 会再次分片未置 DF 的 IPv4 报文；网关从不分片，而是把 MTU 告知发送方"),
}


def base(name: str) -> str:
    return name.removesuffix("-v4").removesuffix("-v6")
