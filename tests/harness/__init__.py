# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests that run real containers share.

host     the machine: namespaces, mounts, cgroups, processes; the private mount namespace that tests run in
runtime  calling the binary under test, always with a deadline
config   the config.json a test starts from
box      one container: its bundle, its life, and the proof that nothing of it is left
schema   the specification's JSON schemas
seen     what the probe reported from inside
user     an ordinary user: becoming one, and the ids that are his
terminal pseudo-terminals and the console socket
"""
