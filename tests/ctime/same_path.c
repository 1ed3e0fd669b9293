/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows that the machine code that ships, with whatever instructions this CPU has, takes the same path through program and memory
 * for two sets of secrets. Two copies of this process, alike but for keys and plaintext, protect a batch one instruction at a time;
 * after each, their instruction pointers must be equal, and so must the registers that the next one makes an address of.
 *
 *	same_path ENGINE CIPHER...
 *
 * The second set is the complement of the first, so that no secret bit is equal; what is derived from them differs at random. It does not
 * see which octets a masked load or store touches, nor a difference that these secrets do not bring about: constant_time.c does,
 * in those instructions that valgrind knows. Exit code 0: same paths; 1: another path; 2: nothing shown.
 */
/* For dladdr(). */
#define _GNU_SOURCE
#include "../../dataplane/engines.h"
#include "../batch.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONE 16 /* no register */

/* What of an instruction decides which memory it touches. */
struct addressing {
	unsigned base, index; /* numbers of general registers, or NONE */
	bool by_implied;      /* a string instruction, or a division, whose time depends on what it divides */
	bool unknown;         /* gathers, scatters, XLAT: addresses are in registers that are not looked at */
};

struct opcode {
	unsigned map, number; /* map 0: one octet; 1: 0F; 2: 0F 38; 3: 0F 3A */
	unsigned base_high, index_high;
	bool is_vector; /* VEX or EVEX */
	const uint8_t *rest;
};

/* ---- Instructions (Intel SDM volume 2, chapter 2) ---------------------------------------------------------------------------- */

static bool
is_prefix(uint8_t octet)
{
	return (octet >= 0x64 && octet <= 0x67) || octet == 0xf0 || octet == 0xf2 || octet == 0xf3 || octet == 0x2e ||
	       octet == 0x36 || octet == 0x3e || octet == 0x26;
}

static struct opcode
decode_vector(const uint8_t *code)
{
	const unsigned skip = code[0] == 0xc5 ? 2 : code[0] == 0xc4 ? 3 : 4;
	struct opcode out = { .map = 1, .number = code[skip], .is_vector = true, .rest = code + skip + 1 };

	if (code[0] != 0xc5) {
		out.map = code[1] & (code[0] == 0x62 ? 7 : 31);
		out.index_high = (code[1] >> 6 & 1U) ^ 1;
		out.base_high = (code[1] >> 5 & 1U) ^ 1;
	}
	return out;
}

static struct opcode
decode_opcode(const uint8_t *code)
{
	struct opcode out = { 0 };

	while (is_prefix(*code))
		code++;
	if (*code == 0x62 || *code == 0xc4 || *code == 0xc5)
		return decode_vector(code);
	if (*code >> 4 == 4) {
		out.base_high = *code & 1;
		out.index_high = *code >> 1 & 1;
		code++;
	}
	if (*code == 0x0f) {
		out.map = 1;
		code++;
		if (*code == 0x38 || *code == 0x3a)
			out.map = *code++ == 0x38 ? 2 : 3;
	}
	out.number = *code;
	out.rest = code + 1;
	return out;
}

struct range {
	uint8_t first, last;
};

/* Opcodes of one octet with a ModRM octet, beside the arithmetic ones; without LEA, which touches no memory. */
static const struct range one_octet[] = {
	{ 0x63, 0x63 }, { 0x69, 0x69 }, { 0x6b, 0x6b }, { 0x80, 0x8c }, { 0x8e, 0x8f }, { 0xc0, 0xc1 },
	{ 0xc6, 0xc7 }, { 0xd0, 0xd3 }, { 0xd8, 0xdf }, { 0xf6, 0xf7 }, { 0xfe, 0xff },
};
/* Opcodes behind 0F without one; with NOP and ENDBR, which touch no memory. */
static const struct range behind_0f[] = {
	{ 0x05, 0x0c }, { 0x0e, 0x0e }, { 0x1e, 0x1f }, { 0x30, 0x37 }, { 0x77, 0x77 },
	{ 0x80, 0x8f }, { 0xa0, 0xa2 }, { 0xa8, 0xaa }, { 0xc8, 0xcf },
};

static bool
within(const struct range *ranges, size_t range_count, unsigned number)
{
	for (size_t i = 0; i < range_count; i++)
		if (number >= ranges[i].first && number <= ranges[i].last)
			return true;
	return false;
}

/* Whether a ModRM octet follows that may name memory. */
static bool
names_memory(const struct opcode *opcode)
{
	if (opcode->map >= 2)
		return true;
	if (opcode->map == 1)
		return opcode->is_vector ? opcode->number != 0x77 /* VZEROUPPER */
					 : !within(behind_0f, sizeof(behind_0f) / sizeof(behind_0f[0]), opcode->number);
	return (opcode->number < 0x40 && (opcode->number & 7) < 4) ||
	       within(one_octet, sizeof(one_octet) / sizeof(one_octet[0]), opcode->number);
}

static bool
is_gather(const struct opcode *opcode)
{
	return opcode->is_vector && opcode->map == 2 &&
	       ((opcode->number >= 0x90 && opcode->number <= 0x93) || (opcode->number >= 0xa0 && opcode->number <= 0xa3) ||
		opcode->number == 0xc6 || opcode->number == 0xc7);
}

static bool
is_string(const struct opcode *opcode)
{
	return opcode->map == 0 && !opcode->is_vector &&
	       ((opcode->number >= 0xa4 && opcode->number <= 0xa7) || (opcode->number >= 0xaa && opcode->number <= 0xaf));
}

static struct addressing
decode(const uint8_t *code)
{
	const struct opcode opcode = decode_opcode(code);
	struct addressing out = { .base = NONE, .index = NONE, .by_implied = is_string(&opcode) };
	unsigned modrm, mode, low;

	out.unknown = is_gather(&opcode) || (opcode.map == 0 && !opcode.is_vector && opcode.number == 0xd7);
	if (!names_memory(&opcode))
		return out;
	modrm = opcode.rest[0];
	mode = modrm >> 6;
	low = modrm & 7;
	if (opcode.map == 0 && (opcode.number & 0xfe) == 0xf6 && (modrm >> 3 & 7) >= 6)
		out.by_implied = true;
	if (mode == 3)
		return out;
	if (low == 4) {
		const unsigned sib = opcode.rest[1], index = (sib >> 3 & 7) | opcode.index_high << 3;

		out.index = index == 4 ? NONE : index;
		low = sib & 7;
	}
	/* Without displacement, 5 stands for the instruction pointer or for no base. */
	out.base = mode == 0 && low == 5 ? NONE : low | opcode.base_high << 3;
	return out;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------------- */

/* By its number in an instruction. */
static uint64_t
value_of(const struct user_regs_struct *r, unsigned number)
{
	const uint64_t values[NONE + 1] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->r8,
					    r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, 0 };

	return values[number];
}

/* The copies' code lies where our own does. */
static const uint8_t *
code_at(uint64_t address)
{
	const uint8_t *code;

	memcpy(&code, &address, sizeof(code));
	return code;
}

static bool
same_place(const struct user_regs_struct *one, const struct user_regs_struct *other)
{
	struct addressing by;

	if (one->rip != other->rip)
		return false;
	by = decode(code_at(one->rip));
	return !by.unknown && one->rsp == other->rsp && value_of(one, by.base) == value_of(other, by.base) &&
	       value_of(one, by.index) == value_of(other, by.index) &&
	       (!by.by_implied || (one->rax == other->rax && one->rdx == other->rdx && one->rcx == other->rcx &&
				   one->rsi == other->rsi && one->rdi == other->rdi));
}

/* The signal that stopped it; 0: it ended. */
static int
wait_for(pid_t copy)
{
	int status;

	FAN_REQUIRE(waitpid(copy, &status, 0) == copy);
	return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static void
say_where(const char *what, uint64_t at)
{
	Dl_info file = { 0 };

	if (dladdr(code_at(at), &file) != 0)
		printf("%s: addr2line -fie %s 0x%" PRIx64 "\n", what, file.dli_fname, at - (uint64_t)file.dli_fbase);
}

/* Runs both from one SIGSTOP to the next. Returns the instructions, or 0 when the paths part. */
static unsigned long
compare_paths(const pid_t copy[2])
{
	uint64_t before = 0;

	for (unsigned long steps = 0;; steps++) {
		struct user_regs_struct r[2];
		int signal[2];

		for (unsigned i = 0; i < 2; i++) {
			FAN_REQUIRE(ptrace(PTRACE_SINGLESTEP, copy[i], NULL, NULL) == 0);
			signal[i] = wait_for(copy[i]);
			FAN_REQUIRE(signal[i] != 0 && ptrace(PTRACE_GETREGS, copy[i], NULL, &r[i]) == 0);
		}
		if (signal[0] == SIGSTOP && signal[1] == SIGSTOP)
			return steps;
		if (signal[0] != SIGTRAP || signal[1] != SIGTRAP || !same_place(&r[0], &r[1])) {
			say_where("before", before);
			say_where("one", r[0].rip);
			say_where("other", r[1].rip);
			return 0;
		}
		before = r[0].rip;
	}
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------------- */

static void
complement(uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		octets[i] = (uint8_t)~octets[i];
}

static void
complement_secrets(struct fan_test_batch *test)
{
	const struct fan_shape *shape = &test->shape;

	FAN_REQUIRE(mprotect(test->shared, test->shared_bytes, PROT_READ | PROT_WRITE) == 0);
	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		complement(test->batch.context[i]->k_enc, FAN_KEY_BYTES);
		complement(test->batch.context[i]->k_int, FAN_KEY_BYTES);
		complement(test->batch.text[i], fan_shape_head_bytes(shape));
	}
	complement(test->shared + (shape->message - test->shared), shape->text_bytes);
}

static pid_t
start_copy(struct fan_engine *engine, struct fan_test_batch *test, bool complements)
{
	struct fan_batch *batch = &test->batch;
	const pid_t copy = fork();

	FAN_REQUIRE(copy >= 0);
	if (copy > 0) {
		FAN_REQUIRE(wait_for(copy) == SIGSTOP);
		return copy;
	}
	if (complements)
		complement_secrets(test);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
	raise(SIGSTOP);
	engine->ops->submit_burst(engine, &batch, 1);
	raise(SIGSTOP);
	_exit(0);
}

static unsigned long
compare_batch(struct fan_engine *engine, struct fan_test_random *random, const struct fan_shape *shape, unsigned ue_count)
{
	struct fan_test_batch test;
	unsigned long steps;
	pid_t copy[2];

	fan_test_batch_make_as(&test, random, shape, ue_count, false);
	for (unsigned i = 0; i < 2; i++)
		copy[i] = start_copy(engine, &test, i == 1);
	steps = compare_paths(copy);
	for (unsigned i = 0; i < 2; i++) {
		kill(copy[i], SIGKILL);
		while (wait_for(copy[i]) != 0)
			;
	}
	fan_test_batch_free(&test);
	return steps;
}

/* Out: *steps. False: the paths of some batch part. */
static bool
compare_algorithms(struct fan_engine *engine, unsigned long *steps, uint8_t cipher, uint8_t integrity)
{
	static const struct fan_shape shapes[] = {
		{ .sequence = FAN_CIPHER_THEN_MAC, .clear_bytes = 1, .head_blocks = 1, .text_bytes = 75 },
		{ .sequence = FAN_MAC_THEN_CIPHER, .clear_bytes = 3, .head_blocks = 2, .text_bytes = 160 },
		{ .sequence = FAN_CIPHER_ONLY, .clear_bytes = 2, .head_blocks = 3, .text_bytes = 129 },
	};
	/* A full group of every technique, and for the first shape one that is not. */
	static const uint8_t ue_counts[] = { 17, 16, 16 };
	struct fan_test_random random = { 1 };

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		static const uint8_t some_message[1];
		struct fan_shape shape = shapes[i];
		unsigned long now;

		shape.cipher = cipher;
		shape.integrity = integrity;
		shape.message = some_message;
		if ((shape.sequence == FAN_CIPHER_ONLY && integrity != cipher) || !engine->ops->takes(engine, &shape))
			continue;
		now = compare_batch(engine, &random, &shape, ue_counts[i]);
		if (now == 0)
			return false;
		*steps += now;
	}
	return true;
}

/* With its own integrity algorithm and with null; null ciphering with each. */
static bool
compare_cipher(struct fan_engine *engine, unsigned long *steps, uint8_t cipher)
{
	for (uint8_t integrity = 0; integrity <= FAN_ALGORITHM_MAX; integrity++)
		if ((cipher == 0 || integrity == 0 || integrity == cipher) &&
		    !compare_algorithms(engine, steps, cipher, integrity))
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct fan_engine_choice choice;
	struct fan_engine *engine;
	unsigned long steps = 0;
	bool same = true;

	if (argc < 3)
		return 2;
	if (fan_engine_find(&choice, argv[1]) != 0 || fan_engine_open(&engine, &choice) != 0) {
		fprintf(stderr, "same_path: %s\n", fan_error_detail());
		return 2;
	}
	for (int i = 2; i < argc; i++)
		same = same && compare_cipher(engine, &steps, (uint8_t)strtoul(argv[i], NULL, 10));
	printf("%-17s %lu instructions on the same path%s\n", argv[1], steps, same ? "" : ", then the paths part");
	engine->ops->close(engine);
	return !same ? 1 : steps == 0 ? 2 : 0;
}
