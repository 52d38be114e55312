"""What `restore-command -o json` prints, sent with the cloud's official clients: the simulated endpoint accepts it, and twice it is one clone.
The program reads an RdsBackup from an API server that knows this one object.

usage: restore.py URL PROGRAM     where URL is that of `cargo sandbox rds --strict-defaults`
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

import dialects
from checks import Checks
from conform import KEY, SECRET, Control, follow, verdict

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rdsbackup.json")
PATH = "/apis/rdsbackup.io/v1alpha1/namespaces/team-a/rdsbackups/before-release-42"


class ApiServer:
    """One object, for whoever asks for it."""

    def __init__(self, directory):
        self.object = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path.split("?")[0] == PATH
                body = json.dumps(outer.object if found else {"kind": "Status", "code": 404, "message": "not found"}).encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.kubeconfig = os.path.join(directory, "config")
        with open(self.kubeconfig, "w") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "here",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:%d" % self._server.server_port}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}}],
            }, file)

    def close(self):
        self._server.shutdown()


def restore_command(program, server, *arguments):
    command = [program, "restore-command", "before-release-42", "--kubeconfig", server.kubeconfig, "-o", "json", *arguments]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        sys.exit("restore: %s" % done.stderr)
    return json.loads(done.stdout)


def check_engine(checks, control, url, server, program, dialect, instance, create, partial):
    address = url.split("//")[1]
    name = "%s, %s" % (dialect.name, instance)

    def call(action, **parameters):
        return dialect.call(address, KEY, SECRET, action, parameters)

    job = str(call("CreateBackup", DBInstanceId=instance, **create)["BackupJobId"])
    backup = str(follow(call, instance, job)["BackupId"])
    attribute = call("DescribeDBInstanceAttribute", DBInstanceId=instance)["Items"]["DBInstanceAttribute"][0]
    with open(FIXTURE) as file:
        server.object = json.load(file)
    server.object["metadata"]["uid"] = "uid-of-%s" % name
    server.object["spec"].update(dict(dbInstanceId=instance), **partial)
    server.object["status"]["backupId"] = backup
    server.object["status"]["effective"].update(
        engine=attribute["Engine"], engineVersion=attribute["EngineVersion"], method=create["BackupMethod"]
    )

    network = ("--vpc-id", "vpc-drill", "--vswitch-id", "vsw-drill")
    printed = restore_command(program, server, *network)
    checks.check("%s: the call is CloneDBInstance" % name, (printed["action"], printed["version"]), ("CloneDBInstance", "2014-08-15"))
    first = call("CloneDBInstance", **printed["parameters"])
    again = call("CloneDBInstance", **restore_command(program, server, *network)["parameters"])
    checks.check("%s: twice it is one clone" % name, again["DBInstanceId"], first["DBInstanceId"])
    clones = control.clones(instance)
    checks.check("%s: ... of this set" % name, [(clone["instance"], clone["backupId"]) for clone in clones], [(first["DBInstanceId"], backup)])
    # One of the clients writes a flag as Python does.
    wanted = {key: str(value).lower() for key, value in printed["parameters"].items()}
    arrived = {key: value.lower() for key, value in clones[0]["parameters"].items() if key in wanted}
    checks.check("%s: its parameters arrive" % name, arrived, wanted)
    kept = restore_command(program, server, *network, "--deletion-protection")["parameters"]
    mismatch = verdict(lambda: call("CloneDBInstance", **kept))
    checks.check("%s: the token is of one request" % name, mismatch, "IdempotentParameterMismatch")
    named = restore_command(program, server, "--same-network", "--name", "drill-2")["parameters"]
    checks.check("%s: another name is another clone" % name, verdict(lambda: call("CloneDBInstance", **named)), "OK")
    checks.check("%s: ... and there are two" % name, len(control.clones(instance)), 2)


def main(url, program):
    checks, control = Checks(), Control(url)
    control.set(jobTime="600ms", jobSpread="0s", lag="0s", latency="0s", dailyLimit=1000)
    by_database = dict(BackupMethod="Physical", BackupType="FullBackup", BackupStrategy="db", DBName="orders")
    partial = dict(method="Physical", type="FullBackup", strategy="db", databases=["orders"])
    with tempfile.TemporaryDirectory() as directory:
        server = ApiServer(directory)
        for number, dialect in enumerate(dialects.ALL):
            for instance, create, spec in [
                ("rm-mysql-restore-%d", dict(BackupMethod="Physical"), {}),
                ("rm-mysqlcloud-restore-%d", dict(BackupMethod="Snapshot"), {}),
                ("pgm-restore-%d", dict(BackupMethod="Physical"), {}),
                ("rm-maria-restore-%d", dict(BackupMethod="Physical"), {}),
                ("rm-mssql-restore-%d", by_database, partial),
            ]:
                check_engine(checks, control, url, server, program, dialect, instance % number, create, spec)
        server.close()
    print("restore: %d checks, %d ok, %d failed" % (checks.done, checks.done - checks.failed, checks.failed))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    sys.exit(main(sys.argv[1].rstrip("/"), sys.argv[2]))
