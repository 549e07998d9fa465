/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket to the runtime (wire.h has the table of messages).  */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "init/init.h"

union control_buffer
{
  struct cmsghdr header;
  char space[CMSG_SPACE (sizeof (int))];
};

int
message_send (struct init *init, int socket, enum plan_phase phase, int value, int fd)
{
  struct plan_message message = { .phase = phase, .value = value };
  struct iovec iov = { .iov_base = &message, .iov_len = sizeof message };
  union control_buffer control = { 0 };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t n;

  if (fd >= 0)
    {
      struct cmsghdr *cmsg;

      msg.msg_control = &control;
      msg.msg_controllen = sizeof control.space;
      cmsg = CMSG_FIRSTHDR (&msg);
      cmsg->cmsg_level = SOL_SOCKET;
      cmsg->cmsg_type = SCM_RIGHTS;
      cmsg->cmsg_len = CMSG_LEN (sizeof fd);
      memcpy (CMSG_DATA (cmsg), &fd, sizeof fd);
    }
  do
    n = sendmsg (socket, &msg, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t) sizeof message ? 0 : fail_errno (init, "sendmsg", "the runtime");
}

int
message_expect (struct init *init, int socket, enum plan_phase phase, int *ret_fd)
{
  struct plan_message message;
  struct iovec iov = { .iov_base = &message, .iov_len = sizeof message };
  union control_buffer control;
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  struct cmsghdr *cmsg;
  ssize_t n;

  if (ret_fd)
    {
      msg.msg_control = &control;
      msg.msg_controllen = sizeof control.space;
    }
  do
    n = recvmsg (socket, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return fail_errno (init, "recvmsg", "the runtime");
  if (n == 0)
    return fail (init, PLAN_FAILURE_SYSTEM, EPIPE, "recvmsg", "the runtime");
  if (n != sizeof message || message.phase != phase)
    return fail (init, PLAN_FAILURE_PROTOCOL, EPROTO, "recvmsg", "the runtime");
  if (!ret_fd)
    return 0;
  cmsg = CMSG_FIRSTHDR (&msg);
  if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN (sizeof *ret_fd))
    return fail (init, PLAN_FAILURE_PROTOCOL, EPROTO, "recvmsg", "a descriptor of the runtime");
  memcpy (ret_fd, CMSG_DATA (cmsg), sizeof *ret_fd);
  return 0;
}

int
op_sync (struct init *init, const struct plan_op *op)
{
  int *fd = op->sync.phase == PLAN_PHASE_FILTER ? &init->filter : NULL;

  if (op->sync.announce && message_send (init, init->control, op->sync.phase, 0, -1) < 0)
    return -1;
  return op->sync.wait ? message_expect (init, init->control, op->sync.phase, fd) : 0;
}
