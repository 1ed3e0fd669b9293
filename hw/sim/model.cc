/* SPDX-License-Identifier: BSD-3-Clause */
#include "model.h"

#include "Vfan_engine.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef FAN_MODEL_AES
#define FAN_MODEL_AES 1
#define FAN_MODEL_SNOW3G 0
#define FAN_MODEL_ZUC 0
#define FAN_MODEL_QUEUES 4
#endif

namespace
{

constexpr unsigned RESET_CLOCKS = 16;
constexpr unsigned BURSTS = 256;          /* under way per direction; a card that wants more waits */
constexpr unsigned EARLY_BEATS = 64;      /* beats of W that may come before their AW */
constexpr unsigned MMIO_CLOCKS_MAX = 100000; /* without an answer: the register file hangs */
constexpr unsigned CLOCK_NS = 4;          /* 250 MHz, for the time axis of waves */
constexpr uint64_t PAGE_BYTES = 4096;     /* no burst of AXI crosses one (IHI 0022 A3.4.1) */
constexpr unsigned BURST_INCR = 1, SIZE_64 = 6;

/* Of this thread alone, so that a busy machine does not make the model seem slow. */
uint64_t
cpu_ns()
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* First in, first out, of a fixed power of two of places. */
template <typename Entry, unsigned Places> class ring
{
      public:
	bool empty() const { return head == tail; }
	bool full() const { return tail - head == Places; }
	unsigned count() const { return tail - head; }
	Entry &front() { return entry[head % Places]; }
	void pop() { head++; }
	Entry &push() { return entry[tail++ % Places]; }

      private:
	static_assert((Places & (Places - 1)) == 0, "a power of two");
	Entry entry[Places];
	unsigned head = 0, tail = 0;
};

struct burst {
	uint64_t address; /* of the next beat */
	uint64_t due;     /* first clock in which it may be answered */
	uint32_t beats;   /* left */
	uint32_t answer;
};

struct early_beat {
	uint8_t octets[FAN_MODEL_BEAT_BYTES];
	uint64_t strobes;
	bool last;
};

/* xorshift64*, one draw per clock: five fields of 12 bits for the five channels. */
class gaps
{
      public:
	gaps(uint64_t seed, double stall) : state(seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du), below((unsigned)(stall * 4096))
	{
		if (state == 0)
			state = 1;
	}
	bool wanted() const { return below != 0; }
	void
	draw()
	{
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		fields = state * 0x2545f4914f6cdd1du;
	}
	bool gap(unsigned channel) const { return (fields >> (4 + 12 * channel) & 0xfff) < below; }
	uint64_t junk() const { return fields; }

      private:
	uint64_t state, fields = 0;
	unsigned below;
};

std::atomic<bool> toggle_asked{ false }; /* by SIGUSR1; looked at in the clock loop */
thread_local bool inside_model = false;

} // namespace

struct fan_model {
	explicit fan_model(const struct fan_model_options &options);
	~fan_model();

	uint32_t run(uint64_t clocks, uint32_t mask);
	bool mmio(bool write, uint32_t offset, uint32_t *value);
	bool stop(const char *format, ...) __attribute__((format(printf, 2, 3)));
	void trace_begin();
	void trace_end();
	void trace_switch(bool on);

	std::mutex lock;
	struct fan_model_options options;
	std::unique_ptr<VerilatedContext> context;
	std::unique_ptr<Vfan_engine> top;
	uint64_t clocks = 0, moved_at = 0, busy_ns = 0;
	struct fan_model_statistics counters = {};
	bool stopped = false;

      private:
	void reset();
	void clock();
	void offer();
	void take();
	void take_lite();
	void take_read_address();
	void take_write_address();
	void take_write_data();
	void put_beat(const uint8_t *octets, uint64_t strobes, bool last);
	bool check_burst(const char *channel, uint64_t address, unsigned beats, unsigned size, unsigned kind, unsigned lock_bit, unsigned id);
	void check_kept();
	void check_idle_in_reset();
	void trace_dump(unsigned half);
	void trace_follow();

	gaps random;
	ring<burst, BURSTS> reads, writes, answers;
	ring<early_beat, EARLY_BEATS> early;
	unsigned writes_owed = 0; /* AW taken, B not */
	bool read_offered = false, answer_offered = false;

	/* AXI-Lite: what one access still has to do. */
	struct {
		bool active, address_wanted, address_offered, data_wanted, data_offered, answer_wanted, write;
		uint32_t value;
	} lite = {};

	/* What the card offered in a clock in which it was not taken: it must be there in the next one, unchanged. */
	struct {
		bool read_address, write_address, write_data;
		uint64_t read_at, write_at, strobes;
		uint32_t read_length, write_length;
		bool last;
		uint8_t octets[FAN_MODEL_BEAT_BYTES];
	} kept = {};

#if VM_TRACE
	std::unique_ptr<VerilatedFstC> waves;
#endif
	bool tracing = false, trace_window = false;
	std::string trace_name;
};

/* ---- Ending ------------------------------------------------------------------------------------------------------------------- */

/* Always false, so that checks can hand it on. */
bool
fan_model::stop(const char *format, ...)
{
	char text[200], line[320];
	va_list arguments;

	if (stopped)
		return false;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line), "model: clock %" PRIu64 ": %s (seed 0x%" PRIx64 ", stall %g, latency %u)", clocks, text, options.seed,
		 options.stall, options.latency);
	stopped = true;
	trace_end();
	if (options.stopped != nullptr) {
		options.stopped(options.stopped_user, line);
		return false;
	}
	fflush(stdout);
	fprintf(stderr, "%s\n", line);
	_exit(1);
}

/* ---- Waves -------------------------------------------------------------------------------------------------------------------- */

#if VM_TRACE
void
fan_model::trace_begin()
{
	const mode_t mask = umask(077);

	if (waves == nullptr) {
		waves = std::make_unique<VerilatedFstC>();
		top->trace(waves.get(), 99);
		waves->open(trace_name.c_str());
	}
	umask(mask);
	tracing = waves->isOpen();
	if (!tracing)
		stop("waves cannot be written to %s", trace_name.c_str());
}

/* What has been recorded is then whole in the file, and the file is not touched again. */
void
fan_model::trace_end()
{
	tracing = trace_window = false;
	if (waves != nullptr && waves->isOpen())
		waves->close();
}

void
fan_model::trace_switch(bool on)
{
	trace_window = false;
	if (on && !tracing) {
		trace_begin();
	} else if (!on && tracing) {
		tracing = false;
		waves->flush();
	}
}

void
fan_model::trace_dump(unsigned half)
{
	waves->dump(CLOCK_NS * clocks + half * CLOCK_NS / 2);
}
#else
void
fan_model::trace_begin()
{
}

void
fan_model::trace_end()
{
}

void
fan_model::trace_switch(bool)
{
}

void
fan_model::trace_dump(unsigned)
{
}
#endif

void
fan_model::trace_follow()
{
	if (toggle_asked.load(std::memory_order_relaxed) && toggle_asked.exchange(false))
		trace_switch(!tracing);
	if (trace_window && !tracing && clocks >= options.trace_from)
		trace_begin();
	if (trace_window && options.trace_to != 0 && clocks > options.trace_to)
		trace_end();
}

/* ---- Checks of AXI -------------------------------------------------------------------------------------------------------------- */

bool
fan_model::check_burst(const char *channel, uint64_t address, unsigned beats, unsigned size, unsigned kind, unsigned lock_bit, unsigned id)
{
	const uint64_t first = address % PAGE_BYTES / FAN_MODEL_BEAT_BYTES;

	if (kind != BURST_INCR)
		return stop("%s: burst kind %u is not INCR", channel, kind);
	if (size != SIZE_64)
		return stop("%s: size %u is not that of 64 octets", channel, size);
	if (lock_bit != 0 || id != 0)
		return stop("%s: lock %u, ID %u: both must be 0", channel, lock_bit, id);
	if (first + beats > PAGE_BYTES / FAN_MODEL_BEAT_BYTES)
		return stop("%s: %u beats from 0x%" PRIx64 " cross 4 KiB", channel, beats, address);
	return true;
}

/* IHI 0022 A3.2.1: once valid, a channel stays valid and as it is until it is taken. Looked at only behind a clock in which
 * something was not taken, which costs nothing where there are no gaps. */
void
fan_model::check_kept()
{
	if (kept.read_address &&
	    (!top->m_axi_arvalid || top->m_axi_araddr != kept.read_at || top->m_axi_arlen != kept.read_length))
		stop("AR: withdrawn or changed before it was taken");
	if (kept.write_address &&
	    (!top->m_axi_awvalid || top->m_axi_awaddr != kept.write_at || top->m_axi_awlen != kept.write_length))
		stop("AW: withdrawn or changed before it was taken");
	if (kept.write_data && (!top->m_axi_wvalid || top->m_axi_wstrb != kept.strobes || top->m_axi_wlast != kept.last ||
				memcmp(top->m_axi_wdata.data(), kept.octets, sizeof(kept.octets)) != 0))
		stop("W: withdrawn or changed before it was taken");
	kept.read_address = top->m_axi_arvalid && !top->m_axi_arready;
	kept.read_at = top->m_axi_araddr;
	kept.read_length = top->m_axi_arlen;
	kept.write_address = top->m_axi_awvalid && !top->m_axi_awready;
	kept.write_at = top->m_axi_awaddr;
	kept.write_length = top->m_axi_awlen;
	kept.write_data = top->m_axi_wvalid && !top->m_axi_wready;
	if (kept.write_data) {
		kept.strobes = top->m_axi_wstrb;
		kept.last = top->m_axi_wlast;
		memcpy(kept.octets, top->m_axi_wdata.data(), sizeof(kept.octets));
	}
}

void
fan_model::check_idle_in_reset()
{
	if (top->m_axi_arvalid || top->m_axi_awvalid || top->m_axi_wvalid || top->s_axil_bvalid || top->s_axil_rvalid)
		stop("a valid is high in reset (IHI 0022 A3.1.2)");
}

/* ---- Memory --------------------------------------------------------------------------------------------------------------------- */

void
fan_model::take_read_address()
{
	const unsigned beats = top->m_axi_arlen + 1u;
	burst &read = reads.push();

	read.address = top->m_axi_araddr;
	read.beats = beats;
	read.due = clocks + options.latency;
	counters.reads++;
	check_burst("AR", read.address, beats, top->m_axi_arsize, top->m_axi_arburst, top->m_axi_arlock, top->m_axi_arid);
	read.address &= ~(uint64_t)(FAN_MODEL_BEAT_BYTES - 1);
}

void
fan_model::take_write_address()
{
	const unsigned beats = top->m_axi_awlen + 1u;
	burst &write = writes.push();

	write.address = top->m_axi_awaddr;
	write.beats = beats;
	write.answer = FAN_MODEL_OKAY;
	writes_owed++;
	counters.writes++;
	check_burst("AW", write.address, beats, top->m_axi_awsize, top->m_axi_awburst, top->m_axi_awlock, top->m_axi_awid);
}

/* A beat goes to the burst that was announced first. */
void
fan_model::put_beat(const uint8_t *octets, uint64_t strobes, bool last)
{
	burst &write = writes.front();
	const unsigned skipped = (unsigned)(write.address % FAN_MODEL_BEAT_BYTES);
	enum fan_model_answer answer;

	write.address -= skipped;
	if ((strobes & ((UINT64_C(1) << skipped) - 1)) != 0)
		stop("W: strobes 0x%016" PRIx64 " below the address 0x%" PRIx64, strobes, write.address + skipped);
	if (last != (write.beats == 1))
		stop("W: last is %d with %u beats of the burst left", last, write.beats);
	if (stopped)
		return;
	if (strobes != 0) {
		answer = options.memory.write(options.memory.user, write.address, octets, strobes);
		if (answer != FAN_MODEL_OKAY) {
			counters.errors++;
			write.answer = answer;
		}
	}
	counters.write_beats++;
	write.address += FAN_MODEL_BEAT_BYTES;
	if (--write.beats == 0) {
		write.due = clocks + options.latency;
		answers.push() = write;
		writes.pop();
	}
}

void
fan_model::take_write_data()
{
	const auto *const octets = (const uint8_t *)top->m_axi_wdata.data();

	if (early.empty() && !writes.empty()) {
		put_beat(octets, top->m_axi_wstrb, top->m_axi_wlast);
		return;
	}
	early_beat &beat = early.push();
	memcpy(beat.octets, octets, sizeof(beat.octets));
	beat.strobes = top->m_axi_wstrb;
	beat.last = top->m_axi_wlast;
}

/* ---- A clock ---------------------------------------------------------------------------------------------------------------------- */

/* Everything that the outside offers in this clock. */
void
fan_model::offer()
{
	bool gap[5] = {};

	if (random.wanted()) {
		random.draw();
		for (unsigned i = 0; i < 5; i++)
			gap[i] = random.gap(i);
	}
	if (!read_offered && !reads.empty() && reads.front().due <= clocks && !gap[0]) {
		auto *const octets = (uint8_t *)top->m_axi_rdata.data();
		burst &read = reads.front();

		top->m_axi_rresp = options.memory.read(options.memory.user, read.address, octets);
		if (top->m_axi_rresp != FAN_MODEL_OKAY) {
			counters.errors++;
			memset(octets, (int)(random.junk() & 0xff), FAN_MODEL_BEAT_BYTES);
		}
		top->m_axi_rlast = read.beats == 1;
		read_offered = true;
	}
	if (!answer_offered && !answers.empty() && answers.front().due <= clocks && !gap[1]) {
		top->m_axi_bresp = answers.front().answer;
		answer_offered = true;
	}
	top->m_axi_rvalid = read_offered;
	top->m_axi_bvalid = answer_offered;
	top->m_axi_arready = !reads.full() && !gap[2];
	top->m_axi_awready = writes_owed < BURSTS && !gap[3];
	top->m_axi_wready = !early.full() && !gap[4];
	if (lite.active) {
		lite.address_offered |= lite.address_wanted && !gap[2];
		lite.data_offered |= lite.data_wanted && !gap[3];
		top->s_axil_awvalid = lite.write && lite.address_offered;
		top->s_axil_arvalid = !lite.write && lite.address_offered;
		top->s_axil_wvalid = lite.data_offered;
		top->s_axil_bready = lite.write && !gap[0];
		top->s_axil_rready = !lite.write && !gap[0];
	}
}

void
fan_model::take_lite()
{
	const bool address = lite.write ? top->s_axil_awvalid && top->s_axil_awready : top->s_axil_arvalid && top->s_axil_arready;
	const bool data = top->s_axil_wvalid && top->s_axil_wready;
	const bool answer = lite.write ? top->s_axil_bvalid && top->s_axil_bready : top->s_axil_rvalid && top->s_axil_rready;

	if (answer) {
		if (lite.address_wanted || lite.data_wanted)
			stop("AXI-Lite: an answer before its request was taken");
		if ((lite.write ? top->s_axil_bresp : top->s_axil_rresp) != 0)
			stop("AXI-Lite: an answer that is not OKAY");
		lite.value = top->s_axil_rdata;
		lite.active = false;
	}
	if (address)
		lite.address_wanted = lite.address_offered = false;
	if (data)
		lite.data_wanted = lite.data_offered = false;
}

/* All that is taken at the edge that ends this clock. */
void
fan_model::take()
{
	bool moved = false;

	if (random.wanted())
		check_kept();
	if (read_offered && top->m_axi_rready) {
		burst &read = reads.front();

		read.address += FAN_MODEL_BEAT_BYTES;
		counters.read_beats++;
		if (--read.beats == 0)
			reads.pop();
		read_offered = false;
		moved = true;
	}
	if (answer_offered && top->m_axi_bready) {
		answers.pop();
		writes_owed--;
		answer_offered = false;
		moved = true;
	}
	if (top->m_axi_arvalid && top->m_axi_arready) {
		take_read_address();
		moved = true;
	}
	if (top->m_axi_awvalid && top->m_axi_awready) {
		take_write_address();
		moved = true;
	}
	if (top->m_axi_wvalid && top->m_axi_wready) {
		take_write_data();
		moved = true;
	}
	while (!early.empty() && !writes.empty() && !stopped) {
		put_beat(early.front().octets, early.front().strobes, early.front().last);
		early.pop();
	}
	if (lite.active)
		take_lite();
	else if (top->s_axil_bvalid || top->s_axil_rvalid)
		stop("AXI-Lite: an answer that nobody asked for");
	if (moved)
		moved_at = clocks;
}

void
fan_model::clock()
{
	offer();
	top->clk_i = 0;
	top->eval();
	if (tracing)
		trace_dump(0);
	take();
	top->clk_i = 1;
	top->eval();
	if (tracing)
		trace_dump(1);
	clocks++;
	context->time(CLOCK_NS * clocks);
	if (context->gotFinish())
		stop("an assertion of the RTL failed");
	if (options.max_cycles != 0 && clocks - moved_at > options.max_cycles)
		stop("watchdog: nothing has moved for %" PRIu64 " clocks", options.max_cycles);
}

uint32_t
fan_model::run(uint64_t count, uint32_t mask)
{
	const uint64_t from = cpu_ns();

	Verilated::threadContextp(context.get());
	for (; count > 0 && !stopped && (top->interrupt_o & mask) == 0; count--) {
#if VM_TRACE
		trace_follow();
#endif
		clock();
	}
	busy_ns += cpu_ns() - from;
	return stopped ? 0 : top->interrupt_o;
}

/* False when there is no answer. */
bool
fan_model::mmio(bool write, uint32_t offset, uint32_t *value)
{
	if (stopped)
		return false;
	lite = {};
	lite.active = lite.address_wanted = true;
	lite.data_wanted = lite.write = write;
	moved_at = clocks;
	top->s_axil_awaddr = top->s_axil_araddr = (uint16_t)offset;
	top->s_axil_wdata = *value;
	top->s_axil_wstrb = 0xf;
	for (unsigned i = 0; lite.active && !stopped; i++) {
		if (i == MMIO_CLOCKS_MAX)
			stop("AXI-Lite: no answer to a %s of 0x%x in %u clocks", write ? "write" : "read", offset, MMIO_CLOCKS_MAX);
		else
			run(1, 0);
	}
	top->s_axil_awvalid = top->s_axil_arvalid = top->s_axil_wvalid = 0;
	top->s_axil_bready = top->s_axil_rready = 0;
	*value = lite.value;
	moved_at = clocks;
	return !stopped;
}

/* ---- Power ---------------------------------------------------------------------------------------------------------------------- */

fan_model::fan_model(const struct fan_model_options &options_) : options(options_), random(options_.seed, options_.stall)
{
	context = std::make_unique<VerilatedContext>();
	context->randReset(2);
	context->randSeed((int)(options.seed & 0x7ffffffe) + 1);
	context->assertOn(true);
	context->fatalOnError(false);
#if VM_TRACE
	context->traceEverOn(true);
#endif
	top = std::make_unique<Vfan_engine>(context.get());
	trace_window = options.trace_file != nullptr;
	trace_name = trace_window ? options.trace_file : "fanfare-" + std::to_string(getpid()) + ".fst";
	reset();
}

fan_model::~fan_model()
{
	trace_end();
	top->final();
}

void
fan_model::reset()
{
	top->rst_ni = 0;
	top->m_axi_rid = top->m_axi_bid = 0;
	top->s_axil_awprot = top->s_axil_arprot = 0;
	top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_bready = top->s_axil_arvalid = top->s_axil_rready = 0;
	top->m_axi_rvalid = top->m_axi_bvalid = top->m_axi_arready = top->m_axi_awready = top->m_axi_wready = 0;
	for (; clocks < RESET_CLOCKS; clocks++) {
		trace_follow();
		top->clk_i = 0;
		top->eval();
		if (tracing)
			trace_dump(0);
		top->clk_i = 1;
		top->eval();
		if (tracing)
			trace_dump(1);
	}
	check_idle_in_reset();
	top->rst_ni = 1;
}

/* ---- Signals: waves are whole whatever ends the program ------------------------------------------------------------------------------ */

namespace
{

#if VM_TRACE
/* The signals that end the program are handled by a thread, which may wait for a model. */
std::atomic<int> end_signal{ 0 };
std::atomic<bool> end_done{ false };
sem_t end_asked;
std::mutex models_lock;
std::vector<fan_model *> models;

void
ask_toggle(int)
{
	toggle_asked.store(true);
}

void
ask_end(int signal_number)
{
	end_signal.store(signal_number);
	sem_post(&end_asked);
}

/* A thread that aborts inside the model holds its lock, and ends the waves itself. */
void
end_at_abort(int)
{
	const struct timespec pause = { 0, 10000000 };

	if (inside_model) {
		for (fan_model *model : models)
			model->trace_end();
	} else {
		ask_end(SIGABRT);
		for (int i = 0; i < 200 && !end_done.load(); i++)
			nanosleep(&pause, nullptr);
	}
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
}

/* Waits where a handler must not: for the models' locks. */
void *
end_waves(void *)
{
	int signal_number;

	do {
		while (sem_wait(&end_asked) != 0 && errno == EINTR)
			;
		signal_number = end_signal.load();
		models_lock.lock();
		for (fan_model *model : models) {
			const std::lock_guard<std::mutex> guard(model->lock);
			model->trace_end();
		}
		models_lock.unlock();
		end_done.store(true);
	} while (signal_number == SIGABRT);
	signal(signal_number, SIG_DFL);
	kill(getpid(), signal_number);
	return nullptr;
}

/* Only what the program has left to the system. */
void
catch_signal(int signal_number, void (*handler)(int))
{
	struct sigaction action = {}, before;

	if (sigaction(signal_number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL)
		return;
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART;
	sigaction(signal_number, &action, nullptr);
}

void
catch_signals()
{
	static std::once_flag once;

	std::call_once(once, [] {
		pthread_t thread;

		sem_init(&end_asked, 0, 0);
		if (pthread_create(&thread, nullptr, end_waves, nullptr) != 0)
			return;
		pthread_detach(thread);
		catch_signal(SIGUSR1, ask_toggle);
		catch_signal(SIGINT, ask_end);
		catch_signal(SIGTERM, ask_end);
		catch_signal(SIGABRT, end_at_abort);
	});
}

void
keep_whole(fan_model *model)
{
	catch_signals();
	const std::lock_guard<std::mutex> guard(models_lock);
	models.push_back(model);
}

void
forget(fan_model *model)
{
	const std::lock_guard<std::mutex> guard(models_lock);
	models.erase(std::find(models.begin(), models.end(), model));
}
#else
void
keep_whole(fan_model *)
{
}

void
forget(fan_model *)
{
}
#endif

/* Holds the model for the length of a call. */
class holding
{
      public:
	explicit holding(fan_model *model) : guard(model->lock) { inside_model = true; }
	~holding() { inside_model = false; }

      private:
	std::lock_guard<std::mutex> guard;
};

/* ---- The table ----------------------------------------------------------------------------------------------------------------------- */

int
refuse(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, FAN_MODEL_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return -1;
}

int
open_model(struct fan_model **out, const struct fan_model_options *options, char *error)
{
	*out = nullptr;
	if (options->memory.read == nullptr || options->memory.write == nullptr)
		return refuse(error, "a model needs a memory");
	if (!(options->stall >= 0 && options->stall <= FAN_MODEL_STALL_MAX))
		return refuse(error, "stall %g: a probability of 0 to %g", options->stall, FAN_MODEL_STALL_MAX);
	if (options->latency > FAN_MODEL_LATENCY_MAX)
		return refuse(error, "latency %u: 0 to %d clocks", options->latency, FAN_MODEL_LATENCY_MAX);
	if (options->trace_to != 0 && options->trace_to < options->trace_from)
		return refuse(error, "trace from clock %" PRIu64 " to %" PRIu64 ": ends before it begins", options->trace_from,
			      options->trace_to);
	if (options->trace_file != nullptr && !VM_TRACE)
		return refuse(error, "this model was built without waves");
	auto *const model = new (std::nothrow) fan_model(*options);
	if (model == nullptr)
		return refuse(error, "no memory");
	keep_whole(model);
	*out = model;
	return 0;
}

void
close_model(struct fan_model *model)
{
	forget(model);
	delete model;
}

uint32_t
mmio_read32(struct fan_model *model, uint32_t offset)
{
	const holding hold(model);
	uint32_t value = 0;

	return model->mmio(false, offset, &value) ? value : UINT32_MAX;
}

void
mmio_write32(struct fan_model *model, uint32_t offset, uint32_t value)
{
	const holding hold(model);

	model->mmio(true, offset, &value);
}

uint32_t
run(struct fan_model *model, uint64_t clocks)
{
	const holding hold(model);

	return model->run(clocks, 0);
}

uint32_t
run_until(struct fan_model *model, uint32_t mask, uint64_t clocks)
{
	const holding hold(model);

	return model->run(clocks, mask);
}

uint64_t
quiet(struct fan_model *model)
{
	const holding hold(model);

	return model->clocks - model->moved_at;
}

void
statistics(struct fan_model *model, struct fan_model_statistics *out)
{
	const holding hold(model);

	*out = model->counters;
	out->clocks = model->clocks;
	out->seconds = (double)model->busy_ns * 1e-9;
	out->interrupts = model->stopped ? 0 : model->top->interrupt_o;
	out->stopped = model->stopped;
}

bool
trace(struct fan_model *model, bool on)
{
	const holding hold(model);

	model->trace_switch(on);
	return VM_TRACE != 0;
}

} // namespace

Vfan_engine *
fan_model_top(struct fan_model *model)
{
	return model->top.get();
}

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

const struct fan_model_ops fan_model_table = {
	FAN_MODEL_ABI,
	sizeof(struct fan_model_ops),
	"AES lanes " TEXT(FAN_MODEL_AES) ", SNOW 3G lanes " TEXT(FAN_MODEL_SNOW3G) ", ZUC lanes " TEXT(FAN_MODEL_ZUC) ", queues " TEXT(
		FAN_MODEL_QUEUES),
	FAN_MODEL_AES,
	FAN_MODEL_SNOW3G,
	FAN_MODEL_ZUC,
	FAN_MODEL_QUEUES,
	VM_TRACE != 0,
	open_model,
	close_model,
	mmio_read32,
	mmio_write32,
	run,
	run_until,
	quiet,
	statistics,
	trace,
};
