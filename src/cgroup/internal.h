/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this folder share: the place itself, and reading and writing its files.  */
#pragma once

#include "cgroup/cgroup.h"
#include "cgroup/resources.h"

#include "base/arena.h"
#include "base/error.h"

#include <dirent.h>
#include <limits.h>

/* The container's directory in one hierarchy.  */
struct cgroup_dir
{
  const struct cgroup_hierarchy *hierarchy;
  const char *path; /* absolute */
  int fd;           /* O_PATH; -1 until it is needed */
  int procs;        /* its cgroup.procs (of v2: the leaf's), where that is open for cgroup_join already; -1 */
  unsigned made;    /* how many of the last components of the path were made for this container */
};

struct cgroup_unit;

struct cgroup
{
  struct arena *arena;
  const struct cgroup_host *host;
  const char *path; /* "/a/b", never "/" */
  struct cgroup_dir *dirs;
  size_t count;
  struct cgroup_places places;
  struct cgroup_writes writes;             /* the translation of ... */
  const struct spec_resources *translated; /* ... these resources, once it was made */
  struct cgroup_unit *unit;                /* of systemd; NULL: we make the directories */
  const char *leaf;                        /* v2: where the processes are, below the directory; NULL: there */
  int leaf_fd;                             /* O_PATH; -1 until it is needed */
  bool delegated;                          /* the leaf is the container's */
  bool has_writes;
  bool placed;    /* the directories are the container's: created or loaded */
  bool attempted; /* loaded from a line that was saved before the creation: some of the directories may be there */
  bool cloned;    /* see cgroup_cloned */
  bool has_rules; /* device rules may be set already: the cgroup is not as it was made */
};

/* In the line of the state: the creation was not finished when it was written.  */
#define CGROUP_MADE_UNKNOWN UINT_MAX

/* An index of no directory.  */
#define CGROUP_NOWHERE (-1)

/* The place PATH (any spelling) in every hierarchy of HOST.  */
int cgroup_make (struct arena *arena, const struct cgroup_host *host, const char *path, struct cgroup **ret_cgroup,
                 struct error *err);

/* The directory of index I as a descriptor (O_PATH), opened when it is not yet.  Owned by CGROUP.  -errno.  */
int cgroup_dir_fd (struct cgroup *cgroup, size_t i);

/* The path of the directory of index I that is the root for who is inside: on v2 the leaf, if there is one.  */
const char *cgroup_inside (const struct cgroup *cgroup, size_t i);

/* The v2 directory that init is in, likewise: the leaf, or the container's own.  */
int cgroup_leaf_fd (struct cgroup *cgroup);

/* Makes the leaf, whose parent is there; removes it, if it is empty.  */
int cgroup_make_leaf (struct cgroup *cgroup, struct error *err);
void cgroup_remove_leaf (struct cgroup *cgroup);

/* Hands controllers down to the leaf, and gives the container what is its own of the cgroup.  */
int cgroup_delegate (struct cgroup *cgroup, const struct spec *spec, struct error *err);

/* The index of the v1 hierarchy with CONTROLLER, or CGROUP_NOWHERE.  */
int cgroup_v1_index (const struct cgroup_host *host, const char *controller);

/* The index of the v2 hierarchy, or CGROUP_NOWHERE.  */
int cgroup_v2_index (const struct cgroup_host *host);

/* The hierarchy that is asked which processes there are: the v2 one where there is one, because it tells of changes,
 * else the freezer's, else the first.  CGROUP_NOWHERE if there is none.  */
int cgroup_core_index (const struct cgroup_host *host);

/* Makes CGROUP->writes from RESOURCES unless that is done.  */
int cgroup_prepare (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                    struct error *err);

/* Performs CGROUP->writes.  BEFORE (NULL: nobody asks) gets the writes that put back what was changed, to be performed
 * from the last to the first; also after a failure.  */
int cgroup_perform (struct cgroup *cgroup, const struct spec *spec, struct cgroup_writes *before, struct error *err);

/* Sets the device rules of RESOURCES; BEFORE as above, but for a program, which is there whole or not at all.  */
int cgroup_apply_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                          struct cgroup_writes *before, struct error *err);

/* -EBUSY if RESOURCES asks by checkBeforeUpdate to be refused a limit of memory below what is in use.  */
int cgroup_check_memory (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                         struct error *err);

/* Enables in every ancestor of the v2 directory DIR what ENABLE says ("+memory +pids").  */
int cgroup_enable (const struct cgroup_dir *dir, const char *enable, struct error *err);

/* Adds to BEFORE what puts back what the file of ITEM has now, and what the kernel changes along with it; nothing if
 * that cannot be known.  */
void cgroup_keep (struct cgroup *cgroup, const struct cgroup_write *item, struct cgroup_writes *before);

/* Loads and attaches the device program of RESOURCES to the v2 directory.  */
int cgroup_attach_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                           struct error *err);

/* Removes what was made of the directory: itself, and parents that nobody else uses by now.  -EBUSY when it is in use.
 * Absent ones are no error.  */
int cgroup_remove_made (struct cgroup_dir *dir);

/* Calls FN with the directory FD (may be O_PATH) and each below it, a cgroup before those in it.  What FN answers below
 * 0 ends it, but -ENOENT and -ENODEV: a cgroup may go meanwhile.  0 or -errno; -ENOENT when FD itself is gone.  */
typedef int (*cgroup_visit_fn) (int fd, void *data);
int cgroup_visit (int fd, cgroup_visit_fn fn, void *data);

/* Replaces *FD, a directory's, by that of NAME in it.  0 or -errno; then *FD is what it was.  */
int cgroup_go (int *fd, const char *name);

/* The processes in the directory FD (may be O_PATH) and below it, in ARENA.  0 or -errno; -ENOENT when it is gone.  */
int cgroup_list_pids (struct arena *arena, int fd, pid_t **ret_pids, size_t *ret_count);

/* Whether ENTRY of a cgroup's directory is a cgroup in it.  Their names may begin with a dot.  */
bool cgroup_is_child (const struct dirent *entry);

/* Sends SIG once to the processes in the directory FD and below it, *RET_COUNT in all.  Never to ourselves.  */
int cgroup_signal (int fd, int sig, size_t *ret_count);

/* Whether a cgroup above the v1 freezer's directory DIR, which is open, is frozen or about to.  */
bool cgroup_parent_freezing (const struct cgroup_dir *dir);

/* Waits at most until DEADLINE for KEY of the file cgroup.events in the v2 directory DIR to be VALUE, or for the last
 * process to be gone.  0, -ETIMEDOUT or -errno.  */
int cgroup_wait_event (int dir, const char *key, int value, int64_t deadline);

/* The value of KEY in the flat-keyed file NAME ("frozen" in cgroup.events) below DIRFD, or -errno; -ENODATA without it.
 */
int cgroup_read_key (int dirfd, const char *name, const char *key);

/* The same of the file's TEXT.  */
int cgroup_find_key (const char *text, const char *key);

/* True if the list of words TEXT, separated by any of SEPARATORS, has WORD.  */
bool cgroup_has_word (const char *text, const char *separators, const char *word);
