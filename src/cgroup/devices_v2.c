/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules on v2: a program that the kernel runs for each open and mknod of a device (bpf(2),
 * BPF_PROG_TYPE_CGROUP_DEVICE).
 *
 * The program walks the rules from the last to the first with the accesses that no rule has decided yet in r3.  A rule
 * that matches the device and denies one of them ends it; one that allows takes its accesses out of r3, and when none
 * is left the answer is yes.  Each rule is at most five instructions:
 *
 *         if r2 != TYPE goto next          left out where a rule is for all
 *         if r4 != MAJOR goto next
 *         if r5 != MINOR goto next
 *         r3 &= ~ACCESS                    or: if r3 & ACCESS goto deny
 *         if r3 == 0 goto allow
 *     next:
 *
 * Attached with BPF_F_ALLOW_MULTI: programs of the ancestors keep their say.  */
#include "cgroup/devices.h"
#include "cgroup/internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/syscalls.h"
#include "host/host.h"

#define PROGRAM_NAME "thole_devices" /* tells ours from those of others */
enum
{
  RULE_SIZE = 5,     /* instructions, at most */
  FRAME_SIZE = 11,   /* before and after the rules */
  ATTACHED_MAX = 64, /* the kernel's BPF_CGROUP_MAX_PROGS */
  LOG_SIZE = 8192,
};

/* ---- assembler -------------------------------------------------------------------------------------------------- */

enum registers
{
  R_RESULT,
  R_CONTEXT,
  R_TYPE,
  R_ACCESS,
  R_MAJOR,
  R_MINOR,
};

/* Where jumps go, until place_label knows the distance; all of ours go forward.  */
enum label
{
  TO_NEXT = -1,
  TO_ALLOW = -2,
  TO_DENY = -3,
};

static struct bpf_insn
load_word (unsigned to, unsigned from, size_t offset)
{
  return (struct bpf_insn){
    .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = to & 15, .src_reg = from & 15, .off = (int16_t) offset
  };
}

static struct bpf_insn
compute (unsigned op, unsigned reg, uint32_t value)
{
  return (struct bpf_insn){ .code = (uint8_t) (BPF_ALU | op | BPF_K), .dst_reg = reg & 15, .imm = (int32_t) value };
}

static struct bpf_insn
copy (unsigned to, unsigned from)
{
  return (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to & 15, .src_reg = from & 15 };
}

/* Goes to LABEL if REG OP VALUE holds.  */
static struct bpf_insn
jump_if (unsigned reg, unsigned op, int64_t value, enum label label)
{
  return (struct bpf_insn){
    .code = (uint8_t) (BPF_JMP | op | BPF_K), .dst_reg = reg & 15, .imm = (int32_t) value, .off = (int16_t) label
  };
}

static struct bpf_insn
set (unsigned reg, int32_t value)
{
  return (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg & 15, .imm = value };
}

static struct bpf_insn
leave (void)
{
  return (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
}

/* Turns the jumps from START up to END that go to LABEL into jumps to TARGET.  */
static void
place_label (struct bpf_insn *start, const struct bpf_insn *end, enum label label, const struct bpf_insn *target)
{
  for (struct bpf_insn *at = start; at < end; at++)
    if (at->off == (int16_t) label && BPF_CLASS (at->code) == BPF_JMP)
      at->off = (int16_t) (target - at - 1);
}

/* ---- program ---------------------------------------------------------------------------------------------------- */

static struct bpf_insn *
assemble_rule (struct bpf_insn *at, const struct device_rule *rule)
{
  struct bpf_insn *start = at;
  if (rule->types != DEVICE_BOTH)
    *at++ = jump_if (R_TYPE, BPF_JNE, rule->types, TO_NEXT);
  if (rule->major != DEVICE_ANY)
    *at++ = jump_if (R_MAJOR, BPF_JNE, rule->major, TO_NEXT);
  if (rule->minor != DEVICE_ANY)
    *at++ = jump_if (R_MINOR, BPF_JNE, rule->minor, TO_NEXT);
  if (rule->allow)
    {
      *at++ = compute (BPF_AND, R_ACCESS, DEVICE_ALL & ~rule->access);
      *at++ = jump_if (R_ACCESS, BPF_JEQ, 0, TO_ALLOW);
    }
  else
    *at++ = jump_if (R_ACCESS, BPF_JSET, rule->access, TO_DENY);
  place_label (start, at, TO_NEXT, at);
  return at;
}

static bool
has_denials (const struct device_rules *rules)
{
  for (size_t i = 0; i < rules->count; i++)
    if (!rules->items[i].allow)
      return true;
  return !rules->allow;
}

int
cgroup_device_program (struct arena *arena, const struct device_rules *rules, struct bpf_insn **ret_program,
                       size_t *ret_count, struct error *err)
{
  if (rules->count > (INT16_MAX - FRAME_SIZE) / RULE_SIZE)
    return error_set (err, E2BIG, "linux.resources.devices: %zu rules are too many for a device program", rules->count);

  struct bpf_insn *program = arena_array (arena, struct bpf_insn, rules->count * RULE_SIZE + FRAME_SIZE), *at = program;
  *at++ = load_word (R_TYPE, R_CONTEXT, offsetof (struct bpf_cgroup_dev_ctx, access_type));
  *at++ = load_word (R_MAJOR, R_CONTEXT, offsetof (struct bpf_cgroup_dev_ctx, major));
  *at++ = load_word (R_MINOR, R_CONTEXT, offsetof (struct bpf_cgroup_dev_ctx, minor));
  *at++ = copy (R_ACCESS, R_TYPE);
  *at++ = compute (BPF_RSH, R_ACCESS, 16);
  *at++ = compute (BPF_AND, R_TYPE, 0xffff);
  for (size_t i = rules->count; i-- > 0;)
    at = assemble_rule (at, &rules->items[i]);

  /* What no rule decided falls to the default; an access of no kind (F_OK) leaves nothing to deny.  */
  if (!rules->allow)
    *at++ = jump_if (R_ACCESS, BPF_JNE, 0, TO_DENY);
  place_label (program, at, TO_ALLOW, at);
  *at++ = set (R_RESULT, 1);
  *at++ = leave ();
  /* The verifier refuses what cannot be reached: the way out for denials, where nothing is denied.  */
  if (has_denials (rules))
    {
      place_label (program, at, TO_DENY, at);
      *at++ = set (R_RESULT, 0);
      *at++ = leave ();
    }
  *ret_program = program;
  *ret_count = (size_t) (at - program);
  return 0;
}

/* ---- kernel ----------------------------------------------------------------------------------------------------- */

/* Loads the program; LOG, of LOG_SIZE, gets the verifier's words if it is not NULL.  The descriptor or -errno.  */
static int
load (const struct bpf_insn *program, size_t count, char *log)
{
  static const char license[] = "LGPL-2.1-or-later";
  union bpf_attr attr = {
    .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
    .insns = (uintptr_t) program,
    .insn_cnt = (uint32_t) count,
    .license = (uintptr_t) license,
    .prog_name = PROGRAM_NAME,
    .expected_attach_type = BPF_CGROUP_DEVICE,
    .log_buf = (uintptr_t) log,
    .log_size = log != NULL ? LOG_SIZE : 0,
    .log_level = log != NULL ? 1 : 0,
  };
  int fd = sys_bpf (BPF_PROG_LOAD, &attr, sizeof attr);
  return fd < 0 ? -errno : fd;
}

/* Kernels before 5.11 charge programs to RLIMIT_MEMLOCK and answer EPERM when it does not suffice.  */
static int
load_with_memlock (const struct bpf_insn *program, size_t count)
{
  int fd = load (program, count, NULL);
  struct rlimit saved, unlimited = { RLIM_INFINITY, RLIM_INFINITY };
  if (fd != -EPERM || getrlimit (RLIMIT_MEMLOCK, &saved) < 0 || setrlimit (RLIMIT_MEMLOCK, &unlimited) < 0)
    return fd;
  fd = load (program, count, NULL);
  setrlimit (RLIMIT_MEMLOCK, &saved);
  return fd;
}

static int
load_program (struct arena *arena, const struct bpf_insn *program, size_t count, struct error *err)
{
  int fd = load_with_memlock (program, count);
  if (fd >= 0)
    return fd;
  if (log_enabled (LOG_LEVEL_DEBUG))
    {
      char *log = arena_alloc (arena, LOG_SIZE);
      fd_close (load (program, count, log));
      log_debug ("device program: %s", log);
    }
  int r = error_sys (err, fd, "load the device program");
  if (fd == -EPERM)
    error_hint (err, "CAP_BPF or CAP_SYS_ADMIN in the initial user namespace is needed");
  return r;
}

static bool
is_ours (int program)
{
  struct bpf_prog_info info = { 0 };
  union bpf_attr attr
      = { .info = { .bpf_fd = (uint32_t) program, .info_len = sizeof info, .info = (uintptr_t) &info } };
  return sys_bpf (BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) == 0 && strcmp (info.name, PROGRAM_NAME) == 0;
}

/* The program that is attached to the cgroup already: ours beside those of others (a service manager's), or one that is
 * alone.  *RET_FD is -1 if there is none.  */
static int
find_attached (int dir, int *ret_fd)
{
  uint32_t ids[ATTACHED_MAX] = { 0 };
  union bpf_attr query = {
    .query = { .target_fd = (uint32_t) dir,
               .attach_type = BPF_CGROUP_DEVICE,
               .prog_ids = (uintptr_t) ids,
               .prog_cnt = ATTACHED_MAX },
  };
  *ret_fd = -1;
  if (sys_bpf (BPF_PROG_QUERY, &query, sizeof query) < 0)
    return -errno;
  for (uint32_t i = 0; i < query.query.prog_cnt; i++)
    {
      union bpf_attr attr = { .prog_id = ids[i] };
      FD_CLEANUP int fd = sys_bpf (BPF_PROG_GET_FD_BY_ID, &attr, sizeof attr);
      if (fd < 0)
        return -errno;
      if (query.query.prog_cnt == 1 || is_ours (fd))
        {
          *ret_fd = fd_take (&fd);
          return 0;
        }
    }
  return 0;
}

/* Attaches PROGRAM to the directory DIR, in the place of OLD unless that is -1.  */
static int
attach_once (int dir, int program, int old)
{
  union bpf_attr attr = {
    .target_fd = (uint32_t) dir,
    .attach_bpf_fd = (uint32_t) program,
    .attach_type = BPF_CGROUP_DEVICE,
    .attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0U),
    .replace_bpf_fd = old >= 0 ? (uint32_t) old : 0,
  };
  return sys_bpf (BPF_PROG_ATTACH, &attr, sizeof attr) < 0 ? -errno : 0;
}

/* The same on kernels without BPF_F_REPLACE (before 5.6), too: there both hold for a moment, and never neither.  */
static int
attach (int dir, int program, int old)
{
  int r = attach_once (dir, program, old);
  if (r != -EINVAL || old < 0)
    return r;
  r = attach_once (dir, program, -1);
  union bpf_attr attr = {
    .target_fd = (uint32_t) dir,
    .attach_bpf_fd = (uint32_t) old,
    .attach_type = BPF_CGROUP_DEVICE,
  };
  return r < 0 || sys_bpf (BPF_PROG_DETACH, &attr, sizeof attr) == 0 ? r : -errno;
}

/* Nobody but the host's root may load a program.  In a user namespace no device can be made, and those of the host are
 * opened there with the caller's own rights: no rule could take anything away from him.  */
static int
without_rules (const char *path, struct error *err)
{
  error_clear (err);
  log_debug ("no device rules for %s: the caller may not load their program", path);
  return 0;
}

int
cgroup_attach_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                       struct error *err)
{
  struct device_rules rules;
  int r = cgroup_device_rules (cgroup->arena, spec, resources, &rules, err);
  if (r < 0)
    return r;
  struct cgroup_dir *dir = &cgroup->dirs[cgroup->places.v2];
  bool is_new = dir->made > 0 && !cgroup->has_rules;
  if (is_new && rules.allow && rules.count == 0)
    return 0; /* nothing to deny and nothing to replace */

  struct bpf_insn *program;
  size_t count;
  r = cgroup_device_program (cgroup->arena, &rules, &program, &count, err);
  if (r < 0)
    return r;
  FD_CLEANUP int new = load_program (cgroup->arena, program, count, err);
  if (new == -EPERM && host_is_rootless ())
    return without_rules (dir->path, err);
  if (new < 0)
    return new;

  int target = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  if (target < 0)
    return error_sys (err, target, "open %s", dir->path);
  FD_CLEANUP int old = -1;
  r = is_new ? 0 : find_attached (target, &old);
  if (r == 0)
    r = attach (target, new, old);
  if (r < 0)
    return error_sys (err, r, "attach the device program to %s", dir->path);
  return 0;
}
