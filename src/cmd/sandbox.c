/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Privileges dropped, seccomp as a deny list, Landlock on directories. */
#include "cmd/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"

/* Rights of later ABIs that Debian 12's header does not name yet. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READ_FILE  (LANDLOCK_ACCESS_FS_READ_FILE)
#define READ_TREE  (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE)
#define WRITE_TREE                                                                                                     \
	(WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |   \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define EVERYTHING_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* What a process that has been taken over would reach for, and a mail gate never does. */
static const char *const denied_calls[] = {
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "chroot",
	"move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "init_module", "finit_module", "delete_module",
	"kexec_load", "kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl",
	"setns", "unshare", "reboot", "swapon", "swapoff", "acct", "quotactl", "personality", "settimeofday",
	"clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "iopl", "ioperm", "open_by_handle_at",
	"lookup_dcookie", "vhangup", "syslog", "nfsservctl", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"kcmp", "mknod", "mknodat", "pidfd_getfd", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
	"setgroups", "capset",
};

bool sandbox_drop_root(struct str user, struct err *err)
{
	char name[64];

	if (geteuid() != 0 || str_eq(user, STR("root")))
		return true;
	if (user.n == 0 || user.n >= sizeof(name))
		return err_perm(err, CAUSE_LOCAL_ERROR, "started as root without `user`: name the account to become");
	memcpy(name, user.p, user.n);
	name[user.n] = '\0';
	struct passwd *who = getpwnam(name);
	if (!who)
		return err_perm(err, CAUSE_LOCAL_ERROR, "user %s does not exist: create it (adduser --system --group %s)",
		                name, name);
	if (setgroups(0, NULL) != 0 || setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
	    setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "could not become user %s: %s", name, strerror(errno));
	return true;
}

static bool seccomp_enter(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter)
		return err_temp(err, CAUSE_LOCAL_ERROR, "seccomp: no memory for a filter");
	for (size_t i = 0; i < sizeof(denied_calls) / sizeof(*denied_calls); i++) {
		int call = seccomp_syscall_resolve_name(denied_calls[i]);
		if (call != __NR_SCMP_ERROR)
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
	}
	int rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc != 0)
		log_event(LOG_WARN_, "sandbox_part_missing", LOG_C("part", "seccomp"), LOG_C("why", strerror(-rc)),
		          LOG_C("means", "system calls are not restricted"));
	return true;
}

static uint64_t rights_known(int abi)
{
	uint64_t rights = EVERYTHING_ABI_1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

static bool path_allow(int ruleset, const struct sandbox_path *path, uint64_t known, struct err *err)
{
	char name[PATH_MAX];
	struct stat st;

	if (path->path.n == 0 || path->path.n >= sizeof(name))
		return true;
	memcpy(name, path->path.p, path->path.n);
	name[path->path.n] = '\0';
	auto_close int fd = open(name, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return true;
	uint64_t rights = S_ISDIR(st.st_mode) ? READ_TREE : READ_FILE;
	if (path->may_write)
		rights |= (S_ISDIR(st.st_mode) ? WRITE_TREE | LANDLOCK_ACCESS_FS_REFER : WRITE_FILE) |
		          LANDLOCK_ACCESS_FS_TRUNCATE;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights & known, .parent_fd = fd};
	if (syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "sandbox: %s: %s", name, strerror(errno));
	return true;
}

static bool landlock_enter(const struct sandbox_path *paths, size_t n, struct err *err)
{
	int abi = (int)syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1) {
		log_event(LOG_WARN_, "sandbox_part_missing", LOG_C("part", "Landlock"), LOG_C("why", strerror(errno)),
		          LOG_C("means", "directories are not restricted; boot with lsm=landlock,…"));
		return true;
	}
	uint64_t known = rights_known(abi);
	struct landlock_ruleset_attr attr = {.handled_access_fs = known};
	auto_close int ruleset = (int)syscall(__NR_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "sandbox: Landlock: %s", strerror(errno));
	for (size_t i = 0; i < n; i++) {
		if (!path_allow(ruleset, &paths[i], known, err))
			return false;
	}
	if (syscall(__NR_landlock_restrict_self, ruleset, 0) != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "sandbox: Landlock: %s", strerror(errno));
	return true;
}

bool sandbox_enter(const struct sandbox_path *paths, size_t n, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "sandbox: no_new_privs: %s", strerror(errno));
	return landlock_enter(paths, n, err) && seccomp_enter(err);
}
