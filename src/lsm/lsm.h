/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SELinux and AppArmor: what the host has, and the words that init writes below /proc/thread-self/attr (selinux(8),
 * apparmor(7), Documentation/userspace-api/lsm.rst of the kernel).  They fail closed: a label that cannot be applied is
 * an error.  An empty label, and the AppArmor profile "unconfined" where there is no AppArmor, ask for nothing.  */
#pragma once

#include <stdbool.h>

struct arena;
struct error;
struct spec;

/* Whether this build knows SELinux; it always knows AppArmor.  */
extern const bool selinux_is_built;

/* Whether the LSM is active on this kernel.  Asked of the kernel each time, so only when a config names a label.
 * SELinux is not there for a build without it.  */
bool lsm_has_selinux (void);
bool lsm_has_apparmor (void);

/* Checks process.selinuxLabel, linux.mountLabel and process.apparmorProfile against the host: an error when the LSM is
 * not active or does not know the label (for SELinux libselinux is asked, which is loaded on first use; AppArmor
 * profiles are looked up in the kernel's list, where that can be read).  0, -EINVAL (no such label), -EOPNOTSUPP.  */
int lsm_check (const struct spec *spec, struct error *err);

/* What to write for the coming exec, and where below the thread's attr directory: "exec" with the SELinux label,
 * "apparmor/exec" (on kernels before 5.8 "exec") with "exec PROFILE".  *RET_FILE is NULL when nothing is asked for.
 * 0, or -EINVAL if labels for both are, for there is but one to write.  Call after lsm_check.  */
int lsm_exec_attribute (struct arena *arena, const struct spec *spec, const char **ret_file, const char **ret_value,
                        struct error *err);

/* The label for the session keyring, which must be the program's own; NULL: none.  Call after lsm_check.  */
const char *lsm_keyring_label (const struct spec *spec);

/* The mount data option for LABEL: `context="LABEL"`, or as CONTEXT says instead of context, or NULL if none is needed:
 * no label, bind mounts, and file systems with labels of their own (proc, sysfs, mqueue ...), which do not take one.
 * The quotes are needed: a label may hold commas (mount(8)).  */
const char *lsm_mount_option (struct arena *arena, const char *context, const char *label, const char *fstype);
