/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libseccomp, loaded on first use.  */
#pragma once

#include <seccomp.h>
#include <stddef.h>

#include "base/dlopen.h"

struct error;

/* Each member is the function of libseccomp with that name: seccomp_init(3) and so on.  */
struct libseccomp
{
  DLOPEN_MEMBER (seccomp_version);
  DLOPEN_MEMBER (seccomp_init);
  DLOPEN_MEMBER (seccomp_release);
  DLOPEN_MEMBER (seccomp_arch_native);
  DLOPEN_MEMBER (seccomp_arch_add);
  DLOPEN_MEMBER (seccomp_syscall_resolve_name);
  DLOPEN_MEMBER (seccomp_syscall_resolve_name_arch);
  DLOPEN_MEMBER (seccomp_rule_add_array);
  DLOPEN_MEMBER (seccomp_export_bpf);
  /* Since 2.6, so the header may not have it; else NULL.  */
  int (*seccomp_export_bpf_mem) (const scmp_filter_ctx filter, void *buffer, size_t *size);
};

/* Loads it.  0, or -EOPNOTSUPP with what is missing.  */
int seccomp_library_open (struct libseccomp *ret_library, struct error *err);
