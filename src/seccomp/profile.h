/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a profile says, in the kernel's terms.  Shared by checking, compiling and caching.  */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct spec_seccomp;
struct spec_seccomp_rule;

/* SECCOMP_RET_* with data, as the filter returns it.  */
uint32_t profile_default (const struct spec_seccomp *profile);
uint32_t profile_action (const struct spec_seccomp_rule *rule);

/* Whether any rule of the profile notifies.  */
bool profile_notifies (const struct spec_seccomp *profile);
