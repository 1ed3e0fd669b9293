/* SPDX-License-Identifier: BSD-3-Clause */
#include "egress.h"

#include "context/memory.h"
#include "pdu/transport.h"

#include <errno.h>
#include <net/if.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_kvargs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Frames that may wait in one queue of a port or between a worker and it, and what EAL's per-lcore caches hold back. */
#define FRAMES_PER_QUEUE 4096
#define FRAME_CACHE 512
/* Behind the headroom: PDU, MAC-I, and what an engine may write past the end with wide stores; with the mbuf itself an element has an
 * odd number of cache lines, so that buffers spread over all cache sets. */
#define FRAME_DATA_BYTES (FAN_TEXT_OFFSET + 1664)
/* Rings that net_af_packet shares with the kernel: a frame less the kernel's 32 octets holds the longest of ours (1,611) and fits our
 * buffers; blocks are whole pages and hold whole frames, since the driver takes frames to lie without gaps. */
#define AF_PACKET_RINGS "framesz=1664,blocksz=53248,framecnt=512"

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static int
attach(struct fan_egress *egress, const char *arguments)
{
	const int error = rte_vdev_init(egress->device, arguments);

	if (error != 0 || rte_eth_dev_get_port_by_name(egress->device, &egress->port) != 0) {
		(void)fan_fail(FAN_E_IO, "egress %s: the port could not be made (%s); the driver's own message stands above%s",
			       egress->device, rte_strerror(error < 0 ? -error : ENODEV),
			       geteuid() != 0 ? ", and it may need root" : "");
		egress->device[0] = '\0';
		return FAN_E_IO;
	}
	return 0;
}

/* Makes the port that a short name stands for, unless EAL has it. Out: egress->port. */
static int
attach_named(struct fan_egress *egress, const char *name, unsigned queue_count)
{
	char *device = egress->device;
	char arguments[256] = "";
	const char *comma = strchr(name, ',');
	const int device_bytes = comma != NULL ? (int)(comma - name) : (int)strlen(name);

	if (starts_with(name, "af_packet:")) {
		const char *interface = name + strlen("af_packet:");

		if (if_nametoindex(interface) == 0)
			return fan_fail(FAN_E_NOT_FOUND, "egress %s: no network interface \"%s\"", name, interface);
		snprintf(device, RTE_ETH_NAME_MAX_LEN, "net_af_packet0");
		snprintf(arguments, sizeof(arguments), "iface=%s,qpairs=%u," AF_PACKET_RINGS, interface, queue_count);
		return attach(egress, arguments);
	}
	if (device_bytes >= RTE_ETH_NAME_MAX_LEN)
		return fan_fail(FAN_E_INVALID, "egress %.*s: a device's name has %d characters at most", device_bytes, name,
				RTE_ETH_NAME_MAX_LEN - 1);
	snprintf(device, RTE_ETH_NAME_MAX_LEN, "%.*s", device_bytes, name);
	if (strcmp(name, "tap") == 0)
		snprintf(device, RTE_ETH_NAME_MAX_LEN, "net_tap0");
	if (strcmp(name, "net_null") == 0 || strcmp(name, "net_ring") == 0)
		snprintf(device, RTE_ETH_NAME_MAX_LEN, "%s0", name);
	if (rte_eth_dev_get_port_by_name(device, &egress->port) == 0) {
		device[0] = '\0';
		return 0;
	}
	if (strcmp(name, "tap") != 0 && !starts_with(name, "net_"))
		return fan_fail(FAN_E_NOT_FOUND,
				"egress %s: no DPDK port of that name; use net_ring, net_null, af_packet:IFACE, tap, or "
				"make one with EAL arguments",
				name);
	if (comma != NULL && strlen(comma + 1) >= sizeof(arguments))
		return fan_fail(FAN_E_INVALID, "egress %.*s: its arguments have %zu characters: %zu at most", device_bytes,
				name, strlen(comma + 1), sizeof(arguments) - 1);
	snprintf(arguments, sizeof(arguments), "%s", comma != NULL ? comma + 1 : "");
	return attach(egress, arguments);
}

static void
announce_piece(struct rte_mempool *pool, void *user, struct rte_mempool_memhdr *piece, unsigned index)
{
	(void)pool;
	(void)user;
	(void)index;
	fan_memory_add(piece->addr, piece->len, FAN_MEMORY_WRITE);
}

static void
withdraw_piece(struct rte_mempool *pool, void *user, struct rte_mempool_memhdr *piece, unsigned index)
{
	(void)pool;
	(void)user;
	(void)index;
	fan_memory_remove(piece->addr);
}

static int
make_pool(struct fan_egress *egress)
{
	const unsigned frame_count = FRAMES_PER_QUEUE * (egress->queue_count + 1U);
	static unsigned serial;
	char pool_name[RTE_MEMPOOL_NAMESIZE];

	snprintf(pool_name, sizeof(pool_name), "fan_frames_%u", serial++);
	egress->frames = rte_pktmbuf_pool_create(pool_name, frame_count, FRAME_CACHE, 0, FRAME_DATA_BYTES, SOCKET_ID_ANY);
	if (egress->frames == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %u frames of %d octets in EAL's heap (%s): give EAL more with -m",
				frame_count, FRAME_DATA_BYTES, rte_strerror(rte_errno));
	(void)rte_mempool_mem_iter(egress->frames, announce_piece, NULL);
	return 0;
}

static int
start_port(struct fan_egress *egress, const char *name)
{
	const struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	struct rte_eth_dev_info info;
	uint16_t rx_queues, rx_descriptors = 1024, tx_descriptors = 1024;
	int error = rte_eth_dev_info_get(egress->port, &info);

	if (error != 0)
		return fan_fail(FAN_E_IO, "egress %s: %s", name, rte_strerror(-error));
	if (info.max_tx_queues < egress->queue_count)
		return fan_fail(FAN_E_UNSUPPORTED,
				"egress %s has %u transmit queue(s), %u workers need one each: use fewer workers", name,
				info.max_tx_queues, egress->queue_count);
	rx_queues = info.max_rx_queues < egress->queue_count ? info.max_rx_queues : egress->queue_count;
	error = rte_eth_dev_configure(egress->port, rx_queues, egress->queue_count, &conf);
	if (error == 0)
		error = rte_eth_dev_adjust_nb_rx_tx_desc(egress->port, &rx_descriptors, &tx_descriptors);
	for (uint16_t i = 0; error == 0 && i < egress->queue_count; i++)
		error = rte_eth_tx_queue_setup(egress->port, i, tx_descriptors, (unsigned)SOCKET_ID_ANY, NULL);
	for (uint16_t i = 0; error == 0 && i < rx_queues; i++)
		error = rte_eth_rx_queue_setup(egress->port, i, rx_descriptors, (unsigned)SOCKET_ID_ANY, NULL, egress->frames);
	if (error == 0)
		error = rte_eth_dev_start(egress->port);
	if (error != 0)
		return fan_fail(FAN_E_IO, "egress %s does not start: %s", name, rte_strerror(-error));
	egress->started = true;
	/* net_null makes up frames. */
	egress->receive_queues = strcmp(info.driver_name, "net_null") != 0 ? rx_queues : 0;
	egress->loops_back = strcmp(info.driver_name, "net_ring") == 0;
	return 0;
}

/* Asks the kernel after the interface behind a port (af_packet, tap), whose driver does not know it. Out: request. */
static bool
ask_kernel(const struct fan_egress *egress, unsigned long what, struct ifreq *request)
{
	memset(request, 0, sizeof(*request));
	request->ifr_ifindex = (int)egress->if_index;
	return ioctl(egress->kernel, SIOCGIFNAME, request) == 0 && ioctl(egress->kernel, what, request) == 0;
}

/* Out: mtu. */
static enum fan_egress_state
look_at_interface(const struct fan_egress *egress, uint16_t *mtu)
{
	const short running = IFF_UP | IFF_RUNNING;
	struct ifreq request;
	short flags;

	if (!ask_kernel(egress, SIOCGIFFLAGS, &request))
		return FAN_EGRESS_GONE;
	flags = request.ifr_flags;
	if (ioctl(egress->kernel, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0 && request.ifr_mtu < UINT16_MAX)
		*mtu = (uint16_t)request.ifr_mtu;
	return (flags & running) == running ? FAN_EGRESS_UP : FAN_EGRESS_DOWN;
}

/* Of a card, as its driver knows it. */
static enum fan_egress_state
look_at_device(uint16_t port, uint16_t *mtu)
{
	struct rte_eth_link link;

	if (rte_eth_dev_is_removed(port) != 0)
		return FAN_EGRESS_GONE;
	(void)rte_eth_dev_get_mtu(port, mtu);
	if (rte_eth_link_get_nowait(port, &link) != 0)
		return FAN_EGRESS_UP;
	return link.link_status == RTE_ETH_LINK_UP ? FAN_EGRESS_UP : FAN_EGRESS_DOWN;
}

void
fan_egress_look(struct fan_egress *egress)
{
	uint16_t mtu = RTE_ETHER_MTU;
	enum fan_egress_state state;

	if (egress->carries_any)
		return;
	state = egress->if_index != 0 ? look_at_interface(egress, &mtu) : look_at_device(egress->port, &mtu);
	if (__atomic_load_n(&egress->at_fault, __ATOMIC_RELAXED))
		state = FAN_EGRESS_GONE;
	__atomic_store_n(&egress->frame_bytes_max, (uint16_t)RTE_MIN(mtu + egress->link_bytes, (unsigned)UINT16_MAX),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&egress->state, (uint8_t)state, __ATOMIC_RELAXED);
}

void
fan_egress_fail(struct fan_egress *egress)
{
	__atomic_store_n(&egress->at_fault, true, __ATOMIC_RELAXED);
	__atomic_store_n(&egress->state, (uint8_t)FAN_EGRESS_GONE, __ATOMIC_RELAXED);
}

uint64_t
fan_egress_take_losses(struct fan_egress *egress)
{
	struct rte_eth_stats stats;
	const uint64_t before = egress->losses;

	if (egress->carries_any || rte_eth_stats_get(egress->port, &stats) != 0)
		return 0;
	egress->losses = stats.oerrors;
	return stats.oerrors > before ? stats.oerrors - before : 0;
}

/* The kernel's interface has the address that others know, whatever its driver made up. */
static bool
interface_ethernet(const struct fan_egress *egress, struct rte_ether_addr *address)
{
	struct ifreq request;
	const bool known = ask_kernel(egress, SIOCGIFHWADDR, &request);

	memcpy(address->addr_bytes, request.ifr_hwaddr.sa_data, sizeof(address->addr_bytes));
	return known;
}

bool
fan_egress_ethernet(const struct fan_egress *egress, uint8_t ethernet[6])
{
	struct rte_ether_addr address;

	if (egress->carries_any)
		return false;
	if (egress->if_index != 0 ? !interface_ethernet(egress, &address) : rte_eth_macaddr_get(egress->port, &address) != 0)
		return false;
	memcpy(ethernet, address.addr_bytes, sizeof(address.addr_bytes));
	return !rte_is_zero_ether_addr(&address);
}

/* Of one interface that net_pcap sends through. In/Out: user, its index; 0: none was named before. All queues go to the same. */
static int
note_interface(const char *key, const char *name, void *user)
{
	unsigned *if_index = user;
	const unsigned index = name != NULL ? if_nametoindex(name) : 0;

	(void)key;
	if (index == 0 || (*if_index != 0 && *if_index != index))
		return -1;
	*if_index = index;
	return 0;
}

/* net_pcap writes to a file or to an interface, as its arguments say; it knows of the interface in one case only. Out: *if_index, 0 for a
 * file; *receives, whether it reads from any. */
static int
find_pcap_interface(const struct rte_device *device, unsigned *if_index, bool *receives)
{
	const struct rte_devargs *devargs = rte_dev_devargs(device);
	struct rte_kvargs *arguments = devargs != NULL ? rte_kvargs_parse(devargs->args, NULL) : NULL;
	int error = arguments == NULL ? -1 : 0;

	*if_index = 0;
	*receives = error == 0 &&
		    (rte_kvargs_count(arguments, "iface") > 0 || rte_kvargs_count(arguments, "rx_iface") > 0 ||
		     rte_kvargs_count(arguments, "rx_iface_in") > 0 || rte_kvargs_count(arguments, "rx_pcap") > 0);
	if (error == 0)
		error = rte_kvargs_process(arguments, "iface", note_interface, if_index);
	if (error == 0 && rte_kvargs_count(arguments, "tx_pcap") == 0)
		error = rte_kvargs_process(arguments, "tx_iface", note_interface, if_index);
	rte_kvargs_free(arguments);
	return error;
}

static int
watch_interface(struct fan_egress *egress, unsigned if_index, const char *name)
{
	const int kernel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (kernel < 0)
		return fan_fail(FAN_E_IO, "egress %s: no socket to ask for its link: %s", name, strerror(errno));
	egress->kernel = kernel;
	egress->if_index = if_index;
	return 0;
}

/* Ports of software whose frames reach nobody carry any; on others the kernel or the wire sets the limit. */
static int
begin_watch(struct fan_egress *egress, const char *name)
{
	struct rte_eth_dev_info info;
	const int error = rte_eth_dev_info_get(egress->port, &info);
	unsigned if_index = error == 0 ? info.if_index : 0;

	if (error != 0)
		return fan_fail(FAN_E_IO, "egress %s: %s", name, rte_strerror(-error));
	egress->frame_bytes_max = UINT16_MAX;
	egress->look_every_tsc = rte_get_tsc_hz() / 1000;
	egress->link_bytes = RTE_ETHER_HDR_LEN;
	egress->carries_any = strcmp(info.driver_name, "net_null") == 0 || strcmp(info.driver_name, "net_ring") == 0;
	if (strcmp(info.driver_name, "net_pcap") == 0) {
		bool receives;

		if (find_pcap_interface(info.device, &if_index, &receives) != 0)
			return fan_fail(FAN_E_UNSUPPORTED, "egress %s: all its queues must send through one network interface",
					name);
		egress->carries_any = if_index == 0;
		if (!receives)
			egress->receive_queues = 0;
	}
	if (if_index != 0 && watch_interface(egress, if_index, name) != 0)
		return FAN_E_IO;
	(void)fan_egress_take_losses(egress);
	fan_egress_look(egress);
	return 0;
}

static int
open_capture(struct fan_egress *egress, const char *path)
{
	egress->capture_format = pcap_open_dead(DLT_EN10MB, 65535);
	if (egress->capture_format != NULL)
		egress->capture = pcap_dump_open(egress->capture_format, path);
	if (egress->capture == NULL)
		return fan_fail(FAN_E_IO, "capture %s: %s", path,
				egress->capture_format != NULL ? pcap_geterr(egress->capture_format) : "no memory");
	return 0;
}

int
fan_egress_open(struct fan_egress *egress, const char *name, unsigned queue_count, const char *capture)
{
	int error;

	memset(egress, 0, sizeof(*egress));
	egress->queue_count = (uint16_t)queue_count;
	pthread_mutex_init(&egress->capture_lock, NULL);
	error = attach_named(egress, name, queue_count);
	if (error == 0)
		error = make_pool(egress);
	if (error == 0)
		error = start_port(egress, name);
	if (error == 0)
		error = begin_watch(egress, name);
	if (error == 0 && capture != NULL)
		error = open_capture(egress, capture);
	if (error != 0)
		(void)fan_egress_close(egress);
	return error;
}

/* Frames that came back and were not taken belong to the pool. */
static void
drain(const struct fan_egress *egress)
{
	struct rte_mbuf *frames[64];

	for (uint16_t queue = 0; egress->loops_back && queue < egress->receive_queues; queue++) {
		uint16_t n;

		while ((n = rte_eth_rx_burst(egress->port, queue, frames, RTE_DIM(frames))) > 0)
			rte_pktmbuf_free_bulk(frames, n);
	}
}

int
fan_egress_close(struct fan_egress *egress)
{
	int failure = egress->capture_errno;

	if (egress->started) {
		drain(egress);
		(void)rte_eth_dev_stop(egress->port);
	}
	if (egress->device[0] != '\0')
		(void)rte_vdev_uninit(egress->device);
	if (egress->if_index != 0)
		close(egress->kernel);
	if (egress->capture != NULL) {
		if (failure == 0 && pcap_dump_flush(egress->capture) != 0)
			failure = errno;
		pcap_dump_close(egress->capture);
	}
	if (egress->capture_format != NULL)
		pcap_close(egress->capture_format);
	if (egress->frames != NULL)
		(void)rte_mempool_mem_iter(egress->frames, withdraw_piece, NULL);
	rte_mempool_free(egress->frames);
	memset(egress, 0, sizeof(*egress));
	return failure != 0 ? fan_fail(FAN_E_IO, "the capture is incomplete: %s", strerror(failure)) : 0;
}

void
fan_egress_capture_burst(struct fan_egress *egress, struct rte_mbuf *const *frames, uint16_t frame_count)
{
	struct pcap_pkthdr packet = { .caplen = 0 };

	gettimeofday(&packet.ts, NULL);
	pthread_mutex_lock(&egress->capture_lock);
	for (uint16_t i = 0; i < frame_count; i++) {
		packet.caplen = packet.len = frames[i]->pkt_len;
		pcap_dump((u_char *)egress->capture, &packet, rte_pktmbuf_mtod(frames[i], const u_char *));
	}
	if (egress->capture_errno == 0 && ferror(pcap_dump_file(egress->capture)))
		egress->capture_errno = errno != 0 ? errno : EIO;
	pthread_mutex_unlock(&egress->capture_lock);
}
