/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk: one 4 kB write and one fdatasync after the other in a preallocated file, and how long each pair took.
 * With a rate they are spread over time, to be measured beside other work. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/socket.h"

#define FILE_SIZE (64 << 20)

int main(int argc, char **argv)
{
	static struct histogram h;
	static char block[4096];
	double seconds = argc >= 3 ? strtod(argv[2], NULL) : 0, rate = argc == 4 ? strtod(argv[3], NULL) : 0;
	char path[4096];
	int fd;

	if (seconds <= 0)
		die("usage: fdatasync_bench DIRECTORY SECONDS [RATE]");
	snprintf(path, sizeof(path), "%s/fdatasync.tmp", argv[1]);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || unlink(path) != 0 || posix_fallocate(fd, 0, FILE_SIZE) != 0 || fsync(fd) != 0)
		die("fdatasync_bench: %s: %s", path, strerror(errno));
	uint64_t start = now_ns(), now = start;
	for (off_t at = 0; now - start < (uint64_t)(seconds * 1e9); at = (at + 4096) % FILE_SIZE) {
		uint64_t before = now_ns();
		memset(block, (int)(at >> 12), sizeof(block));
		if (pwrite(fd, block, sizeof(block), at) != sizeof(block) || fdatasync(fd) != 0)
			die("fdatasync_bench: %s", strerror(errno));
		now = now_ns();
		histogram_add(&h, (now - before) / 1000);
		if (rate > 0)
			nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 / rate)}, NULL);
	}
	printf("{\"syncs_per_s\":%.1f,\"ms\":", (double)h.n / ((double)(now - start) / 1e9));
	histogram_print(&h, stdout);
	puts("}");
	return 0;
}
