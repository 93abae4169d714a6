/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzzer over the files of directories, without libFuzzer: `replay_x DIR…`. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX (1024 * 1024)

/* A copy of its own for each input, so that ASan sees a step beyond it. */
static bool replay_file(const char *dir, const char *name)
{
	char path[4096];
	auto_free uint8_t *input = NULL;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return false;
	}
	auto_free uint8_t *bytes = malloc(INPUT_MAX);
	size_t n = bytes ? fread(bytes, 1, INPUT_MAX, f) : 0;
	fclose(f);
	input = malloc(n ? n : 1);
	if (!input || !bytes)
		return false;
	memcpy(input, bytes, n);
	LLVMFuzzerTestOneInput(input, n);
	return true;
}

static bool replay_dir(const char *dir, size_t *count)
{
	DIR *d = opendir(dir);
	bool ok = true;

	if (!d) {
		perror(dir);
		return false;
	}
	for (struct dirent *e; ok && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		ok = replay_file(dir, e->d_name);
		*count += ok;
	}
	closedir(d);
	return ok;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		if (!replay_dir(argv[i], &count))
			return 1;
	printf("%zu inputs replayed\n", count);
	return count > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
