/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/options.h"

#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "spec/names.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define ATIME_FLAGS ((uint64_t) (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))

uint64_t
mount_options_attributes (uint64_t flags)
{
  static const struct
  {
    uint64_t flag, attribute;
  } rows[] = {
    { MS_RDONLY, MOUNT_ATTR_RDONLY },         { MS_NOSUID, MOUNT_ATTR_NOSUID },
    { MS_NODEV, MOUNT_ATTR_NODEV },           { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
    { MS_NODIRATIME, MOUNT_ATTR_NODIRATIME }, { MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
    { MS_NOATIME, MOUNT_ATTR_NOATIME },       { MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
  };
  uint64_t attributes = 0;

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (flags & rows[i].flag)
      attributes |= rows[i].attribute;
  return attributes;
}

/* The access times are one field, not flags.  */
struct plan_attributes
mount_options_change (const struct mount_options *o)
{
  struct plan_attributes a = o->tree;

  a.set = mount_options_attributes (o->set);
  a.clear = mount_options_attributes (o->cleared) & ~(uint64_t) MOUNT_ATTR__ATIME;
  if ((o->set | o->cleared) & ATIME_FLAGS)
    a.clear |= MOUNT_ATTR__ATIME;
  return a;
}

static void
add_recursive (struct mount_options *o, const struct spec_mount_option *row)
{
  bool atime = row->value & MOUNT_ATTR__ATIME || !row->value;

  if (atime)
    o->tree.tree_clear |= MOUNT_ATTR__ATIME;
  if (atime && !row->inverted)
    o->tree.tree_set = (o->tree.tree_set & ~(uint64_t) MOUNT_ATTR__ATIME) | row->value;
  else if (!atime && row->inverted)
    {
      o->tree.tree_clear |= row->value;
      o->tree.tree_set &= ~row->value;
    }
  else if (!atime)
    {
      o->tree.tree_set |= row->value;
      o->tree.tree_clear &= ~row->value;
    }
}

static void
add_flags (struct mount_options *o, const struct spec_mount_option *row)
{
  /* Of the three ways to keep access times only one holds.  */
  if (!row->inverted && (row->value & ATIME_FLAGS))
    o->set &= ~ATIME_FLAGS;
  if (row->inverted)
    {
      o->set &= ~row->value;
      o->cleared |= row->value;
    }
  else
    {
      o->set |= row->value;
      o->cleared &= ~row->value;
    }
}

struct mount_options
mount_options_read (struct plan_builder *b, const struct spec_mount *mount)
{
  struct mount_options o = { 0 };
  struct strbuf data = STRBUF_INIT (b->arena);

  for (size_t i = 0; i < mount->options.count; i++)
    {
      const char *word = mount->options.items[i];
      const struct spec_mount_option *row = spec_mount_option_find (word);

      if (!row)
        {
          if (data.length)
            strbuf_add_char (&data, ',');
          strbuf_add (&data, word);
        }
      else if (row->kind == SPEC_MOUNT_FLAG)
        add_flags (&o, row);
      else if (row->kind == SPEC_MOUNT_RECURSIVE)
        add_recursive (&o, row);
      else if (row->kind == SPEC_MOUNT_PROPAGATION)
        o.propagation = row->value;
      else
        o.extensions |= row->value;
    }
  o.data = data.length ? strbuf_text (&data) : NULL;
  return o;
}
