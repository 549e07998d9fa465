/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of rtnetlink(7) as moving network devices takes.  The kernel carries a request out before send(2) returns, so
 * there is nothing to wait for but the reading of its answer.
 *
 * Functions return 0 or -errno; what the kernel says beyond that (NETLINK_EXT_ACK) is left in `reason`.  */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct rtnetlink
{
  int fd;
  uint32_t sequence;
  char reason[256]; /* of the last failure, in the kernel's words; empty: it gave none */
};

#define RTNETLINK_INIT                                                                                                 \
  {                                                                                                                    \
    .fd = -1                                                                                                           \
  }

/* Opens a socket in the caller's network namespace, or in the one that NETNS is a descriptor of.  That one is entered
 * by a thread of its own, so that the caller never is anywhere else (setns(2)).  */
int rtnetlink_open (int netns, struct rtnetlink *ret);
void rtnetlink_close (struct rtnetlink *nl);

struct rtnetlink_device
{
  int index;
  int master;     /* index of the bridge or bond that it belongs to; 0: none */
  unsigned flags; /* IFF_* */
  char name[IF_NAMESIZE];
};

/* The device with the name NAME or, if that is NULL, the index INDEX.  -ENODEV if there is none.  */
int rtnetlink_find (struct rtnetlink *nl, const char *name, int index, struct rtnetlink_device *ret);

/* What to change of the device INDEX; members that are 0 (NETNS: -1) change nothing.  */
struct rtnetlink_change
{
  int index;
  int netns;        /* descriptor of the network namespace that it moves to */
  int new_index;    /* in the namespace that it moves to; Linux 5.13, before that without effect */
  const char *name; /* the new one, or with %d in it a pattern */
  int master;       /* as in struct rtnetlink_device, in the namespace that it moves to */
  unsigned set;     /* IFF_* */
};

int rtnetlink_change (struct rtnetlink *nl, const struct rtnetlink_change *change);

/* An address as the kernel shows it and takes it again: the payload of RTM_NEWADDR.  */
struct rtnetlink_address
{
  void *message; /* struct ifaddrmsg and its attributes */
  size_t size;
};

/* The permanent addresses of global scope that device INDEX has, of any family, in ARENA.  */
int rtnetlink_addresses (struct arena *arena, struct rtnetlink *nl, int index, struct rtnetlink_address **ret,
                         size_t *ret_count);

/* AF_* of ADDRESS.  */
int rtnetlink_family (const struct rtnetlink_address *address);

/* Gives ADDRESS, which a device called OLD_NAME had, to device INDEX, called NAME.  A label that begins with the
 * device's name (address labels are names of aliases: "eth0:web") follows the new one.  */
int rtnetlink_add_address (struct rtnetlink *nl, const struct rtnetlink_address *address, const char *old_name,
                           int index, const char *name);
