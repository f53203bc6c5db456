/* For LD_PRELOAD: programs that were written for network cards, on the ports of a benchmark.
 *
 * A capture that is played without end lies in packet buffers of the program that plays it, and neither
 * l3fwd nor Open vSwitch can be told how many to take: BENCH_PACKET_BUFFERS is the least. l3fwd insists on
 * checksums by the card, which nothing that is measured here needs: what a port cannot do is not asked of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

struct rte_mempool* rte_pktmbuf_pool_create(const char* name, unsigned n, unsigned cache_size, uint16_t priv_size,
                                            uint16_t data_room_size, int socket_id) {
  struct rte_mempool* (*next)(const char*, unsigned, unsigned, uint16_t, uint16_t, int) =
      dlsym(RTLD_NEXT, "rte_pktmbuf_pool_create");
  const char* wanted = getenv("BENCH_PACKET_BUFFERS");
  const unsigned least = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 0;
  return next(name, n < least ? least : n, cache_size, priv_size, data_room_size, socket_id);
}

static uint64_t able(uint16_t port, uint64_t offloads) {
  struct rte_eth_dev_info info;
  return rte_eth_dev_info_get(port, &info) == 0 ? offloads & info.rx_offload_capa : offloads;
}

int rte_eth_dev_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, const struct rte_eth_conf* conf) {
  int (*next)(uint16_t, uint16_t, uint16_t, const struct rte_eth_conf*) = dlsym(RTLD_NEXT, "rte_eth_dev_configure");
  struct rte_eth_conf asked = *conf;
  asked.rxmode.offloads = able(port, asked.rxmode.offloads);
  return next(port, rx_queues, tx_queues, &asked);
}

int rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, unsigned socket,
                           const struct rte_eth_rxconf* conf, struct rte_mempool* pool) {
  int (*next)(uint16_t, uint16_t, uint16_t, unsigned, const struct rte_eth_rxconf*, struct rte_mempool*) =
      dlsym(RTLD_NEXT, "rte_eth_rx_queue_setup");
  if (!conf) return next(port, queue, descriptors, socket, NULL, pool);
  struct rte_eth_rxconf asked = *conf;
  asked.offloads = able(port, asked.offloads);
  return next(port, queue, descriptors, socket, &asked, pool);
}
