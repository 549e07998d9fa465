/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The moment at which init comes to be: its executable and the clone.  */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct plan_header;
struct plan_report;

struct birth
{
  uint64_t flags;             /* in: CLONE_NEW* */
  int cgroup;                 /* in: a v2 cgroup's directory, or -1 */
  int control;                /* in: the runtime's end of the socket to init */
  struct plan_report *report; /* in: where the child says why it did not become init */
  pid_t pid;                  /* out */
  int pidfd;                  /* out, owned by the caller */
  bool in_cgroup;             /* out: it was born there */
};

/* Executes init with the plan HEADER, whose descriptors are filled in, in a child of ours.  SCRATCH: see launch_start.
 */
int birth_give (struct birth *birth, const struct plan_header *header, int scratch, struct error *err);
