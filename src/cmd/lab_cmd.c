/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern lab`: starts postern-lab, the small internet, which is a program of its own. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

int cmd_lab(struct cmd *c)
{
	static char self[PATH_MAX], lab[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return cmd_fail(EXIT_INTERNAL, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	/* Beside us, in the build tree, or where it is installed. */
	static const char *const places[] = {"postern-lab", "../lab/postern-lab", "../lib/postern/postern-lab",
	                                     "../libexec/postern/postern-lab"};
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(lab, sizeof(lab), "%s/%s", self, places[i]);
		if (access(lab, X_OK) != 0)
			continue;
		execl(lab, "postern-lab", c->apply ? "--once" : (char *)NULL, (char *)NULL);
		return cmd_fail(EXIT_INTERNAL, "%s: %s", lab, strerror(errno));
	}
	return cmd_fail(EXIT_NO_INPUT, "postern-lab is not installed (/usr/lib/postern/postern-lab of the package, or tools/build)");
}
