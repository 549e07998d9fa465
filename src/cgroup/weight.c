/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpu.shares of v1 as cpu.weight of v2.  */
#include "cgroup/resources.h"

/* The binary logarithm of N > 0, without libm: squaring a number between 1 and 2 yields its logarithm bit by bit.  */
static double
binary_log (uint64_t n)
{
  enum
  {
    BITS = 48
  };
  int whole = 63 - __builtin_clzll (n);
  double rest = (double) n / (double) (UINT64_C (1) << whole), log = whole, bit = 1;
  for (int i = 0; i < BITS; i++)
    {
      rest *= rest;
      bit /= 2;
      if (rest >= 2)
        {
          rest /= 2;
          log += bit;
        }
    }
  return log;
}

/* weight = ceil (10 ^ ((l^2 + 125 l) / 612 - 7 / 34)) with l = log2 (shares), as runc since 1.3.2 and crun since 1.23
 * have it: a quadratic through the two ends of both ranges and their defaults, 1024 and 100.  The older linear formula
 * made 39 of the default, which starved containers beside other cgroups.  Searched for instead of computed: the weight
 * is the least whose logarithm reaches the exponent.  */
uint64_t
cgroup_shares_to_weight (uint64_t shares)
{
  enum
  {
    SHARES_MIN = 2,
    SHARES_MAX = 262144,
    WEIGHT_MIN = 1,
    WEIGHT_MAX = 10000
  };
  const double log2_of_10 = 3.321928094887362, rounding = 1e-12;
  if (shares <= SHARES_MIN)
    return WEIGHT_MIN;
  if (shares >= SHARES_MAX)
    return WEIGHT_MAX;

  double l = binary_log (shares);
  double exponent = ((l * l + 125 * l) / 612 - 7.0 / 34) * log2_of_10 - rounding;
  uint64_t low = WEIGHT_MIN, high = WEIGHT_MAX;
  while (low < high)
    {
      uint64_t middle = (low + high) / 2;
      if (binary_log (middle) >= exponent)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}
