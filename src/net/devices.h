/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.netDevices: network devices of the host that become the container's (config-linux.md#network-devices).
 *
 * All of them are looked at before the first is moved.  A device keeps its index where that is free, its hardware
 * address and its other settings, as the kernel moves them; its permanent addresses of global scope, which the kernel
 * drops, are given again, and it is set up.  Routes do not survive, as with `ip link set netns`.
 *
 * What was moved can be taken back as long as the container is being made: with its name, index, master, addresses,
 * and up if it was.  Afterwards the devices are the namespace's own, and nothing is moved when it ends.  */
#pragma once

struct arena;
struct error;
struct spec;

/* Devices on their way.  */
struct net_devices;

/* Moves the devices of SPEC, of which there is one at least, from the caller's network namespace into the one that
 * NETNS is a descriptor of.  If that fails, all are where they were.  *RET lives in ARENA and holds the namespace open;
 * it must be closed.  */
int net_devices_move (struct arena *arena, const struct spec *spec, int netns, struct net_devices **ret,
                      struct error *err);

/* Moves them back, because there will be no container.  What fails is logged.  NULL is fine.  */
void net_devices_return (struct net_devices *devices);

/* Lets the namespace go.  NULL is fine.  */
void net_devices_close (struct net_devices *devices);
