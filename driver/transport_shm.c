/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "transport_shm.h"

#include "../dataplane/context/error.h"
#include "card_ranges.h"
#include "cosim_ring.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PAGE_BYTES 4096
#define IOVA_FIRST UINT64_C(0x100000000)
#define IOVA_GAP_BYTES 65536 /* between two ranges, so that a card that runs over an end meets a bus error */
/* A simulator that runs answers within tens of microseconds: then it is asleep or busy, and so is this thread better. */
#define SPINS 2000
#define NAP_US 20000 /* between looks whether the simulator still lives */
/* A batch takes the simulator about a millisecond; the core is of more use to it than to a driver that looks for completions. */
#define RELAX_NS 30000
#define ISOLATE_MS 1000

struct transport_shm {
	struct fan_card_transport transport;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool gone; /* W whoever notices, R all: atomic */

	pthread_mutex_t socket_lock; /* R, W who maps and allocates, under it: the next three */
	int socket;
	struct fan_card_ranges ranges; /* of whole pages */
	uint64_t next_iova;

	pthread_mutex_t ring_lock;       /* R, W who is at a register, under it: the rings and all below */
	struct fan_cosim_shared *shared; /* the simulator's process is at it, too: cosim_ring.h */
	uint32_t written, taken, number;
	uint32_t levels; /* of interrupt lines, as told last; atomic, for it is read without the lock */
};

static struct transport_shm *
transport_of(struct fan_card_transport *transport)
{
	return (void *)transport;
}

/* ---- A card that goes ------------------------------------------------------------------------------------------------------------ */

static bool
gone(const struct transport_shm *shm)
{
	return __atomic_load_n(&shm->gone, __ATOMIC_RELAXED);
}

static void
lose(struct transport_shm *shm, const char *why)
{
	if (!__atomic_exchange_n(&shm->gone, true, __ATOMIC_RELAXED))
		fan_outage_say("card shm:%s is gone: %s", shm->path, why);
}

/* The simulator closed its socket, or died. */
static bool
hung_up(const struct transport_shm *shm)
{
	struct pollfd look = { .fd = shm->socket, .events = POLLRDHUP };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static uint64_t
now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* ---- The rings; under ring_lock --------------------------------------------------------------------------------------------------- */

static bool
put(struct transport_shm *shm, const struct fan_cosim_message *message)
{
	const struct timespec nap = { 0, 50000 };
	const uint64_t end_ms = now_ms() + FAN_TRANSPORT_SHM_ANSWER_MS;

	while (!gone(shm)) {
		switch (fan_cosim_ring_put(&shm->shared->to_card, &shm->written, message)) {
		case FAN_COSIM_RING_DONE:
			return true;
		case FAN_COSIM_RING_BROKEN:
			lose(shm, "it broke the ring of messages");
			break;
		default:
			if (hung_up(shm))
				lose(shm, "the simulator ended");
			else if (now_ms() > end_ms)
				lose(shm, "the simulator takes no messages");
			else
				nanosleep(&nap, NULL);
		}
	}
	return false;
}

/* Whether something was there. Out: the message, if it is an ANSWER; kind 0 otherwise. */
static bool
take(struct transport_shm *shm, struct fan_cosim_message *message)
{
	switch (fan_cosim_ring_take(&shm->shared->to_host, &shm->taken, message)) {
	case FAN_COSIM_RING_NOT_NOW:
		return false;
	case FAN_COSIM_RING_BROKEN:
		lose(shm, "it broke the ring of messages");
		return false;
	default:
		break;
	}
	if (message->kind == FAN_COSIM_LEVELS) {
		__atomic_store_n(&shm->levels, (uint32_t)message->value, __ATOMIC_RELAXED);
		message->kind = 0;
	} else if (message->kind != FAN_COSIM_ANSWER) {
		lose(shm, "it sent a message of unknown kind");
		return false;
	}
	return true;
}

/* Sends a message and waits for its answer. False: none came. */
static bool
ask(struct transport_shm *shm, struct fan_cosim_message *message, unsigned timeout_ms)
{
	struct fan_cosim_message answer;
	uint64_t end_ms = 0;

	message->number = ++shm->number;
	if (!put(shm, message))
		return false;
	for (unsigned spins = 0; !gone(shm);) {
		if (take(shm, &answer)) {
			if (answer.kind == FAN_COSIM_ANSWER && answer.number == message->number) {
				message->value = answer.value;
				return true;
			}
			if (answer.kind == FAN_COSIM_ANSWER)
				lose(shm, "it answered what was not asked");
		} else if (++spins > SPINS) {
			if (end_ms == 0)
				end_ms = now_ms() + timeout_ms;
			if (hung_up(shm))
				lose(shm, "the simulator ended");
			else if (now_ms() > end_ms)
				lose(shm, "the simulator does not answer");
			else
				fan_cosim_ring_sleep(&shm->shared->to_host, shm->taken, NAP_US);
		}
	}
	return false;
}

static uint32_t
mmio_read32(struct fan_card_transport *transport, uint32_t offset)
{
	struct transport_shm *shm = transport_of(transport);
	struct fan_cosim_message message = { .kind = FAN_COSIM_READ, .offset = offset };
	bool answered;

	pthread_mutex_lock(&shm->ring_lock);
	answered = ask(shm, &message, FAN_TRANSPORT_SHM_ANSWER_MS);
	pthread_mutex_unlock(&shm->ring_lock);
	return answered ? (uint32_t)message.value : UINT32_MAX;
}

static void
mmio_write32(struct fan_card_transport *transport, uint32_t offset, uint32_t value)
{
	struct transport_shm *shm = transport_of(transport);
	const struct fan_cosim_message message = { .kind = FAN_COSIM_WRITE, .offset = offset, .value = value };

	pthread_mutex_lock(&shm->ring_lock);
	put(shm, &message);
	pthread_mutex_unlock(&shm->ring_lock);
}

static int
wait_irq(struct fan_card_transport *transport, unsigned vector, unsigned timeout_us)
{
	struct transport_shm *shm = transport_of(transport);
	const uint64_t end_ms = now_ms() + (timeout_us + 999) / 1000;
	struct fan_cosim_message message;
	bool high = false;

	if (vector >= FAN_COSIM_VECTORS)
		return fan_fail(FAN_E_INVALID, "interrupt %u: 0 to %d", vector, FAN_COSIM_VECTORS - 1);
	pthread_mutex_lock(&shm->ring_lock);
	for (;;) {
		while (take(shm, &message))
			if (message.kind == FAN_COSIM_ANSWER)
				lose(shm, "it answered what was not asked");
		high = (__atomic_load_n(&shm->levels, __ATOMIC_RELAXED) >> vector & 1) != 0;
		if (high || gone(shm) || now_ms() >= end_ms)
			break;
		if (hung_up(shm))
			lose(shm, "the simulator ended");
		/* Others' accesses come first, and take the levels with them. */
		pthread_mutex_unlock(&shm->ring_lock);
		fan_cosim_ring_sleep(&shm->shared->to_host, __atomic_load_n(&shm->shared->to_host.taken, __ATOMIC_RELAXED),
				     timeout_us < 500 ? timeout_us : 500);
		pthread_mutex_lock(&shm->ring_lock);
	}
	pthread_mutex_unlock(&shm->ring_lock);
	return high && !gone(shm);
}

static void
relax(struct fan_card_transport *transport)
{
	const struct timespec nap = { 0, RELAX_NS };

	(void)transport;
	nanosleep(&nap, NULL);
}

/* ---- The socket; under socket_lock -------------------------------------------------------------------------------------------------- */

/* file: sent along, unless it is -1. */
static bool
send_packet(int socket, const struct fan_cosim_packet *packet, int file)
{
	struct fan_cosim_packet copy = *packet; /* sendmsg() takes no const */
	struct iovec octets = { .iov_base = &copy, .iov_len = sizeof(copy) };
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
	return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*packet);
}

/* Out: *file, -1 when none came; the caller's to close. Returns the octets, 0 when the other side is gone, -1 with errno. */
static ssize_t
receive_packet(int socket, struct fan_cosim_packet *packet, int *file)
{
	struct iovec octets = { .iov_base = packet, .iov_len = sizeof(*packet) };
	union {
		struct cmsghdr header;
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &octets, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.octets)
	};
	const ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*file = -1;
	if (count >= 0 && header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(file, CMSG_DATA(header), sizeof(*file));
	return count;
}

/* A request and its answer. Returns 0; or IO with a line, after which the card is gone when the answer was none. */
static int
exchange(struct transport_shm *shm, uint32_t kind, uint64_t iova, size_t bytes, int file)
{
	struct fan_cosim_packet packet = {
		.magic = FAN_COSIM_MAGIC, .version = FAN_COSIM_VERSION, .kind = kind, .iova = iova, .bytes = bytes
	};
	const struct fan_cosim_message look = { .kind = FAN_COSIM_LOOK };
	int unwanted;

	if (gone(shm) || !send_packet(shm->socket, &packet, file))
		return fan_fail(FAN_E_IO, "card shm:%s is gone", shm->path);
	pthread_mutex_lock(&shm->ring_lock);
	put(shm, &look);
	pthread_mutex_unlock(&shm->ring_lock);
	if (receive_packet(shm->socket, &packet, &unwanted) != (ssize_t)sizeof(packet) || packet.magic != FAN_COSIM_MAGIC ||
	    packet.kind != kind) {
		lose(shm, "the simulator did not answer on its socket");
		return fan_fail(FAN_E_IO, "card shm:%s is gone", shm->path);
	}
	if (unwanted >= 0)
		close(unwanted);
	packet.text[FAN_COSIM_TEXT_BYTES - 1] = '\0';
	if (packet.status != FAN_COSIM_OK)
		return fan_fail(FAN_E_IO, "card shm:%s: the simulator refused: %s", shm->path, packet.text);
	return 0;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------------------- */

/* A file of so many octets, mapped here, that cannot shrink or grow, nor be written by others if they may only read; -1 when there is no
 * memory. Out: *memory. */
static int
make_file(void **memory, size_t bytes, enum fan_memory_access access)
{
	const int file = memfd_create("fanfare-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (access == FAN_MEMORY_READ ? F_SEAL_FUTURE_WRITE : 0);

	*memory = MAP_FAILED;
	if (file >= 0 && ftruncate(file, (off_t)bytes) == 0)
		*memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (*memory != MAP_FAILED && fcntl(file, F_ADD_SEALS, seals) == 0)
		return file;
	if (*memory != MAP_FAILED)
		munmap(*memory, bytes);
	if (file >= 0)
		close(file);
	return -1;
}

/* Announces memory that is a file's. Out: iova. */
static int
share(struct transport_shm *shm, uint64_t *iova, void *memory, size_t bytes, enum fan_memory_access access, int file)
{
	int error;

	pthread_mutex_lock(&shm->socket_lock);
	*iova = shm->next_iova;
	error = fan_card_ranges_add(&shm->ranges, *iova, memory, bytes, access);
	if (error == 0) {
		error = exchange(shm, FAN_COSIM_MAP, *iova, bytes, file);
		if (error != 0)
			fan_card_ranges_remove(&shm->ranges, *iova);
		else
			shm->next_iova += bytes + IOVA_GAP_BYTES;
	}
	pthread_mutex_unlock(&shm->socket_lock);
	return error;
}

static int
dma_alloc(struct fan_card_transport *transport, void **memory, uint64_t *iova, size_t bytes, enum fan_memory_access access)
{
	const size_t whole_bytes = (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
	void *mapped;
	const int file = make_file(&mapped, whole_bytes, access);
	int error;

	*memory = NULL;
	if (file < 0)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu octets that the card reaches", bytes);
	madvise(mapped, whole_bytes, MADV_DONTDUMP);
	error = share(transport_of(transport), iova, mapped, whole_bytes, access, file);
	close(file);
	if (error != 0) {
		munmap(mapped, whole_bytes);
		return error;
	}
	*memory = mapped;
	return 0;
}

static uint64_t
iova_of(const struct transport_shm *shm, const void *memory)
{
	unsigned at = 0;

	while (at < shm->ranges.count && shm->ranges.range[at].memory != memory)
		at++;
	FAN_REQUIRE(at < shm->ranges.count);
	return shm->ranges.range[at].iova;
}

/* After a simulator has gone its mapping is gone too, or does no harm: nobody else gets these pages. */
static void
dma_free(struct fan_card_transport *transport, void *memory, size_t bytes)
{
	struct transport_shm *shm = transport_of(transport);
	struct fan_card_range range;

	(void)bytes;
	pthread_mutex_lock(&shm->socket_lock);
	range = fan_card_ranges_remove(&shm->ranges, iova_of(shm, memory));
	if (!gone(shm))
		exchange(shm, FAN_COSIM_UNMAP, range.iova, range.bytes, -1);
	pthread_mutex_unlock(&shm->socket_lock);
	explicit_bzero(memory, range.bytes);
	munmap(memory, range.bytes);
}

/* Memory of the caller's is not a file's, so that no other process can be given it. */
static int
dma_map(struct fan_card_transport *transport, uint64_t *iova, void *memory, size_t bytes, enum fan_memory_access access)
{
	(void)memory;
	(void)access;
	*iova = 0;
	return fan_fail(FAN_E_UNSUPPORTED, "card shm:%s reaches only memory of its own making, not %zu octets of others",
			transport_of(transport)->path, bytes);
}

static void
dma_unmap(struct fan_card_transport *transport, uint64_t iova, size_t bytes)
{
	(void)transport;
	(void)iova;
	(void)bytes;
}

/* Puts private memory with the same octets where the range was. Whoever reads it meanwhile sees one or the other. */
static void
detach(const struct fan_card_range *range)
{
	void *copy = mmap(NULL, range->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FAN_REQUIRE(copy != MAP_FAILED);
	madvise(copy, range->bytes, MADV_DONTDUMP);
	memcpy(copy, range->memory, range->bytes);
	FAN_REQUIRE(mremap(copy, range->bytes, range->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, range->memory) == range->memory);
}

/* A simulator that cannot be asked is not trusted to have stopped. */
static void
isolate(struct fan_card_transport *transport)
{
	struct transport_shm *shm = transport_of(transport);
	struct fan_cosim_message message = { .kind = FAN_COSIM_ISOLATE };
	bool answered;

	pthread_mutex_lock(&shm->ring_lock);
	answered = ask(shm, &message, ISOLATE_MS);
	pthread_mutex_unlock(&shm->ring_lock);
	if (answered)
		return;
	pthread_mutex_lock(&shm->socket_lock);
	for (unsigned i = 0; i < shm->ranges.count; i++)
		detach(&shm->ranges.range[i]);
	pthread_mutex_unlock(&shm->socket_lock);
}

/* The simulator alone knows what it spends. */
static bool
simulated_in(struct fan_card_transport *transport, double *seconds)
{
	(void)transport;
	*seconds = 0;
	return false;
}

/* ---- Opening and closing -------------------------------------------------------------------------------------------------------------- */

static void
close_shm(struct fan_card_transport *transport)
{
	struct transport_shm *shm = transport_of(transport);

	if (shm->shared != NULL)
		munmap(shm->shared, sizeof(*shm->shared));
	if (shm->socket >= 0)
		close(shm->socket);
	fan_card_ranges_free(&shm->ranges);
	pthread_mutex_destroy(&shm->socket_lock);
	pthread_mutex_destroy(&shm->ring_lock);
	free(shm);
}

static const struct fan_card_transport_ops ops = {
	.name = "shm",
	.mmio_read32 = mmio_read32,
	.mmio_write32 = mmio_write32,
	.dma_alloc = dma_alloc,
	.dma_free = dma_free,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.wait_irq = wait_irq,
	.relax = relax,
	.isolate = isolate,
	.simulated_in = simulated_in,
	.close = close_shm,
};

static int
connect_to(struct transport_shm *shm, const char *path)
{
	const struct timeval patience = { .tv_sec = FAN_TRANSPORT_SHM_HELLO_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return fan_fail(FAN_E_INVALID, "card shm:%s: the path of a socket has at most %zu characters", path,
				sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	snprintf(shm->path, sizeof(shm->path), "%s", path);
	shm->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (shm->socket < 0)
		return fan_fail(FAN_E_IO, "card shm:%s: no socket: %s", path, strerror(errno));
	setsockopt(shm->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(shm->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(shm->socket, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return fan_fail(FAN_E_IO, "card shm:%s: %s; fanfare-cosim --socket %s serves one", path, strerror(errno), path);
	return 0;
}

/* Judges the card's HELLO. */
static int
judge_hello(const char *path, const struct fan_cosim_packet *hello, ssize_t count)
{
	if (count < 0 && errno == EAGAIN)
		return fan_fail(FAN_E_IO, "card shm:%s: no answer within %d ms: what listens there is no simulator, or hangs",
				path, FAN_TRANSPORT_SHM_HELLO_MS);
	if (count <= 0)
		return fan_fail(FAN_E_IO, "card shm:%s: the simulator hung up at the handshake", path);
	if (count != (ssize_t)sizeof(*hello) || hello->magic != FAN_COSIM_MAGIC || hello->kind != FAN_COSIM_HELLO)
		return fan_fail(FAN_E_IO, "card shm:%s: what listens there is no simulator of a card", path);
	if (hello->status == FAN_COSIM_OTHER_VERSION || hello->version != FAN_COSIM_VERSION)
		return fan_fail(FAN_E_UNSUPPORTED,
				"card shm:%s: the simulator speaks version %u of the protocol, this program version %d", path,
				hello->version, FAN_COSIM_VERSION);
	if (hello->status == FAN_COSIM_TAKEN)
		return fan_fail(FAN_E_BUSY, "card shm:%s: another host has the card", path);
	if (hello->status != FAN_COSIM_OK)
		return fan_fail(FAN_E_IO, "card shm:%s: the simulator refused: %.100s", path, hello->text);
	return 0;
}

static int
shake_hands(struct transport_shm *shm)
{
	struct fan_cosim_packet hello = {
		.magic = FAN_COSIM_MAGIC, .version = FAN_COSIM_VERSION, .kind = FAN_COSIM_HELLO, .text = "fanfare"
	};
	const struct timeval patience = { .tv_sec = FAN_TRANSPORT_SHM_ANSWER_MS / 1000 };
	int file, error;
	ssize_t count;

	if (!send_packet(shm->socket, &hello, -1))
		return fan_fail(FAN_E_IO, "card shm:%s: the simulator hung up at the handshake", shm->path);
	errno = 0;
	count = receive_packet(shm->socket, &hello, &file);
	hello.text[FAN_COSIM_TEXT_BYTES - 1] = '\0';
	error = judge_hello(shm->path, &hello, count);
	if (error == 0 && (file < 0 || !fan_cosim_file_safe(file, sizeof(*shm->shared))))
		error = fan_fail(FAN_E_IO, "card shm:%s: the simulator sent no file of rings, or one too small or not sealed",
				 shm->path);
	if (error == 0) {
		void *mapped = mmap(NULL, sizeof(*shm->shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

		if (mapped == MAP_FAILED)
			error = fan_fail(FAN_E_MEMORY, "card shm:%s: no memory for the rings", shm->path);
		else
			shm->shared = mapped;
	}
	if (file >= 0)
		close(file);
	/* From here on it is known to be a simulator, and may be a slow one. */
	setsockopt(shm->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return error;
}

int
fan_transport_shm_open(struct fan_card_transport **transport, const char *path)
{
	struct transport_shm *shm = calloc(1, sizeof(*shm));
	int error;

	*transport = NULL;
	if (shm == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a card");
	shm->transport.ops = &ops;
	shm->socket = -1;
	shm->next_iova = IOVA_FIRST;
	pthread_mutex_init(&shm->socket_lock, NULL);
	pthread_mutex_init(&shm->ring_lock, NULL);
	error = connect_to(shm, path);
	if (error == 0)
		error = shake_hands(shm);
	if (error != 0) {
		close_shm(&shm->transport);
		return error;
	}
	*transport = &shm->transport;
	return 0;
}
