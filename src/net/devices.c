/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving a device is one request, in which the kernel
 *
 *   1. takes it down and out of its namespace, and with that drops its addresses and its master;
 *   2. puts it into the other one, with the index it had where that is free;
 *   3. renames it, if another name is wanted.
 *
 * The third step can fail after the second: so the name is looked for beforehand, and whoever takes a device back finds
 * out first where it is.  A name with %d is filled in by the kernel, so what came out of it is found by the index; and
 * the index in turn by a name that nobody has, under which the device arrives.  */
#include "net/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/rtnetlink.h"
#include "spec/spec.h"

struct device
{
  const struct spec_net_device *wanted;
  const char *name; /* in the container, perhaps with %d */
  struct rtnetlink_device before;
  struct rtnetlink_address *addresses;
  size_t address_count;
  int index; /* in the container; 0: it is on the host */
};

struct net_devices
{
  struct arena *arena;
  const struct spec *spec;
  int host_netns;
  struct rtnetlink host, inside;
  struct device *items;
  size_t count;
};

/* "linux.netDevices.eth0 (config.json:7:5)".  Only for messages: it takes a second decoding.  */
static const char *
where (const struct net_devices *devices, const struct device *d)
{
  return spec_where (devices->arena, devices->spec, d->wanted);
}

/* "WHERE: WHAT: Invalid argument (what the kernel says beyond that)".  */
static int
failed (const struct net_devices *devices, const struct device *d, const struct rtnetlink *nl, int result,
        const char *what, struct error *err)
{
  if (nl->reason[0] == '\0')
    return error_sys (err, result, "%s: %s", where (devices, d), what);
  return error_set (err, result, "%s: %s: %s (%s)", where (devices, d), what, strerror (-result), nl->reason);
}

static bool
is_template (const char *name)
{
  return strchr (name, '%') != NULL;
}

/* ---- looking ---- */

/* The namespace must be another one, or names and addresses of the host's own devices would change.  */
static int
check_namespace (const struct net_devices *devices, int netns, struct error *err)
{
  struct stat ours, theirs;
  if (fstat (devices->host_netns, &ours) < 0 || fstat (netns, &theirs) < 0)
    return error_sys (err, errno, "look at the network namespaces");
  if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
    return 0;
  return error_set (err, EINVAL, "%s: the container's network namespace is the runtime's own",
                    spec_where (devices->arena, devices->spec, &devices->spec->linux_->net_devices));
}

static int
look (struct net_devices *devices, struct device *d, struct error *err)
{
  struct rtnetlink_device other;
  int r = rtnetlink_find (&devices->host, d->wanted->key, 0, &d->before);
  if (r == -ENODEV)
    return error_set (err, ENODEV, "%s: there is no network device %s on the host", where (devices, d), d->wanted->key);
  if (r < 0)
    return failed (devices, d, &devices->host, r, "look at the device", err);
  if (d->before.flags & IFF_LOOPBACK)
    return error_set (err, EINVAL, "%s: the loopback device cannot be moved, each network namespace has its own",
                      where (devices, d));
  d->name = d->wanted->name != NULL && *d->wanted->name != '\0' ? d->wanted->name : d->before.name;
  r = is_template (d->name) ? -ENODEV : rtnetlink_find (&devices->inside, d->name, 0, &other);
  if (r == 0)
    {
      error_set (err, EEXIST, "%s: the container's network namespace has a device %s already", where (devices, d),
                 d->name);
      error_hint (err, "choose another name, or one that ends in %%d for a number that is free");
      return -EEXIST;
    }
  if (r != -ENODEV)
    return failed (devices, d, &devices->inside, r, "look for its name in the container's network namespace", err);
  r = rtnetlink_addresses (devices->arena, &devices->host, d->before.index, &d->addresses, &d->address_count);
  return r < 0 ? failed (devices, d, &devices->host, r, "read its addresses", err) : 0;
}

/* ---- moving ---- */

/* Finds the device after a failure: it may have moved and kept its name.  Whether it has.  */
static bool
find_again (struct net_devices *devices, struct device *d, const char *name)
{
  struct rtnetlink_device now;
  if (rtnetlink_find (&devices->host, NULL, d->before.index, &now) != -ENODEV)
    return false;
  if (rtnetlink_find (&devices->inside, name, 0, &now) == 0
      || rtnetlink_find (&devices->inside, d->before.name, 0, &now) == 0)
    d->index = now.index;
  return true;
}

/* The device NUMBER from the host to the container, with its name there.  */
static int
move (struct net_devices *devices, size_t number, int netns, struct error *err)
{
  struct device *d = &devices->items[number];
  struct rtnetlink_device now;
  bool template = is_template (d->name);
  const char *name = template ? arena_printf (devices->arena, "th%d-%zu", (int) getpid (), number) : d->name;
  struct rtnetlink_change there = { .index = d->before.index, .netns = netns, .name = name };
  int r = rtnetlink_change (&devices->host, &there);
  if (r < 0)
    {
      const char *what = "move it into the container's network namespace";
      if (strcmp (d->name, d->before.name) != 0)
        what = arena_printf (devices->arena, "%s as %s", what, d->name);
      failed (devices, d, &devices->host, r, what, err);
      if (!find_again (devices, d, name) && r == -EINVAL)
        error_hint (err, "some kinds of devices, bridges among them, belong to the namespace that they were made in");
      return r;
    }
  r = rtnetlink_find (&devices->inside, name, 0, &now);
  if (r < 0)
    return failed (devices, d, &devices->inside, r, "find it in the container's network namespace", err);
  d->index = now.index;
  if (!template)
    return 0;
  struct rtnetlink_change rename = { .index = d->index, .netns = -1, .name = d->name };
  r = rtnetlink_change (&devices->inside, &rename);
  if (r == 0)
    r = rtnetlink_find (&devices->inside, NULL, d->index, &now);
  if (r < 0)
    return failed (devices, d, &devices->inside, r, arena_printf (devices->arena, "rename it to %s", d->name), err);
  d->name = arena_strdup (devices->arena, now.name);
  return 0;
}

/* Gives the device, now INDEX and NAME in the namespace of NL, its addresses in the order in which it had them: that is
 * the order in which programs choose.  The kernel appends to IPv4's list, and puts in front of IPv6's.  */
static int
give_addresses (struct rtnetlink *nl, const struct device *d, int index, const char *name)
{
  int r = 0;
  for (size_t i = 0; i < d->address_count && r == 0; i++)
    if (rtnetlink_family (&d->addresses[i]) != AF_INET6)
      r = rtnetlink_add_address (nl, &d->addresses[i], d->before.name, index, name);
  for (size_t i = d->address_count; i-- > 0 && r == 0;)
    if (rtnetlink_family (&d->addresses[i]) == AF_INET6)
      r = rtnetlink_add_address (nl, &d->addresses[i], d->before.name, index, name);
  return r;
}

/* Addresses before the state, so that it is never seen up without.  */
static int
set_up (struct net_devices *devices, struct device *d, struct error *err)
{
  struct rtnetlink *nl = &devices->inside;
  struct rtnetlink_change up = { .index = d->index, .netns = -1, .set = IFF_UP };
  int r = give_addresses (nl, d, d->index, d->name);
  if (r < 0)
    return failed (devices, d, nl, r, "give it its addresses again", err);
  r = rtnetlink_change (nl, &up);
  return r < 0 ? failed (devices, d, nl, r, "set it up", err) : 0;
}

static int
move_all (struct net_devices *devices, int netns, struct error *err)
{
  int r = check_namespace (devices, netns, err);
  for (size_t i = 0; i < devices->count && r == 0; i++)
    r = look (devices, &devices->items[i], err);
  for (size_t i = 0; i < devices->count && r == 0; i++)
    {
      r = move (devices, i, netns, err);
      if (r == 0)
        r = set_up (devices, &devices->items[i], err);
    }
  return r;
}

static int
open_both (struct net_devices *devices, int netns, struct error *err)
{
  /* The thread's: it need not be where the process began.  */
  devices->host_netns = open ("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (devices->host_netns < 0)
    return error_sys (err, errno, "open the runtime's network namespace");
  int r = rtnetlink_open (-1, &devices->host);
  if (r < 0)
    return error_sys (err, r, "open a netlink socket");
  r = rtnetlink_open (netns, &devices->inside);
  return r < 0 ? error_sys (err, r, "open a netlink socket in the container's network namespace") : 0;
}

int
net_devices_move (struct arena *arena, const struct spec *spec, int netns, struct net_devices **ret, struct error *err)
{
  struct net_devices *devices = arena_new (arena, struct net_devices);
  *devices = (struct net_devices){
    .arena = arena,
    .spec = spec,
    .host_netns = -1,
    .host = RTNETLINK_INIT,
    .inside = RTNETLINK_INIT,
    .items = arena_array (arena, struct device, spec->linux_->net_devices.count),
    .count = spec->linux_->net_devices.count,
  };
  for (size_t i = 0; i < devices->count; i++)
    devices->items[i] = (struct device){ .wanted = &spec->linux_->net_devices.items[i] };
  int r = open_both (devices, netns, err);
  if (r == 0)
    r = move_all (devices, netns, err);
  if (r == 0)
    {
      *ret = devices;
      return 0;
    }
  net_devices_return (devices);
  net_devices_close (devices);
  return r;
}

/* ---- back ---- */

static int
take_back (struct net_devices *devices, struct device *d)
{
  struct rtnetlink_change back = {
    .index = d->index,
    .netns = devices->host_netns,
    .new_index = d->before.index,
    .name = d->before.name,
    .master = d->before.master,
  };
  struct rtnetlink_device now;
  int r = rtnetlink_change (&devices->inside, &back);
  if (r == 0)
    r = rtnetlink_find (&devices->host, d->before.name, 0, &now);
  if (r == 0)
    r = give_addresses (&devices->host, d, now.index, now.name);
  if (r == 0 && (d->before.flags & IFF_UP))
    {
      struct rtnetlink_change up = { .index = now.index, .netns = -1, .set = IFF_UP };
      r = rtnetlink_change (&devices->host, &up);
    }
  return r;
}

void
net_devices_return (struct net_devices *devices)
{
  for (size_t i = devices == NULL ? 0 : devices->count; i-- > 0;)
    {
      struct device *d = &devices->items[i];
      int r = d->index == 0 ? 0 : take_back (devices, d);
      if (r < 0)
        log_warning ("%s: move network device %s back: %s", where (devices, d), d->before.name, strerror (-r));
      d->index = 0;
    }
}

void
net_devices_close (struct net_devices *devices)
{
  if (devices == NULL)
    return;
  devices->host_netns = fd_close (devices->host_netns);
  rtnetlink_close (&devices->host);
  rtnetlink_close (&devices->inside);
}
