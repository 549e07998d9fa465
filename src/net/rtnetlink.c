/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"

enum
{
  REQUEST_MAX = 4096,
  ANSWER_MAX = 32768, /* the kernel makes no larger datagrams for a dump, and what it says of one device is less */
  DUMPS_MAX = 8,      /* tries to read a list that others are changing */
};

/* A request in the making.  */
struct request
{
  union
  {
    struct nlmsghdr header;
    char bytes[REQUEST_MAX];
  };
};

/* A part of an answer.  */
union answer
{
  struct nlmsghdr header;
  char bytes[ANSWER_MAX];
};

/* ---- opening ---- */

static int
open_here (void)
{
  const struct sockaddr_nl address = { .nl_family = AF_NETLINK };
  const int on = 1;
  FD_CLEANUP int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0 || bind (fd, (const struct sockaddr *) &address, sizeof address) < 0)
    return -errno;
  /* Reasons for errors (4.12), dumps of what was asked for and no more (4.20): it works without, too.  */
  setsockopt (fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt (fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return fd_take (&fd);
}

struct visit
{
  int netns;
  int result;
};

static void *
visitor (void *argument)
{
  struct visit *v = argument;
  v->result = setns (v->netns, CLONE_NEWNET) < 0 ? -errno : open_here ();
  return NULL;
}

int
rtnetlink_open (int netns, struct rtnetlink *ret)
{
  struct visit v = { .netns = netns };
  pthread_t thread;
  if (netns < 0)
    v.result = open_here ();
  else
    {
      int r = pthread_create (&thread, NULL, visitor, &v);
      if (r != 0)
        return -r;
      pthread_join (thread, NULL);
    }
  if (v.result < 0)
    return v.result;
  *ret = (struct rtnetlink){ .fd = v.result };
  return 0;
}

void
rtnetlink_close (struct rtnetlink *nl)
{
  nl->fd = fd_close (nl->fd);
}

/* ---- requests and answers ---- */

/* Begins a request with a fixed part of SIZE bytes.  */
static void *
begin (struct request *request, uint16_t type, uint16_t flags, size_t size)
{
  memset (request, 0, sizeof *request);
  request->header = (struct nlmsghdr){
    .nlmsg_len = NLMSG_LENGTH (size),
    .nlmsg_type = type,
    .nlmsg_flags = NLM_F_REQUEST | flags,
  };
  return NLMSG_DATA (&request->header);
}

/* Adds an attribute.  All that is added is small and fits, but for addresses, of which the caller knows the size.  */
static void
add (struct request *request, uint16_t type, const void *data, size_t size)
{
  struct rtattr *attribute = (void *) (request->bytes + NLMSG_ALIGN (request->header.nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = (uint16_t) RTA_LENGTH (size);
  memcpy (RTA_DATA (attribute), data, size);
  request->header.nlmsg_len = NLMSG_ALIGN (request->header.nlmsg_len) + RTA_ALIGN (attribute->rta_len);
}

static void
add_number (struct request *request, uint16_t type, int number)
{
  add (request, type, &number, sizeof number);
}

static void
add_string (struct request *request, uint16_t type, const char *text)
{
  add (request, type, text, strlen (text) + 1);
}

static int
send_request (struct rtnetlink *nl, struct request *request)
{
  const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  ssize_t n;
  nl->reason[0] = '\0';
  request->header.nlmsg_seq = ++nl->sequence;
  do
    n = sendto (nl->fd, request, request->header.nlmsg_len, 0, (const struct sockaddr *) &kernel, sizeof kernel);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : 0;
}

/* One datagram of the answer: its size, or -errno.  */
static ssize_t
receive (struct rtnetlink *nl, union answer *answer)
{
  ssize_t n;
  do
    n = recv (nl->fd, answer, sizeof *answer, MSG_TRUNC);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : (size_t) n > sizeof *answer ? -EMSGSIZE : n;
}

/* The attribute TYPE among those in SIZE bytes from FIRST on, or NULL.  */
static const struct rtattr *
find_attribute (const void *first, size_t size, uint16_t type)
{
  const struct rtattr *attribute = first;
  for (; RTA_OK (attribute, size); attribute = RTA_NEXT (attribute, size))
    if ((attribute->rta_type & NLA_TYPE_MASK) == type)
      return attribute;
  return NULL;
}

/* The result that an NLMSG_ERROR carries (0 is the acknowledgment); keeps the kernel's words.  */
static int
result_of (struct rtnetlink *nl, const struct nlmsghdr *message)
{
  const struct nlmsgerr *error = NLMSG_DATA (message);
  if (message->nlmsg_len < NLMSG_LENGTH (sizeof *error))
    return -EPROTO;
  if (error->error == 0 || !(message->nlmsg_flags & NLM_F_ACK_TLVS))
    return error->error;
  /* The request comes back before the attributes, its payload only where NLM_F_CAPPED is not set.  */
  size_t echo = message->nlmsg_flags & NLM_F_CAPPED ? sizeof error->msg : NLMSG_ALIGN (error->msg.nlmsg_len);
  size_t before = NLMSG_LENGTH (offsetof (struct nlmsgerr, msg) + echo);
  if (before >= message->nlmsg_len)
    return error->error;
  const struct rtattr *text
      = find_attribute ((const char *) message + before, message->nlmsg_len - before, NLMSGERR_ATTR_MSG);
  if (text != NULL)
    snprintf (nl->reason, sizeof nl->reason, "%.*s", (int) RTA_PAYLOAD (text), (const char *) RTA_DATA (text));
  return error->error;
}

typedef int take_function (void *context, const struct nlmsghdr *message);

/* The result that ends a dump (an int), or that of the taking.  */
static int
dump_result (const struct nlmsghdr *message, int taken, bool interrupted)
{
  int result = 0;
  if (message->nlmsg_len >= NLMSG_LENGTH (sizeof result))
    memcpy (&result, NLMSG_DATA (message), sizeof result);
  return result < 0 ? result : taken < 0 ? taken : interrupted ? -EAGAIN : 0;
}

/* Hands every message of type WANTED in the answer to TAKE, until the answer's end: an acknowledgment, an error, the
 * end of a dump.  -EAGAIN for a dump of what was changed meanwhile.  */
static int
read_answer (struct rtnetlink *nl, uint16_t wanted, take_function *take, void *context)
{
  union answer answer;
  bool interrupted = false;
  int result = 0;
  for (;;)
    {
      ssize_t got = receive (nl, &answer);
      if (got < 0)
        return (int) got;
      size_t left = (size_t) got;
      for (const struct nlmsghdr *m = &answer.header; NLMSG_OK (m, left); m = NLMSG_NEXT (m, left))
        {
          if (m->nlmsg_seq != nl->sequence) /* of a request whose answer was not read to its end */
            continue;
          interrupted = interrupted || (m->nlmsg_flags & NLM_F_DUMP_INTR);
          if (m->nlmsg_type == NLMSG_ERROR)
            return result < 0 ? result : result_of (nl, m);
          if (m->nlmsg_type == NLMSG_DONE)
            return dump_result (m, result, interrupted);
          if (m->nlmsg_type == wanted && result == 0)
            result = take (context, m);
        }
    }
}

static int
call (struct rtnetlink *nl, struct request *request, uint16_t wanted, take_function *take, void *context)
{
  int r = send_request (nl, request);
  return r < 0 ? r : read_answer (nl, wanted, take, context);
}

/* ---- devices ---- */

static int
take_device (void *context, const struct nlmsghdr *message)
{
  struct rtnetlink_device *device = context;
  const struct ifinfomsg *info = NLMSG_DATA (message);
  if (message->nlmsg_len < NLMSG_LENGTH (sizeof *info))
    return -EPROTO;
  size_t size = IFLA_PAYLOAD (message);
  const struct rtattr *name = find_attribute (IFLA_RTA (info), size, IFLA_IFNAME);
  const struct rtattr *master = find_attribute (IFLA_RTA (info), size, IFLA_MASTER);
  *device = (struct rtnetlink_device){ .index = info->ifi_index, .flags = info->ifi_flags };
  if (name != NULL)
    snprintf (device->name, sizeof device->name, "%.*s", (int) RTA_PAYLOAD (name), (const char *) RTA_DATA (name));
  if (master != NULL && RTA_PAYLOAD (master) >= sizeof device->master)
    memcpy (&device->master, RTA_DATA (master), sizeof device->master);
  return 0;
}

int
rtnetlink_find (struct rtnetlink *nl, const char *name, int index, struct rtnetlink_device *ret)
{
  struct request request;
  struct ifinfomsg *info = begin (&request, RTM_GETLINK, NLM_F_ACK, sizeof *info);
  info->ifi_index = index;
  if (name != NULL)
    add_string (&request, IFLA_IFNAME, name);
  return call (nl, &request, RTM_NEWLINK, take_device, ret);
}

static int
take_nothing (void *context, const struct nlmsghdr *message)
{
  (void) context;
  (void) message;
  return 0;
}

int
rtnetlink_change (struct rtnetlink *nl, const struct rtnetlink_change *change)
{
  struct request request;
  struct ifinfomsg *info = begin (&request, RTM_NEWLINK, NLM_F_ACK, sizeof *info);
  info->ifi_index = change->index;
  info->ifi_flags = info->ifi_change = change->set;
  if (change->netns >= 0)
    add_number (&request, IFLA_NET_NS_FD, change->netns);
  if (change->new_index != 0)
    add_number (&request, IFLA_NEW_IFINDEX, change->new_index);
  if (change->name != NULL)
    add_string (&request, IFLA_IFNAME, change->name);
  if (change->master != 0)
    add_number (&request, IFLA_MASTER, change->master);
  return call (nl, &request, NLMSG_NOOP, take_nothing, NULL);
}

/* ---- addresses ---- */

struct addresses
{
  struct arena *arena;
  int index;
  struct rtnetlink_address *items;
  size_t count, capacity;
};

/* The flags that do not fit into the header's 8 bits are in an attribute.  */
static uint32_t
address_flags (const struct nlmsghdr *message)
{
  const struct ifaddrmsg *info = NLMSG_DATA (message);
  const struct rtattr *attribute = find_attribute (IFA_RTA (info), IFA_PAYLOAD (message), IFA_FLAGS);
  uint32_t flags = info->ifa_flags;
  if (attribute != NULL && RTA_PAYLOAD (attribute) >= sizeof flags)
    memcpy (&flags, RTA_DATA (attribute), sizeof flags);
  return flags;
}

static int
take_address (void *context, const struct nlmsghdr *message)
{
  struct addresses *all = context;
  const struct ifaddrmsg *info = NLMSG_DATA (message);
  if (message->nlmsg_len < NLMSG_LENGTH (sizeof *info))
    return -EPROTO;
  if (info->ifa_index != (unsigned) all->index || info->ifa_scope != RT_SCOPE_UNIVERSE
      || !(address_flags (message) & IFA_F_PERMANENT))
    return 0;
  if (all->count == all->capacity)
    {
      struct rtnetlink_address *old = all->items;
      all->capacity = all->capacity == 0 ? 8 : 2 * all->capacity;
      all->items = arena_array (all->arena, struct rtnetlink_address, all->capacity);
      if (all->count > 0)
        memcpy (all->items, old, all->count * sizeof *old);
    }
  struct rtnetlink_address *item = &all->items[all->count++];
  item->size = NLMSG_PAYLOAD (message, 0);
  item->message = arena_alloc (all->arena, item->size);
  memcpy (item->message, info, item->size);
  return 0;
}

int
rtnetlink_addresses (struct arena *arena, struct rtnetlink *nl, int index, struct rtnetlink_address **ret,
                     size_t *ret_count)
{
  struct addresses all = { .arena = arena, .index = index };
  struct request request;
  int r = -EAGAIN;
  for (int i = 0; i < DUMPS_MAX && r == -EAGAIN; i++)
    {
      struct ifaddrmsg *info = begin (&request, RTM_GETADDR, NLM_F_DUMP, sizeof *info);
      info->ifa_index = (unsigned) index;
      all.count = 0;
      r = call (nl, &request, RTM_NEWADDR, take_address, &all);
    }
  if (r < 0)
    return r;
  *ret = all.items;
  *ret_count = all.count;
  return 0;
}

/* Adds LABEL, of a device that was called OLD_NAME and is called NAME now: "eth0:web", the rest of which stays, or the
 * plain name, which the kernel gives by itself.  */
static void
add_label (struct request *request, const char *label, const char *old_name, const char *name)
{
  char renamed[2 * IF_NAMESIZE];
  size_t length = strlen (old_name);
  if (strncmp (label, old_name, length) != 0 || (label[length] != ':' && label[length] != '\0'))
    {
      add_string (request, IFA_LABEL, label);
      return;
    }
  if (label[length] == '\0')
    return;
  snprintf (renamed, sizeof renamed, "%s%s", name, label + length);
  renamed[IF_NAMESIZE - 1] = '\0'; /* a label is no longer than a name */
  add_string (request, IFA_LABEL, renamed);
}

int
rtnetlink_family (const struct rtnetlink_address *address)
{
  const struct ifaddrmsg *info = address->message;
  return info->ifa_family;
}

int
rtnetlink_add_address (struct rtnetlink *nl, const struct rtnetlink_address *address, const char *old_name, int index,
                       const char *name)
{
  const struct ifaddrmsg *old = address->message;
  size_t left = address->size - NLMSG_ALIGN (sizeof *old);
  struct request request;
  if (NLMSG_LENGTH (address->size) + 2 * IF_NAMESIZE > sizeof request)
    return -EMSGSIZE;
  struct ifaddrmsg *info = begin (&request, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof *info);
  *info = *old;
  info->ifa_index = (unsigned) index;
  for (const struct rtattr *a = IFA_RTA (old); RTA_OK (a, left); a = RTA_NEXT (a, left))
    if (a->rta_type == IFA_LABEL)
      add_label (&request, RTA_DATA (a), old_name, name);
    else
      add (&request, a->rta_type, RTA_DATA (a), RTA_PAYLOAD (a));
  return call (nl, &request, NLMSG_NOOP, take_nothing, NULL);
}
