# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one image of these tests, made here: busybox, the probe, two users.  No registry is asked for anything."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from harness import box

NAME = "localhost/box:latest"
# Where the caller does not say otherwise.
ENVIRONMENT = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "FROM_IMAGE=yes"]

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\nfriends:x:2000:user\n",
    "etc/hostname": "",
    "script": "#!/bin/sh\necho hello from $0\n",
    "no-interpreter": "#!/no/such/interpreter\n",
    "not-executable": "#!/bin/sh\n",
}
DIRECTORIES = ("bin", "dev", "etc", "home/user", "proc", "root", "run", "sys", "tmp", "var/tmp")
APPLETS = ("awk", "cat", "chmod", "chown", "cut", "date", "dd", "df", "echo", "env", "false", "grep", "head", "hostname", "id",
           "ip", "kill", "ln", "ls", "mkdir", "mount", "nc", "ping", "printf", "ps", "pwd", "readlink", "rm", "sh", "sleep",
           "sort", "stat", "stty", "tail", "tee", "test", "touch", "true", "tty", "umount", "uname", "wc", "wget", "yes")


def layer(more=()):
    """The root file system as a tar archive, with MORE: {path: bytes of a program}."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:

        def add(name, kind, mode, content=b"", link="", owner=0):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
            entry.uid = entry.gid = owner
            tar.addfile(entry, io.BytesIO(content))

        for name in DIRECTORIES:
            parts = name.split("/")
            for depth in range(1, len(parts) + 1):
                path = "/".join(parts[:depth])
                if path not in tar.getnames():
                    add(path, tarfile.DIRTYPE, 0o1777 if path.endswith("tmp") else 0o755,
                        owner=1000 if path == "home/user" else 0)
        for program, place in (("busybox", "bin/busybox"), ("probe", "bin/probe")):
            add(place, tarfile.REGTYPE, 0o755, Path(box.tool(program)).read_bytes())
        for name in APPLETS:
            add(f"bin/{name}", tarfile.SYMTYPE, 0o777, link="busybox")
        for name, content in dict(more).items():
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in tar.getnames():
                    add(str(parent), tarfile.DIRTYPE, 0o755)
            add(name, tarfile.REGTYPE, 0o755, content)
        for name, text in FILES.items():
            add(name, tarfile.REGTYPE, 0o644 if "/" in name or name == "not-executable" else 0o755, text.encode())
    return data.getvalue()


def archive(path, name=NAME, command=("sh",), more=()):
    """Writes the image NAME to PATH as an OCI archive, which `podman load` and `ctr images import` read."""
    blobs = {}

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}

    def text(value):
        return json.dumps(value).encode()

    root = layer(more)
    config = {"architecture": "amd64", "os": "linux", "config": {"Env": ENVIRONMENT, "Cmd": list(command)},
              "history": [{"created_by": "tests/callers/image.py"}],
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(text(config), "config.v1+json"),
                "layers": [blob(gzip.compress(root, 1, mtime=0), "layer.v1.tar+gzip")]}
    entry = blob(text(manifest), "manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    files = {"oci-layout": text({"imageLayoutVersion": "1.0.0"}),
             "index.json": text({"schemaVersion": 2, "manifests": [entry]}), **blobs}
    with tarfile.open(path, "w") as tar:
        for member, content in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path
