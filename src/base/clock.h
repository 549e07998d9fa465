/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The present time, and times as text: in UTC and computed here, because gmtime(3) reads the host's time zone file.  */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_MONOTONIC, for deadlines.  */
int64_t clock_ms (void);
/* What is left until DEADLINE, at least 0: for poll(2).  */
int clock_left (int64_t deadline);

#define CLOCK_TEXT_SIZE 64 /* also for a year of twelve digits */

/* AT, counted from 1970, as RFC 3339 has it, with nine digits of a second: "2026-02-03T04:05:06.000000789Z".
 * Returns OUT.  */
const char *clock_text (char out[CLOCK_TEXT_SIZE], const struct timespec *at);

/* The present time as clock_text.  Returns OUT.  */
const char *clock_now_text (char out[CLOCK_TEXT_SIZE]);
