/*
 * The first and only process of a guest: load modules, mount, run programs in rounds, cut the power.
 *
 * What: /program says what to do, one command a line; checkers/kernel/rounds.py writes it.
 * Each round has files of its own and starts its tasks at a barrier.  When a call has returned, a
 * sector that says so is written behind the file system, past every cache, so that the log of the
 * disk has the marks in its own order.  What happens is told on the console, a line each.
 *
 * Why so: one static program needs no shell and no library in the guest, and one boot serves
 * hundreds of rounds.  The helpers are what any other process may do at any time: they widen
 * windows and change no code.
 *
 * Rejected: a shell with small tools (a process a call: too slow and too even to race), delays in
 * the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "hold.h"
#include "modules.h"

enum { MAX_TASKS = 4, MAX_OPS = 16, MAX_FILES = 4, SECTOR = 512, PATH = 64, CROWD = 20 };
enum { HOG_EXTENTS = 300, MAP_BYTES = 1 << 16, DISK_SECONDS = 10 };

#define KEEP_SIZE 1
#define PUNCH_HOLE 2
#define ZERO_RANGE 16

/* What helps in a round; the letters are those of rounds.py. */
enum help {
	HELP_SYNC = 1,    /* s: another file is changed and synced, again and again */
	HELP_PACED = 2,   /* p: the same, once a round, beside the call that was drawn */
	HELP_HOG = 4,     /* h: handles are kept open for long, by truncates of a fragmented file */
	HELP_CROWD = 8,   /* c: other files are cut and appended to before the call that was drawn */
	HELP_FLUSH = 16,  /* f: writeback of the files is started before the call that was drawn */
	HELP_DROP = 32,   /* d: clean pages are dropped before the call that was drawn */
	HELP_PAUSE = 64,  /* w: a task waits for a moment before the call that was drawn */
};
static const char help_letters[] = "sphcfdw";

struct op {
	char name[16];
	int file;
	long at, length;
	char letter;
};

struct program {
	struct op ops[MAX_TASKS][MAX_OPS];
	int op_count[MAX_TASKS];
	int tasks;
	bool is_used[MAX_FILES];
};

static struct program program;
static long marks_at, round_number;
static char disk[PATH];
static int fds[MAX_FILES];
static char *maps[MAX_FILES];
static int help, drawn_task, drawn_op;
static pthread_barrier_t barrier;
static int armed_task = -1, armed_op;
static atomic_int is_over;
static atomic_long turns_asked, turns_done;

static void die(const char *format, ...)
{
	va_list arguments;

	printf("powercut: failed: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(": %s\n", strerror(errno));
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void pause_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

static int open_at(const char *name, long number, int flags)
{
	char path[PATH];
	int fd;

	snprintf(path, sizeof(path), "/mnt/%s%ld", name, number);
	fd = open(path, flags, 0644);
	if (fd < 0 && !(errno == EROFS || errno == EIO))
		die("open %s", path);
	return fd;
}

static void path_of(char *path, int file)
{
	int used = snprintf(path, PATH, "/mnt/file%d", file);

	if (round_number)
		snprintf(path + used, PATH - used, ".%ld", round_number);
}

/* ---- the calls of a program ------------------------------------------------------------------ */

static _Thread_local sigjmp_buf on_bus_error;

static void bus_error(int signal)
{
	(void)signal;
	siglongjmp(on_bus_error, 1);
}

static int store(const struct op *op)
{
	if (sigsetjmp(on_bus_error, 1)) {
		errno = EFAULT;
		return -1;
	}
	memset(maps[op->file] + op->at, op->letter, op->length);
	return 0;
}

static int write_letters(int fd, char letter, long at, long length)
{
	char data[length];
	ssize_t written;

	memset(data, letter, length);
	written = pwrite(fd, data, length, at);
	if (written >= 0 && written < length)
		errno = ENOSPC;
	return written == length ? 0 : -1;
}

static int read_all(int fd, long at, long length)
{
	char data[length];

	return pread(fd, data, length, at) < 0 ? -1 : 0;
}

static int run(const struct op *op)
{
	int fd = fds[op->file];

	if (!strcmp(op->name, "write"))
		return write_letters(fd, op->letter, op->at, op->length);
	if (!strcmp(op->name, "store"))
		return store(op);
	if (!strcmp(op->name, "read"))
		return read_all(fd, op->at, op->length);
	if (!strcmp(op->name, "truncate"))
		return ftruncate(fd, op->at);
	if (!strcmp(op->name, "punch"))
		return fallocate(fd, PUNCH_HOLE | KEEP_SIZE, op->at, op->length);
	if (!strcmp(op->name, "zero_range"))
		return fallocate(fd, ZERO_RANGE | KEEP_SIZE, op->at, op->length);
	if (!strcmp(op->name, "fallocate"))
		return fallocate(fd, 0, op->at, op->length);
	if (!strcmp(op->name, "fsync"))
		return fsync(fd);
	if (!strcmp(op->name, "fdatasync"))
		return fdatasync(fd);
	if (!strcmp(op->name, "sync"))
		return sync(), 0;
	if (!strcmp(op->name, "unlink")) {
		char path[PATH];

		path_of(path, op->file);
		return unlink(path);
	}
	die("unknown call %s", op->name);
	return -1;
}

/* ---- helpers --------------------------------------------------------------------------------- */

static bool commit_once(int fd, char *byte)
{
	++*byte;
	/* The change of the mode is metadata, so the sync has a transaction to commit. */
	if (pwrite(fd, byte, 1, 0) != 1 || fchmod(fd, 0600 | (*byte & 0077)) || fsync(fd))
		return false;
	return true;
}

static void *syncer(void *unused)
{
	int fd = open_at("syncer", 0, O_RDWR | O_CREAT);
	char byte = 0;

	(void)unused;
	while (!atomic_load(&is_over)) {
		bool is_asked = atomic_load(&turns_done) < atomic_load(&turns_asked);

		/* Whoever is held is waiting for a commit. */
		if (hold_is_reached()) {
			commit_once(fd, &byte);
			hold_release();
			continue;
		}
		if (!is_asked && !(help & HELP_SYNC)) {
			sched_yield();
			continue;
		}
		if (!commit_once(fd, &byte))
			pause_us(1000);
		if (is_asked)
			atomic_fetch_add(&turns_done, 1);
	}
	return NULL;
}

static void *hog(void *unused)
{
	int fd = open_at("hog", 0, O_RDWR | O_CREAT);

	(void)unused;
	while (!atomic_load(&is_over)) {
		if (!(help & HELP_HOG)) {
			pause_us(1000);
			continue;
		}
		for (long n = 0; n < HOG_EXTENTS && (help & HELP_HOG) && !atomic_load(&is_over); n++)
			if (fallocate(fd, 0, n * 8192, 4096))
				pause_us(1000);
		if (ftruncate(fd, 0))
			pause_us(1000);
	}
	return NULL;
}

/* Files whose blocks are on disk: a cut of one has a tail that the commit must write. */
static void make_crowd(void)
{
	for (long n = 0; n < CROWD; n++) {
		int fd = open_at("crowd", n, O_RDWR | O_CREAT);

		if (write_letters(fd, 'C', 0, 8000) || fsync(fd))
			die("crowd");
		close(fd);
	}
}

/* Each cut or append files the inode on the transaction, before those that are there. */
static void crowd(void)
{
	for (long n = 0; n < CROWD; n++) {
		int fd = open_at("crowd", n, O_RDWR | O_CREAT);

		if (fd < 0)
			return;
		if (ftruncate(fd, 7000) || write_letters(fd, 'C', 7000, 1000))
			pause_us(1);
		close(fd);
	}
}

static void help_now(void)
{
	if (help & HELP_CROWD)
		crowd();
	for (int f = 0; f < MAX_FILES; f++) {
		if (!program.is_used[f])
			continue;
		if (help & HELP_FLUSH)
			sync_file_range(fds[f], 0, 0, SYNC_FILE_RANGE_WRITE);
		if (help & HELP_DROP)
			posix_fadvise(fds[f], 0, 0, POSIX_FADV_DONTNEED);
	}
	if (help & HELP_PACED)
		atomic_fetch_add(&turns_asked, 1);
	if (help & HELP_PAUSE)
		pause_us(random() % 3000);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void open_files(void)
{
	for (int f = 0; f < MAX_FILES; f++) {
		char path[PATH];

		if (!program.is_used[f])
			continue;
		path_of(path, f);
		fds[f] = open(path, O_RDWR | O_CREAT, 0644);
		if (fds[f] < 0)
			die("open %s", path);
		maps[f] = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[f], 0);
		if (maps[f] == MAP_FAILED)
			die("mmap %s", path);
	}
}

static void close_files(void)
{
	for (int f = 0; f < MAX_FILES; f++) {
		if (!program.is_used[f])
			continue;
		munmap(maps[f], MAP_BYTES);
		close(fds[f]);
	}
}

/* What reads show when all tasks are done. */
static void tell_files(void)
{
	for (int f = 0; f < MAX_FILES; f++) {
		char data[MAP_BYTES], letters[MAP_BYTES / SECTOR + 1];
		struct stat status;
		ssize_t bytes;
		int n = 0;

		if (!program.is_used[f])
			continue;
		bytes = pread(fds[f], data, sizeof(data), 0);
		if (fstat(fds[f], &status))
			die("fstat");
		for (long at = 0; at < bytes; at += SECTOR)
			letters[n++] = data[at] ? data[at] : '.';
		letters[n] = 0;
		printf("powercut: file %d round %ld links %ld size %ld shows %s\n", f, round_number,
		       (long)status.st_nlink, (long)status.st_size, bytes < 0 ? "!" : letters);
	}
}

static void mark(int fd, char *sector, int task, int op, int error)
{
	memset(sector, 0, SECTOR);
	snprintf(sector, SECTOR, "powercut mark %ld %d %d %d", round_number, task, op + 1, error);
	if (pwrite(fd, sector, SECTOR, marks_at) != SECTOR)
		die("mark");
}

static void *task(void *number)
{
	int me = (int)(long)number;
	int raw = open(disk, O_WRONLY | O_DIRECT);
	char *sector, name[16];

	snprintf(name, sizeof(name), "task%d", me);
	prctl(PR_SET_NAME, name);
	if (raw < 0 || posix_memalign((void **)&sector, 4096, 4096))
		die("open %s for marks (CONFIG_BLK_DEV_WRITE_MOUNTED is needed)", disk);
	pthread_barrier_wait(&barrier);
	for (int n = 0; n < program.op_count[me]; n++) {
		if (me == armed_task && n == armed_op)
			hold_arm();
		if (me == drawn_task && n == drawn_op)
			help_now();
		mark(raw, sector, me, n, run(&program.ops[me][n]) ? errno : 0);
	}
	close(raw);
	free(sector);
	return NULL;
}

static int help_of(const char *letters)
{
	int found = 0;

	for (; *letters; letters++) {
		const char *at = strchr(help_letters, *letters);

		if (at)
			found |= 1 << (at - help_letters);
	}
	return found;
}

static void run_round(const char *letters)
{
	pthread_t threads[MAX_TASKS];

	help = help_of(letters);
	drawn_task = random() % program.tasks;
	drawn_op = program.op_count[drawn_task] ? random() % program.op_count[drawn_task] : 0;
	open_files();
	pthread_barrier_init(&barrier, NULL, program.tasks);
	for (long t = 0; t < program.tasks; t++)
		pthread_create(&threads[t], NULL, task, (void *)t);
	for (int t = 0; t < program.tasks; t++)
		pthread_join(threads[t], NULL);
	hold_release();
	if (armed_task >= 0)
		printf("powercut: round %ld came to hold %d\n", round_number, hold_count());
	pthread_barrier_destroy(&barrier);
	while (atomic_load(&turns_done) < atomic_load(&turns_asked))
		sched_yield();
	tell_files();
	close_files();
}

/* "rounds FIRST COUNT HELP...": one word of letters a kind of round, in turns. */
static void run_rounds(char *words)
{
	char *kinds[16], *rest;
	long first = strtol(strtok_r(words, " \n", &rest), NULL, 10);
	long count = strtol(strtok_r(NULL, " \n", &rest), NULL, 10);
	pthread_t helpers[2];
	int n = 0;

	while (n < 16 && (kinds[n] = strtok_r(NULL, " \n", &rest)))
		n++;
	atomic_store(&is_over, 0);
	help = 0;
	for (int kind = 0; kind < n; kind++)
		help |= help_of(kinds[kind]);
	if (help & HELP_CROWD)
		make_crowd();
	help = 0;
	pthread_create(&helpers[0], NULL, syncer, NULL);
	pthread_create(&helpers[1], NULL, hog, NULL);
	for (long r = 0; r < count; r++) {
		round_number = first + r;
		run_round(kinds[r % n]);
	}
	atomic_store(&is_over, 1);
	pthread_join(helpers[0], NULL);
	pthread_join(helpers[1], NULL);
	printf("powercut: ran rounds %ld to %ld\n", first, first + count - 1);
	memset(&program, 0, sizeof(program));
}

/* ---- the script ------------------------------------------------------------------------------ */

/* A driver may take a moment to find the disk. */
static void find_disk(void)
{
	static const char *const names[] = { "/dev/vda", "/dev/nvme0n1", "/dev/sda" };

	for (int waited = 0; waited < DISK_SECONDS * 100; waited++) {
		for (unsigned n = 0; n < sizeof(names) / sizeof(*names); n++)
			if (!access(names[n], F_OK)) {
				strcpy(disk, names[n]);
				return;
			}
		pause_us(10000);
	}
	errno = ENODEV;
	die("no disk");
}

static void mount_disk(char *options)
{
	options[strcspn(options, "\n")] = 0;
	find_disk();
	if (mount(disk, "/mnt", "ext4", 0, options))
		die("mount -o %s", options);
	printf("powercut: mounted\n");
}

/* "look FILE ROUND": what a file shows after a mount. */
static void look_at(const char *words)
{
	int file;

	if (sscanf(words, "%d %ld", &file, &round_number) != 2 || file < 0 || file >= MAX_FILES) {
		errno = EINVAL;
		die("script: look %s", words);
	}
	memset(&program, 0, sizeof(program));
	program.is_used[file] = true;
	open_files();
	tell_files();
	close_files();
	memset(&program, 0, sizeof(program));
}

static void add_op(char *words)
{
	struct op op;
	int t = program.tasks - 1;

	if (sscanf(words, "%15s %d %ld %ld %c", op.name, &op.file, &op.at, &op.length, &op.letter) != 5 ||
	    t < 0 || program.op_count[t] == MAX_OPS || op.file < 0 || op.file >= MAX_FILES) {
		errno = EINVAL;
		die("script: op %s", words);
	}
	program.is_used[op.file] = true;
	program.ops[t][program.op_count[t]++] = op;
}

/* "hold FUNCTION entry|return WHO": the next place of the schedule, for threads of that name. */
static void add_hold(const char *words)
{
	char function[64], where[8], who[16] = "";

	if (sscanf(words, "%63s %7s %15s", function, where, who) != 3 || strlen(who) < 4) {
		errno = EINVAL;
		die("script: hold %s", words);
	}
	if (!hold_at(function, !strcmp(where, "return"), who))
		printf("powercut: no hold at %s: %s\n", function, strerror(errno));
	else
		printf("powercut: hold at %s\n", function);
}

static void run_line(char *line)
{
	char *space = strchr(line, ' ');
	char *words = space ? space + 1 : line + strlen(line);

	if (!strncmp(line, "mount ", 6))
		mount_disk(words);
	else if (!strncmp(line, "look ", 5))
		look_at(words);
	else if (!strncmp(line, "marks ", 6))
		marks_at = strtol(words, NULL, 10);
	else if (!strncmp(line, "seed ", 5))
		srandom(strtol(words, NULL, 10));
	else if (!strncmp(line, "task", 4) && program.tasks < MAX_TASKS)
		program.tasks++;
	else if (!strncmp(line, "op ", 3))
		add_op(words);
	else if (!strncmp(line, "hold ", 5))
		add_hold(words);
	else if (!strncmp(line, "arm ", 4) && sscanf(words, "%d %d", &armed_task, &armed_op) == 2)
		;
	else if (!strncmp(line, "rounds ", 7))
		run_rounds(words);
	else {
		errno = EINVAL;
		die("script: %s", line);
	}
}

int main(void)
{
	struct sigaction action = { .sa_handler = bus_error };
	struct utsname name;
	char line[1024];
	FILE *script;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/mnt", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		die("mount /dev");
	if (getpid() == 1) {
		int console = open("/dev/console", O_RDWR);

		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	mount("sys", "/sys", "sysfs", 0, NULL);
	uname(&name);
	printf("powercut: kernel %s\n", name.release);
	sigaction(SIGBUS, &action, NULL);
	load_modules();
	script = fopen("/program", "r");
	if (!script)
		die("open /program");
	while (fgets(line, sizeof(line), script))
		run_line(line);
	printf("powercut: done\n");
	/* No sync and no unmount: the power is cut. */
	reboot(RB_POWER_OFF);
	return 0;
}
