/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fanfare-cosim: the model of the card for a host in another process, over driver/cosim_protocol.h.
 *
 * One host at a time; each finds a card that has just been powered up. One thread: takes the host's register accesses, lets clocks pass
 * while anything moves in the card, and sleeps when neither happens.
 */
#include "../sim/model.h"

extern "C" {
#include "../../dataplane/context/error.h"
#include "../../driver/card_ranges.h"
#include "../../driver/cosim_ring.h"
#include "../../driver/model_library.h"
}

#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <getopt.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static_assert(sizeof(struct fan_cosim_packet) == 168 && sizeof(struct fan_cosim_message) == 64, "as in C");

namespace
{

constexpr uint64_t CLOCKS = 32;            /* between two looks at the ring: some 40 us */
constexpr uint64_t QUIET_CLOCKS = 20000;   /* nothing has moved for so long: nothing will, unless the host asks */
constexpr unsigned SOCKET_LOOKS = 64;      /* turns between two looks at the sockets */
constexpr unsigned SPINS = 5000;           /* looks at an empty ring before sleeping */
constexpr unsigned NAP_US = 100000;        /* asleep between two looks at the sockets */
constexpr unsigned RANGES_MAX = 4096;
constexpr int HELLO_MS = 5000;
constexpr uint64_t BEAT = FAN_MODEL_BEAT_BYTES;

volatile sig_atomic_t asked_to_end;
void hold_toggle(int how);
bool model_failed;

[[noreturn]] void
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "fanfare-cosim: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

void
say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("fanfare-cosim: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	fflush(stdout);
}

/* ---- Packets ------------------------------------------------------------------------------------------------------------------ */

bool
send_packet(int socket, const struct fan_cosim_packet &packet, int file)
{
	struct iovec octets = { (void *)&packet, sizeof(packet) };
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
	struct msghdr message = {};

	message.msg_iov = &octets;
	message.msg_iovlen = 1;
	if (file >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
		header->cmsg_len = CMSG_LEN(sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(header), &file, sizeof(file));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(packet);
}

/* Out: *file, -1 when none came. False: no whole packet. */
bool
receive_packet(int socket, struct fan_cosim_packet &packet, int &file)
{
	struct iovec octets = { &packet, sizeof(packet) };
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
	struct msghdr message = {};

	file = -1;
	message.msg_iov = &octets;
	message.msg_iovlen = 1;
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	const ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *const header = count >= 0 ? CMSG_FIRSTHDR(&message) : nullptr;
	if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&file, CMSG_DATA(header), sizeof(file));
	return count == (ssize_t)sizeof(packet) && packet.magic == FAN_COSIM_MAGIC;
}

struct fan_cosim_packet
make_packet(uint32_t kind, uint32_t status, const char *text)
{
	struct fan_cosim_packet packet = {};

	packet.magic = FAN_COSIM_MAGIC;
	packet.version = FAN_COSIM_VERSION;
	packet.kind = kind;
	packet.status = status;
	snprintf(packet.text, sizeof(packet.text), "%s", text);
	return packet;
}

bool
readable(int socket, int timeout_ms)
{
	struct pollfd look = { socket, POLLIN | POLLRDHUP, 0 };

	return poll(&look, 1, timeout_ms) > 0;
}

/* A host that comes while another is there. */
void
send_away(int listener)
{
	const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket < 0)
		return;
	send_packet(socket, make_packet(FAN_COSIM_HELLO, FAN_COSIM_TAKEN, "fanfare-cosim"), -1);
	close(socket);
}

/* ---- A host ------------------------------------------------------------------------------------------------------------------- */

class session
{
      public:
	session(const struct fan_model_ops &ops_, const struct fan_model_options &options_, int socket_) :
		ops(ops_), options(options_), socket(socket_)
	{
	}
	~session();

	bool shake_hands();
	void serve(int listener);

      private:
	static enum fan_model_answer read_beat(void *user, uint64_t address, uint8_t *octets);
	static enum fan_model_answer write_beat(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes);
	static void stopped(void *user, const char *line);

	bool make_rings(int &file);
	bool power_up();
	bool cut(const char *why);
	bool take_messages(bool &any);
	bool take_message(const struct fan_cosim_message &message);
	bool answer(uint32_t number, uint64_t value);
	void tell_levels(uint32_t levels);
	bool take_packet();
	struct fan_cosim_packet map(const struct fan_cosim_packet &packet, int file);
	struct fan_cosim_packet unmap(const struct fan_cosim_packet &packet);
	bool rest(unsigned &spins);

	const struct fan_model_ops &ops;
	struct fan_model_options options;
	int socket;
	struct fan_model *model = nullptr;
	struct fan_cosim_shared *shared = nullptr;
	struct fan_card_ranges ranges = {};
	bool isolated = false;
	uint32_t written = 0, taken = 0, told_levels = 0, levels = 0;
};

session::~session()
{
	if (model != nullptr) {
		struct fan_model_statistics statistics;

		ops.statistics(model, &statistics);
		if (!statistics.stopped)
			say("the host left: %" PRIu64 " clocks, %.0f clocks/s, %" PRIu64 " octets read, %" PRIu64 " beats written",
			    statistics.clocks, statistics.seconds > 0 ? (double)statistics.clocks / statistics.seconds : 0,
			    BEAT * statistics.read_beats, statistics.write_beats);
		ops.close(model);
	}
	for (unsigned i = 0; i < ranges.count; i++)
		munmap(ranges.range[i].memory, ranges.range[i].bytes);
	fan_card_ranges_free(&ranges);
	if (shared != nullptr)
		munmap(shared, sizeof(*shared));
	close(socket);
}

/* Always false. */
bool
session::cut(const char *why)
{
	fprintf(stderr, "fanfare-cosim: the host was cut off: %s\n", why);
	return false;
}

enum fan_model_answer
session::read_beat(void *user, uint64_t address, uint8_t *octets)
{
	auto *const self = (session *)user;

	return !self->isolated && fan_card_ranges_read(&self->ranges, octets, address, BEAT) ? FAN_MODEL_OKAY : FAN_MODEL_DECERR;
}

enum fan_model_answer
session::write_beat(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes)
{
	auto *const self = (session *)user;

	return !self->isolated && fan_card_ranges_write(&self->ranges, address, octets, strobes) ? FAN_MODEL_OKAY : FAN_MODEL_DECERR;
}

void
session::stopped(void *, const char *line)
{
	fprintf(stderr, "fanfare-cosim: %s\n", line);
	model_failed = true;
}

bool
session::make_rings(int &file)
{
	file = memfd_create("fanfare-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0 || ftruncate(file, sizeof(*shared)) != 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		fail("no memory for the rings: %s", strerror(errno));
	void *const mapped = mmap(nullptr, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (mapped == MAP_FAILED)
		fail("no memory for the rings: %s", strerror(errno));
	shared = (struct fan_cosim_shared *)mapped;
	return true;
}

bool
session::power_up()
{
	char line[FAN_MODEL_ERROR_BYTES];

	options.memory = { this, read_beat, write_beat };
	options.stopped = stopped;
	options.stopped_user = this;
	if (ops.open(&model, &options, line) != 0)
		fail("%s", line);
	hold_toggle(SIG_UNBLOCK);
	return true;
}

bool
session::shake_hands()
{
	struct fan_cosim_packet packet, hello = make_packet(FAN_COSIM_HELLO, FAN_COSIM_OK, "fanfare-cosim");
	int file;

	if (!readable(socket, HELLO_MS))
		return cut("it said nothing");
	if (!receive_packet(socket, packet, file) || packet.kind != FAN_COSIM_HELLO) {
		if (file >= 0)
			close(file);
		return cut("it did not begin with HELLO");
	}
	if (file >= 0)
		close(file);
	if (packet.version != FAN_COSIM_VERSION) {
		hello.status = FAN_COSIM_OTHER_VERSION;
		send_packet(socket, hello, -1);
		return cut("it speaks another version of the protocol");
	}
	make_rings(file);
	power_up();
	const bool sent = send_packet(socket, hello, file);
	close(file);
	return sent || cut("it hung up at the handshake");
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------------- */

struct fan_cosim_packet
session::map(const struct fan_cosim_packet &packet, int file)
{
	const uint64_t page = 4096;

	if (file < 0)
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, "a MAP needs a file");
	if (packet.bytes == 0 || packet.bytes % page != 0 || packet.iova % page != 0)
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, "iova and octets must be multiples of 4,096");
	if (ranges.count == RANGES_MAX)
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, "too many ranges");
	if (!fan_cosim_file_safe(file, packet.bytes))
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, "the file is smaller than the range, or not sealed against shrinking");
	const enum fan_memory_access access = fan_cosim_file_read_only(file) ? FAN_MEMORY_READ : FAN_MEMORY_WRITE;
	void *const memory = mmap(nullptr, packet.bytes, access == FAN_MEMORY_READ ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, strerror(errno));
	madvise(memory, packet.bytes, MADV_DONTDUMP);
	if (fan_card_ranges_add(&ranges, packet.iova, (uint8_t *)memory, packet.bytes, access) != 0) {
		munmap(memory, packet.bytes);
		return make_packet(FAN_COSIM_MAP, FAN_COSIM_REFUSED, fan_error_detail());
	}
	return make_packet(FAN_COSIM_MAP, FAN_COSIM_OK, "");
}

struct fan_cosim_packet
session::unmap(const struct fan_cosim_packet &packet)
{
	const struct fan_card_range range = fan_card_ranges_remove(&ranges, packet.iova);

	if (range.bytes == 0)
		return make_packet(FAN_COSIM_UNMAP, FAN_COSIM_REFUSED, "no range begins there");
	munmap(range.memory, range.bytes);
	return make_packet(FAN_COSIM_UNMAP, FAN_COSIM_OK, "");
}

/* False: the host is gone, or is cut off. */
bool
session::take_packet()
{
	struct fan_cosim_packet packet, reply;
	bool known = true;
	int file;

	if (!receive_packet(socket, packet, file)) {
		if (file >= 0)
			close(file);
		return false;
	}
	if (packet.kind == FAN_COSIM_MAP)
		reply = map(packet, file);
	else if (packet.kind == FAN_COSIM_UNMAP)
		reply = unmap(packet);
	else
		known = cut("a packet of unknown kind");
	if (file >= 0)
		close(file);
	return known && send_packet(socket, reply, -1);
}

/* ---- Messages ------------------------------------------------------------------------------------------------------------------ */

bool
session::answer(uint32_t number, uint64_t value)
{
	struct fan_cosim_message message = {};

	message.kind = FAN_COSIM_ANSWER;
	message.number = number;
	message.value = value;
	return fan_cosim_ring_put(&shared->to_host, &written, &message) == FAN_COSIM_RING_DONE ||
	       cut("it asks and does not take the answers");
}

/* Told again as long as there is no room. */
void
session::tell_levels(uint32_t now)
{
	struct fan_cosim_message message = {};

	levels = now;
	if (levels == told_levels)
		return;
	message.kind = FAN_COSIM_LEVELS;
	message.value = levels;
	if (fan_cosim_ring_put(&shared->to_host, &written, &message) == FAN_COSIM_RING_DONE)
		told_levels = levels;
}

bool
session::take_message(const struct fan_cosim_message &message)
{
	const bool access = message.kind == FAN_COSIM_READ || message.kind == FAN_COSIM_WRITE;

	if (access && (message.offset % 4 != 0 || message.offset >= FAN_COSIM_CARD_BYTES))
		return cut("an access to no register");
	switch (message.kind) {
	case FAN_COSIM_READ:
		return answer(message.number, ops.mmio_read32(model, message.offset));
	case FAN_COSIM_WRITE:
		ops.mmio_write32(model, message.offset, (uint32_t)message.value);
		return true;
	case FAN_COSIM_LOOK:
		return !readable(socket, 0) || take_packet();
	case FAN_COSIM_ISOLATE:
		isolated = true;
		return answer(message.number, 0);
	default:
		return cut("a message of unknown kind");
	}
}

bool
session::take_messages(bool &any)
{
	struct fan_cosim_message message;

	for (any = false;; any = true) {
		switch (fan_cosim_ring_take(&shared->to_card, &taken, &message)) {
		case FAN_COSIM_RING_NOT_NOW:
			return true;
		case FAN_COSIM_RING_BROKEN:
			return cut("the counters of its ring are impossible");
		default:
			break;
		}
		if (!take_message(message))
			return false;
	}
}

/* Nothing moves: looks at the ring for a while, then sleeps. Returns whether it slept. */
bool
session::rest(unsigned &spins)
{
	if (++spins < SPINS) {
		__builtin_ia32_pause();
		return false;
	}
	fan_cosim_ring_sleep(&shared->to_card, taken, NAP_US);
	return true;
}

void
session::serve(int listener)
{
	unsigned spins = 0, turns = 0;

	while (!asked_to_end && !model_failed) {
		bool any, slept = false;

		if (!take_messages(any))
			return;
		if (any)
			spins = 0;
		if (ops.quiet(model) < QUIET_CLOCKS)
			tell_levels(ops.run(model, CLOCKS));
		else if (!any)
			slept = rest(spins);
		if (!slept && ++turns % SOCKET_LOOKS != 0)
			continue;
		if (readable(socket, 0) && !take_packet())
			return;
		if (readable(listener, 0))
			send_away(listener);
	}
}

/* ---- The program ---------------------------------------------------------------------------------------------------------------- */

struct arguments {
	struct fan_model_choice choice;
	const char *path = nullptr;
	bool once = false;
};

void
print_usage(FILE *out)
{
	fprintf(out, "usage: fanfare-cosim --socket PATH [OPTION...]\n\n"
		     "Serves the Verilated model of the card to a host in another process: fanfare fanout --engine fpga --card shm:PATH\n\n"
		     "  --socket PATH      Unix socket to listen on; only its owner can connect\n"
		     "  --once             end when the first host has left\n"
		     "  --seed N|random    of gaps, and of what registers hold at power-up (0x46414e)\n"
		     "  --stall P          probability of a gap, per channel and clock, 0 to 0.99 (0)\n"
		     "  --latency CLOCKS   of the memory (200)\n"
		     "  --max-cycles N     end when nothing has moved for so many clocks of work; 0: never (20000000)\n"
		     "  --trace            serve the slower model that can write waves; SIGUSR1 turns them on and off, into\n"
		     "                     fanfare-PID.fst here (make -C hw model-trace builds it)\n"
		     "  --trace-fst FILE   waves from the start. They hold keys: only the owner can read the file\n"
		     "  --trace-from CLOCK, --trace-to CLOCK   the part of the run that is written\n"
		     "  --lanes            say what the model was built with, and end\n"
		     "  --help\n\n"
		     "Exit: 0 asked to end; 1 an assertion, a breach of AXI or the watchdog ended the model, or it could not\nbegin; 2 wrong options.\n");
}

void
print_lanes()
{
	const struct fan_model_ops *ops;

	if (fan_model_load(&ops, false) != 0)
		fail("%s", fan_error_detail());
	printf("%s\n", ops->build);
}

void
parse(struct arguments &arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, nullptr, 's' },   { "once", no_argument, nullptr, 'o' },
		{ "help", no_argument, nullptr, 'h' },           { "lanes", no_argument, nullptr, 'l' },
		{ "seed", required_argument, nullptr, 'm' },     { "stall", required_argument, nullptr, 'm' },
		{ "latency", required_argument, nullptr, 'm' },  { "max-cycles", required_argument, nullptr, 'm' },
		{ "trace", no_argument, nullptr, 'm' },          { "trace-fst", required_argument, nullptr, 'm' },
		{ "trace-from", required_argument, nullptr, 'm' }, { "trace-to", required_argument, nullptr, 'm' },
		{ nullptr, 0, nullptr, 0 },
	};
	int index = 0, found;

	fan_model_choice_init(&arguments.choice);
	while ((found = getopt_long(argc, argv, "", options, &index)) != -1) {
		switch (found) {
		case 's':
			arguments.path = optarg;
			break;
		case 'o':
			arguments.once = true;
			break;
		case 'h':
			print_usage(stdout);
			exit(0);
		case 'l':
			print_lanes();
			exit(0);
		case 'm':
			if (fan_model_choice_set(&arguments.choice, options[index].name, optarg) != 0)
				fail("--%s", fan_error_detail());
			break;
		default:
			/* getopt_long() has named it. */
			fprintf(stderr, "fanfare-cosim: see --help\n");
			exit(2);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "fanfare-cosim: %s: there are only options; see --help\n", argv[optind]);
		exit(2);
	}
	if (arguments.path == nullptr) {
		fprintf(stderr, "fanfare-cosim: --socket PATH says where to listen; see --help\n");
		exit(2);
	}
}

void
ask_to_end(int)
{
	asked_to_end = 1;
}

/* SIGUSR1 waits until there is a model that takes it: before, it would end the program. */
void
hold_toggle(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(how, &set, nullptr);
}

/* Before the model is opened, which takes only signals that nobody else has. */
void
catch_signals(bool with_waves)
{
	struct sigaction action = {};

	action.sa_handler = ask_to_end;
	sigaction(SIGINT, &action, nullptr);
	sigaction(SIGTERM, &action, nullptr);
	sigaction(SIGHUP, &action, nullptr);
	signal(SIGPIPE, SIG_IGN);
	if (!with_waves)
		signal(SIGUSR1, SIG_IGN);
	hold_toggle(SIG_BLOCK);
}

int
listen_at(const char *path)
{
	struct sockaddr_un address = {};
	const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address.sun_path))
		fail("--socket %s: at most %zu characters", path, sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (probe < 0 || listener < 0)
		fail("no socket: %s", strerror(errno));
	if (connect(probe, (const struct sockaddr *)&address, sizeof(address)) == 0)
		fail("--socket %s: another program listens there", path);
	if (errno == ECONNREFUSED)
		unlink(path);
	close(probe);
	const mode_t mask = umask(0177);
	if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 8) != 0)
		fail("--socket %s: %s", path, strerror(errno));
	umask(mask);
	return listener;
}

void
serve(int listener, const struct fan_model_ops &ops, const struct arguments &arguments)
{
	do {
		while (!asked_to_end && !readable(listener, 1000))
			;
		const int socket = asked_to_end ? -1 : accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
		if (socket < 0)
			continue;
		session host(ops, arguments.choice.options, socket);
		if (host.shake_hands())
			host.serve(listener);
	} while (!asked_to_end && !model_failed && !arguments.once);
}

} // namespace

int
main(int argc, char **argv)
{
	struct arguments arguments;
	const struct fan_model_ops *ops;
	char choice[FAN_MODEL_ERROR_BYTES];

	parse(arguments, argc, argv);
	if (fan_model_load(&ops, arguments.choice.with_waves) != 0)
		fail("%s", fan_error_detail());
	catch_signals(arguments.choice.with_waves);
	const int listener = listen_at(arguments.path);
	fan_model_choice_print(choice, sizeof(choice), &arguments.choice);
	say("%s; %s; listens on %s", ops->build, choice, arguments.path);
	serve(listener, *ops, arguments);
	unlink(arguments.path);
	return model_failed ? 1 : 0;
}
