/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole checkpoint, restore: callers probe for them, and are to hear what is the matter.  */
#include "cli/command.h"

#define REFUSAL "containers cannot be frozen into images yet"

const struct command command_checkpoint = {
  .name = "checkpoint",
  .summary = "not there yet: write the processes of a container to files",
  .refusal = REFUSAL,
};

const struct command command_restore = {
  .name = "restore",
  .summary = "not there yet: make a container from such files",
  .refusal = REFUSAL,
};
