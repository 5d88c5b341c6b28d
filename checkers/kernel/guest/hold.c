/*
 * Hold threads at functions of the kernel, in the order of a schedule.
 *
 * What: at each place a BPF program on a kprobe lets a thread spin until the next place of the
 * schedule has been reached, or until everybody is released, or for HOLD_MS.  The places share a
 * counter of the stage that the schedule has come to, in a map that this process sees as memory.
 *
 * Why so: a released kernel with its own code runs, only slower at one place; what a hold shows can
 * happen without it.  The thread spins on its virtual CPU, so the guest needs one more of them than
 * threads that are held.
 *
 * Rejected: a debugger that stops the machine (it stops every CPU), changed kernels (what they show
 * has to be shown again on a real one).
 */
#define _GNU_SOURCE
#include "hold.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_HOLDS = 8, HOLD_MS = 300, MAX_SPINS = 1 << 23, IDLE = 1000, DONE = 1001 };
enum { CALL_LOOKUP = 1, CALL_TIME = 5, CALL_COMM = 16, CALL_LOOP = 181 };

#define INSN(CODE, DST, SRC, OFF, IMM) \
	{ .code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM) }
#define MOVE(DST, SRC) INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define MOVE_NUMBER(DST, IMM) INSN(BPF_ALU64 | BPF_MOV | BPF_K, DST, 0, 0, IMM)
#define ADD_NUMBER(DST, IMM) INSN(BPF_ALU64 | BPF_ADD | BPF_K, DST, 0, 0, IMM)
#define LOAD(SIZE, DST, SRC, OFF) INSN(BPF_LDX | BPF_MEM | (SIZE), DST, SRC, OFF, 0)
#define STORE(SIZE, DST, SRC, OFF) INSN(BPF_STX | BPF_MEM | (SIZE), DST, SRC, OFF, 0)
#define STORE_NUMBER(SIZE, DST, OFF, IMM) INSN(BPF_ST | BPF_MEM | (SIZE), DST, 0, OFF, IMM)
#define JUMP_IF(OP, REG, IMM, OFF) INSN(BPF_JMP | (OP) | BPF_K, REG, 0, OFF, IMM)
#define JUMP_IF_REG(OP, REG, OTHER, OFF) INSN(BPF_JMP | (OP) | BPF_X, REG, OTHER, OFF, 0)
#define CALL(FUNCTION) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, FUNCTION)
#define LOAD_WIDE(DST, KIND, IMM) INSN(BPF_LD | BPF_DW | BPF_IMM, DST, KIND, 0, IMM), INSN(0, 0, 0, 0, 0)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int map_fd = -1, holds, reached;
static volatile uint32_t *stage;

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static bool make_map(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
		.map_flags = BPF_F_MMAPABLE,
	};
	void *memory;

	map_fd = bpf(BPF_MAP_CREATE, &attributes);
	if (map_fd < 0)
		return false;
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (memory == MAP_FAILED)
		return false;
	stage = memory;
	*stage = IDLE;
	return true;
}

/*
 * What the types of two functions are: the kernel wants to know them of a callback.  One type of
 * function, two functions of it, no parameters told.
 */
static int load_types(void)
{
	static const char names[] = "\0int\0place\0wait";
	struct {
		struct btf_header header;
		struct btf_type number;
		uint32_t number_bits;
		struct btf_type prototype, place, wait;
		char names[sizeof(names)];
	} blob = {
		.header = {
			.magic = BTF_MAGIC,
			.version = BTF_VERSION,
			.hdr_len = sizeof(blob.header),
			.type_len = 4 * sizeof(struct btf_type) + 4,
			.str_off = 4 * sizeof(struct btf_type) + 4,
			.str_len = sizeof(names),
		},
		.number = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 4 },
		.number_bits = BTF_INT_SIGNED << 24 | 32,
		.prototype = { .info = BTF_KIND_FUNC_PROTO << 24, .type = 1 },
		.place = { .name_off = 5, .info = BTF_KIND_FUNC << 24, .type = 2 },
		.wait = { .name_off = 11, .info = BTF_KIND_FUNC << 24, .type = 2 },
	};
	union bpf_attr attributes = {
		.btf = (uintptr_t)&blob,
		.btf_size = sizeof(blob),
	};

	memcpy(blob.names, names, sizeof(names));
	return bpf(BPF_BTF_LOAD, &attributes);
}

/* Hold number `number`: open at stage `number`, left at stage `number` + 2. */
static int load_program(int number, const char *who)
{
	static char complaint[8192];
	uint32_t name;
	struct bpf_insn code[] = {
		/* if the thread's name begins otherwise, leave */
		MOVE(BPF_REG_1, BPF_REG_10),
		ADD_NUMBER(BPF_REG_1, -16),
		MOVE_NUMBER(BPF_REG_2, 16),
		CALL(CALL_COMM),
		LOAD(BPF_W, BPF_REG_1, BPF_REG_10, -16),
		LOAD_WIDE(BPF_REG_2, 0, 0),
		JUMP_IF_REG(BPF_JNE, BPF_REG_1, BPF_REG_2, 21),
		/* if another stage is on, leave; else the next one is */
		STORE_NUMBER(BPF_W, BPF_REG_10, -20, 0),
		MOVE(BPF_REG_2, BPF_REG_10),
		ADD_NUMBER(BPF_REG_2, -20),
		LOAD_WIDE(BPF_REG_1, BPF_PSEUDO_MAP_FD, map_fd),
		CALL(CALL_LOOKUP),
		JUMP_IF(BPF_JEQ, BPF_REG_0, 0, 14),
		LOAD(BPF_W, BPF_REG_1, BPF_REG_0, 0),
		JUMP_IF(BPF_JNE, BPF_REG_1, number, 12),
		STORE_NUMBER(BPF_W, BPF_REG_0, 0, number + 1),
		/* spin until the stage after that, or the deadline */
		CALL(CALL_TIME),
		ADD_NUMBER(BPF_REG_0, HOLD_MS * 1000000),
		STORE(BPF_DW, BPF_REG_10, BPF_REG_0, -32),
		STORE_NUMBER(BPF_DW, BPF_REG_10, -40, number + 1),
		MOVE_NUMBER(BPF_REG_1, MAX_SPINS),
		LOAD_WIDE(BPF_REG_2, BPF_PSEUDO_FUNC, 0),
		MOVE(BPF_REG_3, BPF_REG_10),
		ADD_NUMBER(BPF_REG_3, -40),
		MOVE_NUMBER(BPF_REG_4, 0),
		CALL(CALL_LOOP),
		MOVE_NUMBER(BPF_REG_0, 0),
		EXIT,
		/* the callback: 1 ends the loop */
		MOVE(BPF_REG_6, BPF_REG_2),
		STORE_NUMBER(BPF_W, BPF_REG_10, -4, 0),
		MOVE(BPF_REG_2, BPF_REG_10),
		ADD_NUMBER(BPF_REG_2, -4),
		LOAD_WIDE(BPF_REG_1, BPF_PSEUDO_MAP_FD, map_fd),
		CALL(CALL_LOOKUP),
		JUMP_IF(BPF_JEQ, BPF_REG_0, 0, 8),
		LOAD(BPF_W, BPF_REG_1, BPF_REG_0, 0),
		LOAD(BPF_DW, BPF_REG_2, BPF_REG_6, 0),
		JUMP_IF_REG(BPF_JGT, BPF_REG_1, BPF_REG_2, 5),
		CALL(CALL_TIME),
		LOAD(BPF_DW, BPF_REG_1, BPF_REG_6, 8),
		JUMP_IF_REG(BPF_JGT, BPF_REG_0, BPF_REG_1, 2),
		MOVE_NUMBER(BPF_REG_0, 0),
		EXIT,
		MOVE_NUMBER(BPF_REG_0, 1),
		EXIT,
	};
	enum { COUNT = sizeof(code) / sizeof(*code) };
	struct bpf_func_info functions[2] = { { 0, 3 }, { 0, 4 } };
	union bpf_attr attributes = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (uintptr_t)code,
		.insn_cnt = COUNT,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)complaint,
		.log_size = sizeof(complaint),
		.log_level = 1,
		.prog_btf_fd = load_types(),
		.func_info = (uintptr_t)functions,
		.func_info_cnt = 2,
		.func_info_rec_size = sizeof(*functions),
	};
	int fd, pointer = 0, callback = 0;

	for (int n = COUNT - 1; n >= 0; n--) {
		if (code[n].code == (BPF_LD | BPF_DW | BPF_IMM) && code[n].src_reg == BPF_PSEUDO_FUNC)
			pointer = n;
		if (code[n].code == (BPF_JMP | BPF_EXIT) && n < COUNT - 3 && !callback)
			callback = n + 1;
	}
	/* A pointer to a function counts from the instruction behind its first half. */
	code[pointer].imm = callback - pointer - 1;
	functions[1].insn_off = callback;
	memcpy(&name, who, sizeof(name));
	code[5].imm = (int)name;
	fd = bpf(BPF_PROG_LOAD, &attributes);
	if (fd < 0) {
		size_t said = strlen(complaint);
		int error = errno;

		/* The end of what the verifier says is the reason. */
		printf("powercut: verifier: %s\n", complaint + (said > 600 ? said - 600 : 0));
		errno = error;
	}
	close(attributes.prog_btf_fd);
	return fd;
}

static int kind_of_kprobes(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "r");
	int kind = -1;

	if (file && fscanf(file, "%d", &kind) != 1)
		kind = -1;
	if (file)
		fclose(file);
	return kind;
}

bool hold_at(const char *function, bool at_return, const char *who)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.config = at_return,
		.kprobe_func = (uintptr_t)function,
	};
	int kind = kind_of_kprobes(), program, probe;

	if (kind < 0 || holds == MAX_HOLDS) {
		errno = kind < 0 ? ENOENT : ENOSPC;
		return false;
	}
	event.type = kind;
	if (map_fd < 0 && !make_map())
		return false;
	program = load_program(holds, who);
	if (program < 0)
		return false;
	probe = syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (probe < 0 || ioctl(probe, PERF_EVENT_IOC_SET_BPF, program) ||
	    ioctl(probe, PERF_EVENT_IOC_ENABLE, 0))
		return false;
	holds++;
	return true;
}

void hold_arm(void)
{
	if (!holds)
		return;
	reached = 0;
	*stage = 0;
}

bool hold_is_reached(void)
{
	return holds && *stage > 0 && *stage < IDLE;
}

void hold_release(void)
{
	if (!holds)
		return;
	if (*stage < IDLE)
		reached = *stage;
	*stage = DONE;
}

int hold_count(void)
{
	return reached;
}
