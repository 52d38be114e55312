"""The cloud's official clients against the simulated endpoint: what it accepts is what real clients send, and what it refuses it refuses
with the documented codes.

usage: conform.py URL     where URL is that of `cargo sandbox rds --strict-defaults`, with nothing accepted yet
"""

import datetime
import json
import sys
import time
import urllib.request

import dialects
from checks import Checks
from dialects import NoAnswer, Refused
from tap import Tap, body_of

KEY, SECRET = "sandbox-key", "sandbox-secret"
PAGE = 30


class Control:
    """The endpoint's own interface, beside the service."""

    def __init__(self, url):
        self._url = url

    def _ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + "/sandbox/" + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def set(self, **settings):
        self._ask("PATCH", "settings", settings)

    def ledger(self, instance=""):
        return self._ask("GET", "ledger" + ("?instance=" + instance if instance else ""))

    def calls(self):
        return self._ask("GET", "calls")

    def define(self, instance, **spec):
        self._ask("PUT", "instances", {instance: spec})

    def made_by_hand(self, instance, ago):
        """A backup that somebody made in the console so many days ago."""
        self.set(clockOffsetMs=-ago * 24 * 3600 * 1000)
        self._ask("POST", "jobs", dict(instance=instance, kind="Manual", length="0s"))
        self.set(clockOffsetMs=0)

    def sets(self, instance):
        return [str(found["backupId"]) for found in self._ask("GET", "sets?instance=" + instance)]

    def clones(self, source):
        return self._ask("GET", "clones?source=" + source)

    def deletions(self, instance):
        return [str(found["backupId"]) for found in self._ask("GET", "deletions?instance=" + instance)]


def verdict(call):
    try:
        call()
    except Refused as refused:
        return refused.code
    except NoAnswer:
        return "no answer"
    return "OK"


def code_of(answer):
    """The code of a raw answer in JSON."""
    return json.loads(body_of(answer)).get("Code", "OK")


def minute(when):
    """A time as the filters have it."""
    return when.strftime("%Y-%m-%dT%H:%MZ")


def follow(call, instance, job):
    """Asks for the job until it has finished."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        jobs = call("DescribeBackupTasks", DBInstanceId=instance, BackupJobId=job)["Items"]["BackupJob"]
        if jobs and jobs[0]["BackupStatus"] == "Finished":
            return jobs[0]
        time.sleep(0.1)
    return {}


def conform(checks, control, tap, dialect, number):
    name = dialect.name
    instance = "rm-mysql-client-%d" % number

    def call(action, key=KEY, secret=SECRET, **parameters):
        return dialect.call(tap.address, key, secret, action, parameters)

    def create(key=KEY, secret=SECRET, instance=instance):
        return call("CreateBackup", key=key, secret=secret, DBInstanceId=instance, BackupMethod="Physical")

    # Create, follow, list.
    attribute = call("DescribeDBInstanceAttribute", DBInstanceId=instance)["Items"]["DBInstanceAttribute"][0]
    checks.check("%s: the instance is read" % name, (attribute["Engine"], attribute["DBInstanceStatus"]), ("MySQL", "Running"))
    job = str(create()["BackupJobId"])
    ledger = control.ledger(instance)
    checks.check("%s: a backup is created" % name, [entry["jobId"] for entry in ledger], [job])
    # The classic client adds the region that it was made with.
    arrived = {name: value for name, value in ledger[0]["parameters"].items() if name != "RegionId"}
    checks.check("%s: its parameters arrive" % name, arrived, {"DBInstanceId": instance, "BackupMethod": "Physical"})
    checks.check("%s: a second one is refused while it runs" % name, verdict(create), "BackupJobExists")
    backup = str(follow(call, instance, job).get("BackupId"))
    sets = call("DescribeBackups", DBInstanceId=instance)["Items"]["Backup"]
    checks.check("%s: the job is followed to its set, which is listed" % name, [str(found["BackupId"]) for found in sets], [backup])

    # Every parameter that the instance allows, and every filter.
    every = dict(DBInstanceId=instance + "-all", BackupMethod="Logical", BackupStrategy="db", DBName="orders,users", BackupRetentionPeriod=30,
                 ResourceGroupId="rg-clients")
    whole = str(call("CreateBackup", **every)["BackupJobId"])
    arrived = {name: value for name, value in control.ledger(every["DBInstanceId"])[0]["parameters"].items() if name != "RegionId"}
    sent = {name: str(value) for name, value in every.items() if name in arrived or name != "ResourceGroupId"}
    checks.check("%s: every parameter arrives" % name, arrived, sent)
    backup = str(follow(call, every["DBInstanceId"], whole).get("BackupId"))
    now = datetime.datetime.now(datetime.timezone.utc)
    window = dict(StartTime=minute(now - datetime.timedelta(hours=1)), EndTime=minute(now + datetime.timedelta(hours=1)))
    filters = dict(window, BackupStatus="Success", BackupMode="Manual", BackupId=backup, PageSize=30, PageNumber=1)
    sets = call("DescribeBackups", DBInstanceId=every["DBInstanceId"], **filters)["Items"]["Backup"]
    found = [(str(found["BackupId"]), found["BackupMethod"], found["BackupMode"]) for found in sets]
    checks.check("%s: a set is found by every filter" % name, found, [(backup, "Logical", "Manual")])
    for other in (dict(filters, BackupStatus="Failed"), dict(filters, BackupMode="Automated"), dict(filters, BackupId="1"),
                  dict(filters, StartTime=minute(now - datetime.timedelta(hours=3)), EndTime=minute(now - datetime.timedelta(hours=2)))):
        sets = call("DescribeBackups", DBInstanceId=every["DBInstanceId"], **other)["Items"]["Backup"]
        checks.check("%s: ... and by no other" % name, sets, [])

    # Page.
    control.set(jobTime="0s")
    for _ in range(PAGE):
        create()
    control.set(jobTime="600ms")
    first = call("DescribeBackups", DBInstanceId=instance, PageSize=PAGE, PageNumber=1)
    second = call("DescribeBackups", DBInstanceId=instance, PageSize=PAGE, PageNumber=2)
    ids = [str(found["BackupId"]) for page in (first, second) for found in page["Items"]["Backup"]]
    found = (str(first["TotalRecordCount"]), str(first["PageRecordCount"]), str(second["PageRecordCount"]), len(set(ids)))
    checks.check("%s: two pages make the whole list" % name, found, (str(PAGE + 1), str(PAGE), "1", PAGE + 1))
    checks.check(
        "%s: another page size is refused" % name,
        verdict(lambda: call("DescribeBackups", DBInstanceId=instance, PageSize=31)),
        "InvalidMaxRecordsPerPage.Malformed",
    )

    # The policy, and what is deleted by it.
    old = "rm-mysql-old-%d" % number
    control.define(old, policy=dict(retentionDays=30, logBackup=True, logRetentionDays=7))
    policy = call("DescribeBackupPolicy", DBInstanceId=old, BackupPolicyMode="DataBackupPolicy")
    told = [str(policy[field]) for field in ("BackupRetentionPeriod", "LogBackupRetentionPeriod", "EnableBackupLog", "BackupLog")]
    checks.check("%s: the policy is read" % name, told, ["30", "7", "1", "Enable"])
    for ago in (8, 6):
        control.made_by_hand(old, ago)
    aged, fresh = control.sets(old)
    states = [found["StoreStatus"] for found in call("DescribeBackups", DBInstanceId=old)["Items"]["Backup"]]
    checks.check("%s: the list says what can be deleted, newest first" % name, states, ["Disabled", "Enabled"])

    def delete(backup):
        return verdict(lambda: call("DeleteBackup", DBInstanceId=old, BackupId=backup))

    checks.check("%s: a set that its log still needs" % name, delete(fresh), "OperationDenied.BackupSetDeleteNotSupport")
    checks.check("%s: a set that is old enough" % name, delete(aged), "OK")
    checks.check("%s: ... once more" % name, delete(aged), "InvalidBackupSetID.NotFound")
    checks.check("%s: one was deleted" % name, (control.deletions(old), control.sets(old)), ([aged], [fresh]))

    # The instances of a region, by tag, on pages by number.
    tag = "client-%d" % number
    for shop in range(3):
        control.define("rm-shop-%d-%d" % (number, shop), description="shop %d" % shop, tags=dict(client=tag), disk="cloud_essd")
    tagged = dict(RegionId="cn-hangzhou", Tags=json.dumps(dict(client=tag)), PageSize=2)
    pages = [call("DescribeDBInstances", PageNumber=page, **tagged) for page in (1, 2)]
    rows = [row for page in pages for row in page["Items"]["DBInstance"]]
    told = [(row["DBInstanceId"], row["DBInstanceDescription"], row["DBInstanceStorageType"], row["DBInstanceType"]) for row in rows]
    wanted = [("rm-shop-%d-%d" % (number, shop), "shop %d" % shop, "cloud_essd", "Primary") for shop in range(3)]
    checks.check("%s: the instances with a tag, on two pages" % name, told, wanted)
    checks.check("%s: ... whose total is told" % name, [page["TotalRecordCount"] for page in pages], [3, 3])
    without = dict(tagged, Tags="client=" + tag)
    checks.check("%s: tags that are no JSON" % name, verdict(lambda: call("DescribeDBInstances", **without)), "InvalidTags.Format")

    # What the documentation says is refused. From here on nothing may be accepted.
    accepted = len(control.ledger())
    other = instance[:-1] + "x"
    tap.alter = lambda request: request.replace(instance.encode(), other.encode())
    checks.check("%s: an altered request" % name, verdict(create), "SignatureDoesNotMatch")
    tap.alter = None

    replayed = "rm-mysql-replay-%d" % number
    checks.check("%s: an untouched request" % name, verdict(lambda: create(instance=replayed)), "OK")
    accepted += 1
    checks.check("%s: the same bytes again" % name, code_of(tap.send(tap.request)), "SignatureNonceUsed")

    tap.hold = True
    checks.check("%s: a request that is held back" % name, verdict(create), "no answer")
    tap.hold = False
    control.set(clockOffsetMs=16 * 60 * 1000)
    checks.check("%s: it arrives 16 minutes late" % name, code_of(tap.send(tap.request)), "InvalidTimeStamp.Expired")
    control.set(clockOffsetMs=0)

    checks.check("%s: a wrong key" % name, verdict(lambda: create(key="nobody")), "InvalidAccessKeyId.NotFound")
    # The classic client compares the echoed string to sign with its own, byte by byte. If they are equal it blames the secret.
    echo = "InvalidAccessKeySecret" if name.startswith("aliyun-python-sdk") else "SignatureDoesNotMatch"
    checks.check("%s: a wrong secret" % name, verdict(lambda: create(secret="wrong")), echo)
    checks.check("%s: ... by its code on the wire" % name, code_of(tap.answer), "SignatureDoesNotMatch")
    unknown = verdict(lambda: create(instance="rm-unknown"))
    checks.check("%s: an unknown instance" % name, unknown, "InvalidDBInstanceName.NotFound")
    checks.check("%s: none of the refused requests made a backup" % name, len(control.ledger()), accepted)


def main(url):
    checks, control, tap = Checks(), Control(url), Tap(url)
    control.set(jobTime="600ms", jobSpread="0s", lag="0s", latency="0s", dailyLimit=1000)
    for number, dialect in enumerate(dialects.ALL):
        seen = len(control.calls())
        conform(checks, control, tap, dialect, number)
        signatures = sorted({call["signature"] for call in control.calls()[seen:]})
        checks.check("%s: every request was signed %s" % (dialect.name, dialect.signature), signatures, [dialect.signature])
    tap.close()
    calls = control.calls()
    counts = {}
    for call in calls:
        counts[call["outcome"]] = counts.get(call["outcome"], 0) + 1
    print("outcomes: %s" % ", ".join("%s %d" % pair for pair in sorted(counts.items())))
    # Two backups that were followed and a page of them, and the one that was replayed, from each client.
    expected = len(dialects.ALL) * (2 + PAGE + 1)
    checks.check("the ledger has what was asked for and nothing else", len(control.ledger()), expected)
    print("clients: %d clients, %d requests, %d checks, %d ok, %d failed"
          % (len(dialects.ALL), len(calls), checks.done, checks.done - checks.failed, checks.failed))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    sys.exit(main(sys.argv[1].rstrip("/")))
