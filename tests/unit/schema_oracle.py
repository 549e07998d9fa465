#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the decoder of src/spec against python3-jsonschema over the schema of the runtime specification.

    schema_oracle.py [SPEC_VERDICT]     (default: tests/unit/spec-verdict, seen from the current directory)

1. Every property path of the schema for Linux is decoded, as the same type and with the same words.
2. The config that `thole spec` prints is the one that runc prints.
3. Thousands of mutations of good configs get the same verdict from both, and, when both refuse, for the same value.
   Where the two differ, the difference stands in STRICTER, LENIENT or TEXTS below with its reason; a row that nothing
   needed is a failure, too.
4. Members in another case are read as the Go runtimes read them.
5. Texts with broken bytes that are no JSON to Python are none to us.
"""

import copy
import json
import os
import random
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    sys.exit("make check needs jsonschema for Python (Debian: python3-jsonschema)")

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(TOP, "tests", "data")
SCHEMA = os.path.join(DATA, "runtime-spec", "schema")
sys.path.insert(0, os.path.join(TOP, "tests"))
from harness.schema import OTHER_PLATFORMS, config_schema, linux_properties, type_of  # noqa: E402: found only now

SEED = 1300
SAMPLES = 4  # values put in the place of each value of a config

# We refuse what the schema accepts: a pattern for our message, and why.
STRICTER = [
    # config.md and config-linux.md say REQUIRED where the schema does not.
    (r'1:1: missing member "root"', "REQUIRED on all platforms but Windows"),
    (r'\.ioPriority: missing member "priority"', "REQUIRED in the text"),
    (r'throttle\w+Device\[\d+\]: missing member "rate"', "REQUIRED in the text"),
    (r'linux\.memoryPolicy: missing member "mode"', "REQUIRED in the text"),
    (r'linux\.personality: missing member "domain"', "REQUIRED in the text"),
    (r'linux\.devices\[\d+\]: missing member "(major|minor)"', "REQUIRED unless the type is p"),
    (r"process\.args: at least one argument", "at least one entry is REQUIRED"),
    # They say which values are valid.
    (r'ociVersion: ".*" is no version', "MUST be SemVer 2.0.0"),
    (r"process\.cwd: .* is not an absolute path", "MUST be an absolute path"),
    (r"hooks\.\w+\[\d+\]\.path: .* is not an absolute path", "MUST be absolute"),
    (r"linux\.namespaces\[\d+\]\.path: .* is not an absolute path", "MUST be an absolute path"),
    (r"linux\.(masked|readonly)Paths\[\d+\]: .* is not an absolute path", "MUST be absolute paths"),
    (r"linux\.devices\[\d+\]\.path: .* is not an absolute path", "the full path inside the container"),
    (r"env\[\d+\]: .* is not of the form NAME=VALUE", "the semantics of environ"),
    (r"rlimits\[\d+\]\.type: unknown value", "an error for what the kernel does not know; the schema has a pattern"),
    (r"rlimits\[\d+\]\.type: duplicate limit", "duplicated entries MUST be an error"),
    (r"namespaces\[\d+\]\.type: duplicate \w+ namespace", "duplicated namespaces MUST be an error"),
    (r"ioPriority\.priority: expected an integer from 0 to 7", "0 (highest) to 7 (lowest)"),
    (r"cpu\.burst: larger than the quota", "MUST be no larger than any positive quota"),
    (r"weightDevice\[\d+\]: weight or leafWeight is needed", "MUST specify at least one"),
    (r"rdma.*: hcaHandles or hcaObjects is needed", "MUST specify at least one"),
    (r"rrnoRet: SCMP_ACT_\w+ returns no errno", "an action without an errno MUST fail"),
    (r"listenerMetadata: needs listenerPath", "MUST NOT be set if listenerPath is not set"),
    (r"personality\.flags: no flags are supported", "no flag values are supported"),
    (r"intelRdt\.schemata\[\d+\]: has a line break", "MUST NOT contain newlines"),
    (r"uidMappings and gidMappings go together", "MUST be specified along with the other"),
    (r"options\[\d+\]: needs uidMappings and gidMappings, or a user namespace", "idmap alone MUST be an error"),
    (r"annotations.*: the name must not be empty", "keys MUST NOT be an empty string"),
    (r"memory\.\w+: expected an integer from -1 to", "bytes, or -1 for unlimited"),
    (r"memory\.swappiness: expected an integer from 0 to 100", "from 0 to 100"),
    (r"cpu\.idle: expected an integer from 0 to 1", "0 or 1"),
    (r"pids\.limit: expected an integer from -1 to", "-1 is no limit"),
    (r"resources\.devices\[\d+\]\.type: expected", "a, c or b"),
    (r"resources\.devices\[\d+\]\.access: expected", "a composition of r, w and m"),
    (r'unified.*: ".*" is not of the form CONTROLLER.PARAMETER', "a file of the cgroup"),
    # What the kernel would refuse, or cut, or silently take for something else.
    (r"user\.(uid|gid|additionalGids\[\d+\]): expected .* to 4294967294", "(uid_t) -1 means no change"),
    (r"devices\[\d+\]\.(uid|gid): expected .* to 4294967294", "(uid_t) -1 means no change"),
    (r"user\.umask: expected an integer from 0 to 511", "umask(2) drops the other bits"),
    (r"oomScoreAdj: expected an integer from -1000 to 1000", "proc(5)"),
    (r"consoleSize\.(height|width): larger than 65535", "unsigned short in ioctl_tty(2)"),
    (r"(devices|Device)\[\d+\]\.(major|minor): expected an integer", "a dev_t has 12 and 20 bits"),
    (r"seccomp.*\.index: expected an integer from 0 to 5", "a system call has six arguments"),
    (r"rrnoRet: expected an integer from 0 to 65535", "SECCOMP_RET_DATA has 16 bits"),
    (r"nanosecs: expected an integer from 0 to 999999999", "a nanosecond is less than a second"),
    (r"timeout: expected an integer from 1 to", "seconds that poll(2) can wait for"),
    (r"Mappings\[\d+\]\.size: (must not be 0|goes beyond the last id)", "user_namespaces(7)"),
    (r"Mappings\[\d+\]: overlaps mapping", "user_namespaces(7)"),
    (r"scheduler(\.\w+)?: .*(SCHED_\w+|expected an integer from -20 to 19)", "sched_setattr(2)"),
    (r"startContainer: a process of SCHED_DEADLINE starts no other", "sched(7)"),
    (r"memoryPolicy(\.\w+)?: .*(MPOL_\w+|need nodes)", "set_mempolicy(2)"),
    (r"is not a list of numbers", "the syntax that the text gives"),
    (r"name of a network interface", "dev_valid_name() in the kernel"),
    (r"netDevices.*: .* would also be called", "a namespace has each name once"),
    (r"rlimits\[\d+\]\.soft: above the hard limit", "setrlimit(2)"),
    (r"(hostname|domainname): longer than 64 bytes", "sethostname(2)"),
    (r'closID: ".*" is not the name of a directory', "it would lead elsewhere below resctrl"),
    (r"(root\.path|destination): must not be empty", "names nothing"),
    (r"l3CacheSchema: has a line break", "SHOULD NOT; it would be another schema"),
    (r'(pageSize|memBwSchema|devices\[\d+\]\.type): .*(\\n"|no line break)', "Python's $ overlooks a last line break"),
    # What would be done to the host instead of the container.
    (r"needs a (mount|UTS|network|user) namespace", "it would act on the host, or on nothing"),
    (r"timeOffsets: needs a time namespace", "only a new namespace takes offsets"),
    (r"sysctl.*: (needs a namespace|.* belongs to no namespace|.* is no name of a kernel parameter|the host name)",
     "only parameters of namespaces that the container has"),
    (r"cgroupsPath: must not contain", "it would leave the delegated place"),
]

# We accept what the schema refuses: a test of the path, the instance and the error, and why.
LENIENT = [
    (lambda error: error.instance is None and error.validator in ("type", "enum"),
     "null for what may be absent: Go programs write that"),
    (lambda error: error.absolute_path and error.absolute_path[0] in OTHER_PLATFORMS,
     "sections for other platforms are ignored"),
    (lambda error: error.validator == "required" and error.schema_path[-2] == "pids",
     "OPTIONAL in the text"),
    (lambda error: error.validator == "enum" and error.instance in WORDS.get(as_text(error.absolute_path), ()),
     "words that callers use"),
]
WORDS = {"linux.rootfsPropagation": {"rprivate", "rshared", "rslave", "runbindable"}}  # containerd, Docker


# What chance may miss: a config, the path of a value, another value.
BY_HAND = [
    ("maximal.json", ("linux", "seccomp", "syscalls", 0, "errnoRet"), 1),
    ("maximal.json", ("linux", "seccomp", "syscalls", 1, "errnoRet"), 65536),
    ("maximal.json", ("linux", "seccomp", "syscalls", 1, "args", 0, "index"), 6),
    ("maximal.json", ("linux", "personality", "flags"), ["ADDR_NO_RANDOMIZE"]),
    ("maximal.json", ("linux", "intelRdt", "schemata", 0), "L3:0=f\nMB:0=1"),
    ("maximal.json", ("linux", "intelRdt", "memBwSchema"), "MB:0=1\n"),
    ("maximal.json", ("linux", "intelRdt", "l3CacheSchema"), "L3:0=1\n"),
    ("maximal.json", ("linux", "intelRdt", "closID"), "../x"),
    ("maximal.json", ("linux", "namespaces", 1, "path"), "run/netns/one"),
    ("maximal.json", ("linux", "resources", "hugepageLimits", 0, "pageSize"), "2MB\n"),
    ("maximal.json", ("linux", "resources", "pids", "limit"), -2),
    ("maximal.json", ("linux", "resources", "memory", "swappiness"), 101),
    ("maximal.json", ("linux", "devices", 0, "uid"), 2**32 - 1),
    ("maximal.json", ("linux", "devices", 0, "major"), 4096),
    ("maximal.json", ("linux", "netDevices", "eth0", "name"), "a b"),
    ("maximal.json", ("linux", "rootfsPropagation"), "rslave"),
    ("maximal.json", ("linux", "cgroupsPath"), "/a/../../b"),
    ("maximal.json", ("linux", "memoryPolicy", "mode"), "MPOL_LOCAL"),
    ("maximal.json", ("linux", "uidMappings", 1, "containerID"), 0),
    ("maximal.json", ("linux", "timeOffsets", "boottime", "nanosecs"), 10**9),
    ("maximal.json", ("linux", "sysctl", "kernel.panic"), "1"),
    ("maximal.json", ("process", "user", "umask"), 512),
    ("maximal.json", ("process", "user", "uid"), 2**32 - 1),
    ("maximal.json", ("process", "consoleSize", "width"), 65536),
    ("maximal.json", ("process", "ioPriority", "priority"), 8),
    ("maximal.json", ("process", "rlimits", 0, "soft"), 4097),
    ("maximal.json", ("hooks", "poststop", 0, "timeout"), 2**31),
    ("maximal.json", ("hostname",), "x" * 65),
    ("maximal.json", ("annotations", ""), "x"),
    ("thole spec", ("mounts", 0, "options"), ["idmap"]),
]


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


class Report:
    passed = failed = 0

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            if self.failed <= 40:
                print("FAIL", what)


def run(program, *arguments, given=b""):
    return subprocess.run([program, *arguments], input=given, stdout=subprocess.PIPE, check=True).stdout.decode()


def check_coverage(report, program):
    ours = {line.split()[0]: line.split()[1:] for line in run(program, "--paths").splitlines()}
    theirs = linux_properties()
    named = [path for path in theirs if not path.endswith(("[]", ".*"))]
    report.check(len(named) > 220, f"only {len(named)} property paths found in the schema")
    for path, value in theirs.items():
        report.check(path in ours, f"the schema has {path}, no row of ours decodes it")
        if path not in ours:
            continue
        kind = type_of(value)
        report.check(kind == ours[path][0], f"{path} is {kind} in the schema, {ours[path][0]} with us")
        if "enum" in value:
            words = set(value["enum"]) | WORDS.get(path, set())
            report.check(words == set(ours[path][1:]), f"{path}: our words are not {words}")
    for path in ours:
        report.check(path in theirs, f"we decode {path}, the schema has no such property")
    return len(named)


def check_examples(report, program):
    """Our hostname and version are our own, and ambient capabilities that nothing would grant are left out; the rest is what
    `runc spec` printed."""
    for flag, name in (("--example", "runc-spec.json"), ("--example-rootless", "runc-spec-rootless.json")):
        ours, theirs = json.loads(run(program, flag)), load(DATA, "configs", name)
        theirs.update(ociVersion="1.3.0", hostname="thole")
        del theirs["process"]["capabilities"]["ambient"]
        if "rootless" in flag:
            theirs["linux"]["uidMappings"][0]["hostID"] = 1000
            theirs["linux"]["gidMappings"][0]["hostID"] = 1001
        report.check(ours == theirs, f"spec-verdict {flag} is not {name}")


def nodes(config, path=()):
    """The paths of all values in CONFIG but itself."""
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in items:
        yield path + (key,)
        yield from nodes(value, path + (key,))


def mutated(config, path, change):
    """A copy of CONFIG in which CHANGE (container, key) was done to the value at PATH."""
    copied = container = copy.copy(config)
    for key in path[:-1]:
        container[key] = container = copy.copy(container[key])
    change(container, path[-1])
    return copied


# Texts that Python takes for JSON and we do not: the text (of a good config but for this), our message, why.
ROOT = b'"ociVersion": "1.3.0", "root": {"path": "rootfs"}'
TEXTS = [
    (b'{%s, "hostname": "", "hostname": ""}' % ROOT, 'duplicate member "hostname"', "which one counts? readers differ"),
    (b'{%s, "annotations": {"a": "", "a": ""}}' % ROOT, 'duplicate member "a"', "the same"),
    (b'{%s, "hostname": "", "HostName": ""}' % ROOT, 'duplicate member "hostname"', "the same, to Go programs"),
    (b'{%s, "annotations": {"a": "b\\u0000c"}}' % ROOT, "\\u0000 cannot", "the kernel's strings end there"),
    (b'{%s, "annotations": {"a": "\\ud800"}}' % ROOT, "half a surrogate pair", "no character, so no UTF-8"),
    (b'{%s, "x": %s1%s}' % (ROOT, b"[" * 64, b"]" * 64), "nested deeper than 64 levels", "a limit of ours"),
    (b'{%s, "x": NaN}' % ROOT, "not JSON: invalid", "not RFC 8259"),
]


def put(new):
    def change(container, key):
        container[key] = new
    return change


SCALARS = [None, True, False, "", "x", "/x", "..", "12", -1, 0, 1, 2, 7, 100, 511, 512, 65535, 65536, 2**31 - 1, 2**31,
           2**32 - 1, 2**32, -(2**31), -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**30,
           1.0, 0.5, 1e3]
VALUES = SCALARS + [[], {}, [None], [1], ["x"], [{}], [[]], {"x": None}, {"x": 1}, {"x": "y"}, {"x": {}}, {"": ""}]


def near(value, chance):
    """A value that is almost VALUE."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 2**16, 2**32, 2**63))
    if isinstance(value, str):
        return chance.choice((value + "x", value[:-1], value.lower(), value.upper(), value + "\n", value[1:]))
    return chance.choice(VALUES)


def mutations(config, chance):
    for path in list(nodes(config)):
        def drop(container, key):
            del container[key]

        def twice(container, key):
            if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            else:
                container["unknown"] = container[key]

        value = config
        for key in path:
            value = value[key]
        yield mutated(config, path, drop)
        yield mutated(config, path, twice)
        for new in [near(value, chance), near(value, chance)] + chance.sample(VALUES, SAMPLES):
            yield mutated(config, path, put(new))


def good_configs(program):
    folder = os.path.join(SCHEMA, "test", "config", "good")
    for name in sorted(os.listdir(folder)):
        yield name, load(folder, name)
    yield "maximal.json", load(DATA, "configs", "maximal.json")
    yield "thole spec", json.loads(run(program, "--example"))
    yield "thole spec --rootless", json.loads(run(program, "--example-rootless"))


def bad_configs():
    folder = os.path.join(SCHEMA, "test", "config", "bad")
    for name in sorted(os.listdir(folder)):
        if name != "invalid-json.json":
            yield name, load(folder, name)


def judge(program, texts):
    return run(program, given=b"".join(b"%d\n%s" % (len(text), text) for text in texts)).splitlines()


def our_verdicts(program, configs):
    return judge(program, [json.dumps(config, indent=1).encode() for config in configs])


def as_text(path):
    """A path of jsonschema in our words."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", key):
            text += ("." if text else "") + key
        else:
            text += f'["{key}"]'
    return text


def leaves(errors):
    """The errors of single values: those behind anyOf's "not valid under any of the given schemas"."""
    for error in errors:
        if error.context:
            yield from leaves(error.context)
        else:
            yield error


def check_texts(report, program):
    for text, message, why in TEXTS:
        json.loads(text)
        verdict = judge(program, [text])[0]
        report.check(verdict.startswith("error") and message in verdict, f"{text}: {verdict} ({why})")


def recased(value, change):
    """VALUE with the names of all members CHANGEd, but those that are data."""
    if isinstance(value, list):
        return [recased(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    maps = ("annotations", "sysctl", "unified")
    return {change(key): item if key in maps else
            {name: recased(device, change) for name, device in item.items()} if key in ("rdma", "netDevices") else
            recased(item, change) for key, item in value.items()}


def check_case(report, program):
    """Members in another case count: a value of the wrong type is seen whatever the case."""
    config = load(DATA, "configs", "maximal.json")
    for change in (str.lower, str.upper, str.title):
        good = recased(config, change)
        bad = copy.deepcopy(good)
        bad[change("linux")][change("resources")][change("memory")][change("limit")] = "1"
        verdicts = our_verdicts(program, [good, bad])
        report.check(verdicts[0] == "ok", f"{change}: {verdicts[0]}")
        report.check("linux.resources.memory.limit: expected" in verdicts[1], f"{change}: {verdicts[1]}")


def is_json(text):
    try:
        json.loads(text.decode())
        return True
    except ValueError:
        return False


def broken(text, chance):
    """TEXT with a few of its bytes replaced, left out or put in, or cut off."""
    text = bytearray(text)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        new = bytes([chance.choice((chance.randrange(256), *b'"\\{}[]:,u0-e.\n\v'))])
        text[at:at + chance.randint(0, 2)] = chance.choice((b"", new, new, new * 2))
    return bytes(text if chance.random() < 0.9 else text[:chance.randrange(len(text))])


def check_bytes(report, program, number):
    chance = random.Random(SEED)
    with open(os.path.join(DATA, "configs", "maximal.json"), "rb") as file:
        good = file.read()
    texts = [broken(good, chance) for _ in range(number)]
    verdicts = judge(program, texts)
    report.check(len(verdicts) == number, "spec-verdict did not answer every text")
    for text, verdict in zip(texts, verdicts):
        report.check(is_json(text) or verdict.startswith("error"), f"no JSON, but {verdict}: {text[:2000]}")


class Oracle:
    def __init__(self, report, schema):
        self.report = report
        self.validator = jsonschema.Draft4Validator(schema)
        self.stricter = [(re.compile(pattern), why) for pattern, why in STRICTER]
        self.used = set()
        self.counts = {"both accept": 0, "both refuse": 0, "we alone refuse": 0, "we alone accept": 0}

    def explained(self, message):
        """Is our message one that the schema need not have?"""
        found = False
        for number, (pattern, _) in enumerate(self.stricter):
            if pattern.search(message):
                self.used.add(pattern.pattern)
                found = True
        return found

    def excused(self, error):
        for number, (test, _) in enumerate(LENIENT):
            if test(error):
                self.used.add(number)
                return True
        return False

    def compare(self, name, config, verdict):
        errors = list(leaves(self.validator.iter_errors(config)))
        ours = verdict == "ok"
        message = verdict.partition(" ")[2]
        what = f"{name}: ours: {verdict}; schema: {errors[0].message[:200] if errors else 'ok'}"
        if not errors:
            self.counts["both accept" if ours else "we alone refuse"] += 1
            self.report.check(ours or self.explained(message), what)
        elif ours:
            self.counts["we alone accept"] += 1
            self.report.check(all([self.excused(error) for error in errors]), what)
        else:
            self.counts["both refuse"] += 1
            places = [as_text(error.absolute_path) for error in errors]
            same = any(re.match(rf"config.json:\d+:\d+: {re.escape(place) + ': ' if place else '[^:]*$'}", message)
                       for place in places)
            self.report.check(same or self.explained(message), what)

    def check_rows_used(self):
        for pattern, why in STRICTER:
            self.report.check(pattern in self.used, f"STRICTER: nothing needed {pattern} ({why})")
        for number, (_, why) in enumerate(LENIENT):
            self.report.check(number in self.used, f"LENIENT: nothing needed: {why}")


def check_mutations(report, program, schema):
    oracle = Oracle(report, schema)
    chance = random.Random(SEED)
    good = dict(good_configs(program))
    cases = [*bad_configs(), *good.items()]
    cases += [(name, mutation) for name, config in good.items() for mutation in mutations(config, chance)]
    cases += [(name, mutated(good[name], path, put(new))) for name, path, new in BY_HAND]
    verdicts = our_verdicts(program, [config for _, config in cases])
    report.check(len(verdicts) == len(cases), "spec-verdict did not answer every config")
    for (name, config), verdict in zip(cases, verdicts):
        oracle.compare(name, config, verdict)
    oracle.check_rows_used()
    return oracle.counts


def main(arguments):
    program = arguments[0] if arguments else os.path.join("tests", "unit", "spec-verdict")
    report = Report()
    schema = config_schema()
    count = check_coverage(report, program)
    check_examples(report, program)
    check_texts(report, program)
    check_case(report, program)
    check_bytes(report, program, 2000)
    counts = check_mutations(report, program, schema)
    print(f"{count} property paths;", ", ".join(f"{what}: {number}" for what, number in counts.items()))
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
