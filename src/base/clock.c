/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The present time, and times as text.  */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>

int64_t
clock_ms (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
clock_left (int64_t deadline)
{
  int64_t left = deadline - clock_ms ();
  return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}

const char *
clock_text (char out[CLOCK_TEXT_SIZE], const struct timespec *at)
{
  enum
  {
    DAY = 24 * 60 * 60,
    DAYS_OF_400_YEARS = 146097,
    DAYS_TO_1970 = 719468
  };
  long long days = at->tv_sec / DAY, second = at->tv_sec % DAY;
  if (second < 0)
    {
      second += DAY;
      days--;
    }

  /* The Gregorian calendar repeats after 400 years.  Counting years from the first of March puts the leap day last, and
   * the months from March on then begin on day (153 * m + 2) / 5.  */
  days += DAYS_TO_1970; /* from 0000-03-01 */
  long long era = (days >= 0 ? days : days - DAYS_OF_400_YEARS + 1) / DAYS_OF_400_YEARS;
  unsigned of_era = (unsigned) (days - era * DAYS_OF_400_YEARS);
  unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned from_march = (5 * of_year + 2) / 153;
  unsigned day = of_year - (153 * from_march + 2) / 5 + 1;
  unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
  long long year = year_of_era + era * 400 + (month <= 2);

  snprintf (out, CLOCK_TEXT_SIZE, "%04lld-%02u-%02uT%02u:%02u:%02u.%09uZ", year, month, day, (unsigned) second / 3600,
            (unsigned) second / 60 % 60, (unsigned) second % 60, (unsigned) at->tv_nsec);
  return out;
}

const char *
clock_now_text (char out[CLOCK_TEXT_SIZE])
{
  struct timespec now;
  clock_gettime (CLOCK_REALTIME, &now);
  return clock_text (out, &now);
}
