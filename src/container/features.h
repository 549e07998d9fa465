/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this build can do, for callers that ask before they write a config (features.md, features-linux.md).  */
#pragma once

struct strbuf;

/* Adds the JSON.  Words come from the tables that decode configs; of the host depend only the capabilities, which are
 * those that its kernel knows, the supported flags of seccomp(2), and the version of libseccomp.  */
void features_write (struct strbuf *out);
