/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transport over shared memory against a simulator that this file plays, following driver/cosim_protocol.h alone: an honest one, and
 * each way in which one may be wrong, silent or dead.
 */
#define _GNU_SOURCE
#include "../dataplane/context/error.h"
#include "../driver/cosim_ring.h"
#include "../driver/transport_shm.h"
#include "../driver/transports.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

enum trick {
	HONEST,
	/* At the handshake. */
	SILENT,
	HANGS_UP,
	NO_SIMULATOR, /* answers something else */
	OTHER_VERSION,
	TAKEN,
	REFUSES,
	NO_FILE,
	SMALL_FILE,
	UNSEALED_FILE,
	/* Once it has shaken hands. */
	REFUSES_MAPS,
	DIES_AT_READ,
	COUNTER_IMPOSSIBLE,
	KIND_UNKNOWN,
	ANSWER_UNASKED,
	IGNORES_ISOLATE,
};

struct simulator {
	enum trick trick;
	int listener;
	pthread_t thread;
	char path[64];
	struct fan_cosim_shared *shared;
	uint32_t written, taken;
	uint32_t scratch;
	uint8_t *memory; /* of the last MAP */
	uint64_t iova, memory_bytes;
	unsigned maps;
	bool may_write[2]; /* of the last MAPs */
	bool stop;         /* atomic */
};

#define SCRATCH 0x1c
#define IRQ 0x100 /* a write of a register that sets the interrupt lines */

static bool
send_packet(int socket, const struct fan_cosim_packet *packet, size_t bytes, int file)
{
	struct fan_cosim_packet copy = *packet; /* sendmsg() takes no const */
	struct iovec octets = { .iov_base = &copy, .iov_len = bytes };
	union {
		struct cmsghdr header;
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &octets, .msg_iovlen = 1 };

	if (file >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.octets);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static ssize_t
receive_packet(int socket, struct fan_cosim_packet *packet, int *file, int flags)
{
	struct iovec octets = { .iov_base = packet, .iov_len = sizeof(*packet) };
	union {
		struct cmsghdr header;
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &octets, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.octets)
	};
	const ssize_t count = recvmsg(socket, &message, flags);

	*file = -1;
	if (count > 0 && CMSG_FIRSTHDR(&message) != NULL)
		memcpy(file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(*file));
	return count;
}

static void
put(struct simulator *simulator, uint32_t kind, uint32_t number, uint64_t value)
{
	const struct fan_cosim_message message = { .kind = kind, .number = number, .value = value };

	fan_cosim_ring_put(&simulator->shared->to_host, &simulator->written, &message);
}

static int
rings_file(struct simulator *simulator)
{
	const size_t bytes = simulator->trick == SMALL_FILE ? 4096 : sizeof(*simulator->shared);
	const int file = memfd_create("rings", MFD_ALLOW_SEALING);

	if (file < 0 || ftruncate(file, (off_t)bytes) != 0)
		abort();
	if (simulator->trick != UNSEALED_FILE && fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
		abort();
	if (simulator->trick == SMALL_FILE)
		return file;
	simulator->shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (simulator->shared == MAP_FAILED)
		abort();
	return file;
}

/* False: the handshake is all there was. */
static bool
shake_hands(struct simulator *simulator, int socket)
{
	struct fan_cosim_packet hello;
	int file = -1;

	if (simulator->trick == HANGS_UP || receive_packet(socket, &hello, &file, 0) != (ssize_t)sizeof(hello) ||
	    hello.magic != FAN_COSIM_MAGIC || hello.kind != FAN_COSIM_HELLO || hello.version != FAN_COSIM_VERSION)
		return false;
	if (simulator->trick == SILENT)
		return receive_packet(socket, &hello, &file, 0) > 0;
	if (simulator->trick == NO_SIMULATOR)
		return send_packet(socket, &hello, 20, -1) && false;
	if (simulator->trick == OTHER_VERSION) {
		hello.version = FAN_COSIM_VERSION + 1;
		hello.status = FAN_COSIM_OTHER_VERSION;
	} else if (simulator->trick == TAKEN) {
		hello.status = FAN_COSIM_TAKEN;
	} else if (simulator->trick == REFUSES) {
		hello.status = FAN_COSIM_REFUSED;
		memset(hello.text, 'x', sizeof(hello.text)); /* without an end */
	} else if (simulator->trick != NO_FILE) {
		file = rings_file(simulator);
	}
	send_packet(socket, &hello, sizeof(hello), file);
	if (file >= 0)
		close(file);
	return simulator->shared != NULL;
}

static void
take_packet(struct simulator *simulator, int socket)
{
	struct fan_cosim_packet packet;
	int file;

	if (receive_packet(socket, &packet, &file, MSG_DONTWAIT) != (ssize_t)sizeof(packet))
		return;
	if (packet.kind == FAN_COSIM_MAP) {
		simulator->memory = mmap(NULL, packet.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
		simulator->may_write[simulator->maps++ % 2] = simulator->memory != MAP_FAILED;
		if (simulator->memory == MAP_FAILED)
			simulator->memory = mmap(NULL, packet.bytes, PROT_READ, MAP_SHARED, file, 0);
		simulator->memory_bytes = packet.bytes;
		simulator->iova = packet.iova;
		if (simulator->trick == REFUSES_MAPS) {
			packet.status = FAN_COSIM_REFUSED;
			snprintf(packet.text, sizeof(packet.text), "not today");
		}
	}
	if (file >= 0)
		close(file);
	send_packet(socket, &packet, sizeof(packet), -1);
}

/* False: it ends. */
static bool
take_message(struct simulator *simulator, int socket, const struct fan_cosim_message *message)
{
	switch (message->kind) {
	case FAN_COSIM_READ:
		if (simulator->trick == DIES_AT_READ)
			return false;
		if (simulator->trick == COUNTER_IMPOSSIBLE)
			__atomic_store_n(&simulator->shared->to_host.written, 1000, __ATOMIC_SEQ_CST);
		else if (simulator->trick == KIND_UNKNOWN)
			put(simulator, 99, message->number, 0);
		else if (simulator->trick == ANSWER_UNASKED)
			put(simulator, FAN_COSIM_ANSWER, message->number + 1, 0);
		else
			put(simulator, FAN_COSIM_ANSWER, message->number,
			    message->offset == SCRATCH ? simulator->scratch : message->offset);
		return true;
	case FAN_COSIM_WRITE:
		if (message->offset == SCRATCH)
			simulator->scratch = (uint32_t)message->value;
		if (message->offset == IRQ)
			put(simulator, FAN_COSIM_LEVELS, 0, message->value);
		return true;
	case FAN_COSIM_LOOK:
		take_packet(simulator, socket);
		return true;
	default:
		if (simulator->trick != IGNORES_ISOLATE)
			put(simulator, FAN_COSIM_ANSWER, message->number, 0);
		return true;
	}
}

static void *
simulate(void *user)
{
	struct simulator *simulator = user;
	const int socket = accept(simulator->listener, NULL, NULL);
	struct fan_cosim_message message;
	bool go_on = shake_hands(simulator, socket) && simulator->shared != NULL;

	while (go_on && !__atomic_load_n(&simulator->stop, __ATOMIC_RELAXED)) {
		if (fan_cosim_ring_take(&simulator->shared->to_card, &simulator->taken, &message) == FAN_COSIM_RING_DONE)
			go_on = take_message(simulator, socket, &message);
		else
			fan_cosim_ring_sleep(&simulator->shared->to_card, simulator->taken, 10000);
	}
	close(socket);
	return NULL;
}

static void
start(struct simulator *simulator, enum trick trick)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *folder = getenv("TMPDIR");

	*simulator = (struct simulator){ .trick = trick };
	snprintf(simulator->path, sizeof(simulator->path), "%.40s/fan-%d.socket", folder != NULL ? folder : "/tmp",
		 (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", simulator->path);
	unlink(simulator->path);
	simulator->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	cr_assert_eq(bind(simulator->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(simulator->listener, 1), 0);
	cr_assert_eq(pthread_create(&simulator->thread, NULL, simulate, simulator), 0);
}

static void
end(struct simulator *simulator)
{
	__atomic_store_n(&simulator->stop, true, __ATOMIC_RELAXED);
	pthread_join(simulator->thread, NULL);
	close(simulator->listener);
	unlink(simulator->path);
	if (simulator->memory != NULL)
		munmap(simulator->memory, simulator->memory_bytes);
	if (simulator->shared != NULL)
		munmap(simulator->shared, sizeof(*simulator->shared));
}

static struct fan_card_transport *
connected(struct simulator *simulator, enum trick trick)
{
	struct fan_card_transport *transport;
	char where[80];

	start(simulator, trick);
	snprintf(where, sizeof(where), "shm:%s", simulator->path);
	cr_assert_eq(fan_transport_open(&transport, where), 0, "%s", fan_error_detail());
	return transport;
}

/* ---- An honest one ------------------------------------------------------------------------------------------------------------- */

Test(transport_shm, registers)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, HONEST);
	const struct fan_card_transport_ops *ops = transport->ops;

	cr_assert_eq(ops->mmio_read32(transport, 0x40), 0x40);
	/* More writes than the ring has places; the read comes behind them all. */
	for (uint32_t i = 0; i < 3 * FAN_COSIM_RING_ENTRIES; i++)
		ops->mmio_write32(transport, SCRATCH, i);
	cr_assert_eq(ops->mmio_read32(transport, SCRATCH), 3 * FAN_COSIM_RING_ENTRIES - 1);
	ops->close(transport);
	end(&simulator);
}

Test(transport_shm, memory_is_shared_and_data_is_in_no_message)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, HONEST);
	const struct fan_card_transport_ops *ops = transport->ops;
	uint8_t *memory, other[64];
	void *first, *second;
	uint64_t iova, iova_2, iova_3;

	cr_assert_eq(ops->dma_alloc(transport, &first, &iova, 5000, FAN_MEMORY_WRITE), 0);
	memory = first;
	cr_assert_eq((uintptr_t)memory % 4096, 0);
	cr_assert_eq(iova, simulator.iova);
	cr_assert_eq(simulator.memory_bytes, 8192);
	for (unsigned i = 0; i < 8192; i++)
		cr_assert_eq(memory[i], 0);
	memory[4999] = 7;
	cr_assert_eq(simulator.memory[4999], 7);
	simulator.memory[0] = 8;
	cr_assert_eq(memory[0], 8);
	cr_assert_eq(ops->dma_alloc(transport, &second, &iova_2, 4096, FAN_MEMORY_READ), 0);
	cr_assert_gt(iova_2, iova + 8192, "an overrun must not reach the next region");
	cr_assert(simulator.may_write[0] && !simulator.may_write[1], "what is only to be read");
	((uint8_t *)second)[5] = 9;
	cr_assert_eq(simulator.memory[5], 9);
	cr_assert_eq(ops->dma_map(transport, &iova_3, other, sizeof(other), FAN_MEMORY_READ), FAN_E_UNSUPPORTED);
	ops->dma_free(transport, second, 4096);
	ops->dma_free(transport, first, 5000);
	ops->close(transport);
	end(&simulator);
}

Test(transport_shm, interrupts)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, HONEST);
	const struct fan_card_transport_ops *ops = transport->ops;

	cr_assert_eq(ops->wait_irq(transport, 2, 1000), 0);
	ops->mmio_write32(transport, IRQ, 1 << 2);
	cr_assert_eq(ops->wait_irq(transport, 2, 1000000), 1);
	cr_assert_eq(ops->wait_irq(transport, 1, 1000), 0);
	ops->mmio_write32(transport, IRQ, 0);
	ops->mmio_read32(transport, 0);
	cr_assert_eq(ops->wait_irq(transport, 2, 1000), 0);
	cr_assert_eq(ops->wait_irq(transport, FAN_COSIM_VECTORS, 0), FAN_E_INVALID);
	ops->close(transport);
	end(&simulator);
}

/* ---- At the handshake ------------------------------------------------------------------------------------------------------------ */

static void
refused(enum trick trick, int error, const char *text)
{
	struct simulator simulator;
	struct fan_card_transport *transport;
	char where[80];

	start(&simulator, trick);
	snprintf(where, sizeof(where), "shm:%s", simulator.path);
	cr_assert_eq(fan_transport_open(&transport, where), error, "trick %d: %s", trick, fan_error_detail());
	cr_assert_null(transport);
	cr_assert_not_null(strstr(fan_error_detail(), text), "trick %d: %s", trick, fan_error_detail());
	end(&simulator);
}

Test(transport_shm, refusals_at_the_handshake)
{
	refused(HANGS_UP, FAN_E_IO, "hung up");
	refused(NO_SIMULATOR, FAN_E_IO, "no simulator");
	refused(OTHER_VERSION, FAN_E_UNSUPPORTED, "version 2");
	refused(TAKEN, FAN_E_BUSY, "another host");
	refused(REFUSES, FAN_E_IO, "refused");
	refused(NO_FILE, FAN_E_IO, "no file of rings");
	refused(SMALL_FILE, FAN_E_IO, "too small");
	refused(UNSEALED_FILE, FAN_E_IO, "not sealed");
}

Test(transport_shm, silence_does_not_hang)
{
	refused(SILENT, FAN_E_IO, "no answer within");
}

Test(transport_shm, nobody_there)
{
	struct fan_card_transport *transport;
	char path[200];

	cr_assert_eq(fan_transport_open(&transport, "shm:/nonexistent/socket"), FAN_E_IO);
	cr_assert_not_null(strstr(fan_error_detail(), "fanfare-cosim"), "%s", fan_error_detail());
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memcpy(path, "shm:", 4);
	cr_assert_eq(fan_transport_open(&transport, path), FAN_E_INVALID);
	cr_assert_eq(fan_transport_open(&transport, "shm:"), FAN_E_INVALID);
	cr_assert_eq(fan_transport_open(&transport, "modern"), FAN_E_INVALID);
}

/* ---- Afterwards ---------------------------------------------------------------------------------------------------------------------- */

/* Gone means gone: everything ends at once, and nothing crashes. */
static void
goes(enum trick trick)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, trick);
	const struct fan_card_transport_ops *ops = transport->ops;
	void *memory, *late;
	uint64_t iova;

	cr_assert_eq(ops->dma_alloc(transport, &memory, &iova, 4096, FAN_MEMORY_WRITE), 0);
	cr_assert_eq(ops->mmio_read32(transport, 0x40), UINT32_MAX, "trick %d", trick);
	cr_assert_eq(ops->mmio_read32(transport, 0x40), UINT32_MAX);
	ops->mmio_write32(transport, SCRATCH, 1);
	ops->relax(transport);
	cr_assert_eq(ops->wait_irq(transport, 0, 1000000), 0);
	cr_assert_eq(ops->dma_alloc(transport, &late, &iova, 4096, FAN_MEMORY_WRITE), FAN_E_IO);
	ops->isolate(transport);
	memset(memory, 1, 4096);
	ops->dma_free(transport, memory, 4096);
	ops->close(transport);
	end(&simulator);
}

Test(transport_shm, simulator_dies)
{
	goes(DIES_AT_READ);
}

Test(transport_shm, garbage_in_the_rings)
{
	goes(COUNTER_IMPOSSIBLE);
	goes(KIND_UNKNOWN);
	goes(ANSWER_UNASKED);
}

Test(transport_shm, refused_memory)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, REFUSES_MAPS);
	void *memory;
	uint64_t iova;

	cr_assert_eq(transport->ops->dma_alloc(transport, &memory, &iova, 4096, FAN_MEMORY_WRITE), FAN_E_IO);
	cr_assert_not_null(strstr(fan_error_detail(), "not today"), "%s", fan_error_detail());
	transport->ops->close(transport);
	end(&simulator);
}

/* Whether or not the simulator obeys, nothing that it writes afterwards is seen. */
Test(transport_shm, isolation)
{
	struct simulator simulator;
	struct fan_card_transport *transport = connected(&simulator, IGNORES_ISOLATE);
	void *allocated;
	uint8_t *memory;
	uint64_t iova;

	cr_assert_eq(transport->ops->dma_alloc(transport, &allocated, &iova, 8192, FAN_MEMORY_WRITE), 0);
	memory = allocated;
	memory[0] = 1;
	memory[8191] = 2;
	transport->ops->isolate(transport);
	cr_assert_eq(memory[0], 1);
	cr_assert_eq(memory[8191], 2);
	memset(simulator.memory, 0xff, 8192);
	cr_assert_eq(memory[0], 1);
	cr_assert_eq(memory[8191], 2);
	transport->ops->dma_free(transport, allocated, 8192);
	transport->ops->close(transport);
	end(&simulator);
}
