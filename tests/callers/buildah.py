# SPDX-License-Identifier: LGPL-2.1-or-later
"""Buildah in a World, as root or as its ordinary user."""

import image
from podman import Podman


class Buildah(Podman):
    """It shares its storage, and what it may leave behind, with Podman."""

    def command(self, *argv):
        # Runtimes are given to the commands that start containers, by path.
        if argv[0] in ("build", "run"):
            argv = (argv[0], f"--runtime={self.oci.path}", "--isolation=oci", *argv[1:])
        return ("buildah", *argv)

    def container(self):
        """A working container of the image, removed after the test."""
        self.names.append(self("from", image.NAME))
        return self.names[-1]

    def close(self):
        if self.names:
            self.try_("rm", *self.names)
