/*
 * Load the kernel modules that the first file system brings, in /modules.
 *
 * Why so: which module needs which differs between kernels, and a package has no table of that.
 */
#define _GNU_SOURCE
#include "modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether a module is there afterwards; it may need another one first. */
static bool load_module(const char *name, bool tells)
{
	char path[320];
	bool is_loaded;
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	is_loaded = !syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST;
	if (!is_loaded && tells)
		printf("powercut: module %s: %s\n", name, strerror(errno));
	close(fd);
	return is_loaded;
}

/* Those that failed are tried again, as long as that helps. */
void load_modules(void)
{
	struct dirent **names;
	int count = scandir("/modules", &names, NULL, alphasort);
	int left = count, before = count + 1;

	while (left && left < before) {
		before = left;
		left = 0;
		for (int n = 0; n < count; n++) {
			char *name = names[n]->d_name;

			if (name[0] == '.')
				continue;
			if (load_module(name, false))
				name[0] = '.';
			else
				left++;
		}
	}
	for (int n = 0; n < count; n++)
		if (names[n]->d_name[0] != '.')
			load_module(names[n]->d_name, true);
}
