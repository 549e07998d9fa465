/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of the translation: a row of the table, and what the functions that emit writes are given.  */
#pragma once

#include "cgroup/resources.h"

struct emission;

/* How the member is stored, which says whether it was set.  */
enum resource_kind
{
  RESOURCE_INT,    /* struct spec_int */
  RESOURCE_UINT,   /* struct spec_uint */
  RESOURCE_BOOL,   /* struct spec_bool */
  RESOURCE_TEXT,   /* const char * */
  RESOURCE_LIST,   /* SPEC_LIST */
  RESOURCE_ALWAYS, /* has an effect even when it is absent */
};

/* What becomes of a member on one kind of hierarchy.  */
struct resource_side
{
  int (*emit) (struct emission *emission, const void *member); /* NULL: nothing to do, it is part of another row */
  const char *file;  /* what EMIT writes to; "SIZE" in it stands for an element's name; NULL: it refuses the member */
  const char *extra; /* what EMIT needs besides: another file, a key */
  const char *note;  /* of a file: what is converted how, for people; of a refusal: the way out */
  bool again;        /* see struct cgroup_write */
};

struct resource_row
{
  const char *name; /* below linux.resources: "memory.limit" */
  enum cgroup_controller controller;
  enum resource_kind kind;
  bool zero_is_unset; /* callers that know no absent numbers (Docker's update) send 0 */
  int group;          /* offset of the group's pointer in struct spec_resources; -1: the member stands there itself */
  size_t member;      /* offset of the member in its group */
  struct resource_side v1, v2;
};

/* The state of a translation; what emit functions use.  */
struct emission
{
  struct arena *arena;
  struct cgroup_places *places;
  const struct spec *spec;
  const struct spec_resources *resources;
  const struct cgroup_present *present; /* of an update; NULL: the cgroup is new */
  const struct resource_row *row;
  const struct resource_side *side;
  int hierarchy;
  struct cgroup_writes *writes;
  struct error *err;
};

/* Adds a write of VALUE to FILE with the row's hierarchy; the result may be amended until the next is added.  WHERE
 * points to what of the spec asked for it; a `const void *` means the row's member.  */
struct cgroup_write *emit_write_of (struct emission *emission, const char *file, const char *value, const void *where,
                                    size_t where_size);
#define emit_write(emission, file, value, where) emit_write_of ((emission), (file), (value), (where), sizeof *(where))

/* Complains about WHERE: "linux.resources.pids.limit (config.json:4:5): FORMAT".  Returns -CODE.  */
int emit_error_of (struct emission *emission, int code, const void *where, size_t where_size, const char *format, ...)
    __attribute__ ((format (printf, 5, 6)));
#define emit_error(emission, code, where, ...) emit_error_of ((emission), (code), (where), sizeof *(where), __VA_ARGS__)

/* Notes that CONTROLLER has to be enabled on v2; false if the v2 hierarchy does not offer it.  */
bool emit_enable (struct emission *emission, const char *controller);

/* The device rules on v1 (devices_v1.c).  */
int emit_devices_v1 (struct emission *emission, const void *member);

/* Block IO, huge pages, network, rdma, unified (resources_lists.c).  */
int emit_blkio_weight (struct emission *emission, const void *member);
int emit_io_weight (struct emission *emission, const void *member);
int emit_blkio_weight_devices (struct emission *emission, const void *member);
int emit_io_weight_devices (struct emission *emission, const void *member);
int emit_blkio_throttle (struct emission *emission, const void *member);
int emit_blkio_throttle_iops (struct emission *emission, const void *member);
int emit_io_max (struct emission *emission, const void *member);
int emit_hugetlb (struct emission *emission, const void *member);
int emit_priorities (struct emission *emission, const void *member);
int emit_rdma (struct emission *emission, const void *member);
int emit_unified (struct emission *emission, const void *member);
