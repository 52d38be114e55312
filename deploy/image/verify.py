"""What deploy/image/verify needs beside a shell: an image unpacked with every digest computed again, and a peer for the operator to talk to.

verify.py unpack ARCHIVE FOLDER       prints the manifest's digest; fails when the image is not what the Dockerfile says
verify.py peer CERTIFICATE KEY NAME   an https server and a name server that knows only NAME; prints what happens at them
"""

import hashlib
import io
import json
import socket
import ssl
import struct
import sys
import tarfile
import threading

# All of 127.0.0.0/8 is this machine. resolv.conf cannot name a port, so the name server needs 53, which others may use on 127.0.0.1.
NAME_SERVER = ("127.83.10.53", 53)


def expect(holds, words):
    if not holds:
        sys.exit(f"verify: {words}")


def unpack(archive, folder):
    with tarfile.open(archive) as outer:
        files = {member.name: outer.extractfile(member).read() for member in outer if member.isfile()}

    def blob(descriptor):
        algorithm, digest = descriptor["digest"].split(":")
        content = files[f"blobs/{algorithm}/{digest}"]
        expect(algorithm == "sha256" and hashlib.sha256(content).hexdigest() == digest, f"{digest} is not the digest of its blob")
        return content

    (described,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blob(described))
    image = json.loads(blob(manifest["config"]))
    config = image["config"]
    user, entrypoint, ports = config.get("User"), config.get("Entrypoint"), config.get("ExposedPorts", {})
    expect(user == "65532:65532", f"the user is {user}")
    expect(entrypoint == ["/rds-backup-operator"], f"the entrypoint is {entrypoint}")
    expect(list(ports) == ["8080/tcp"], f"the ports are {list(ports)}")
    prefix = "org.opencontainers.image."
    labels = {f"{prefix}{name}" for name in ("title", "description", "licenses", "version", "revision")}
    # buildah gives every image the search path of a Unix; anything else would be of the machine that built it.
    expect(set(config.get("Labels", {})) == labels, f"the labels are {config.get('Labels')}")
    expect(all(entry.startswith("PATH=") for entry in config.get("Env", [])), f"the environment is {config.get('Env')}")
    (layer,) = manifest["layers"]
    with tarfile.open(fileobj=io.BytesIO(blob(layer))) as inner:
        members = inner.getmembers()
        expect(all((member.uid, member.gid) == (0, 0) for member in members), "not everything belongs to root")
        expect(len({member.mtime for member in members}) == 1, "the files' times differ")
        expect(all(member.isfile() or member.isdir() for member in members), "there is more than files and folders")
        inner.extractall(folder, filter="fully_trusted") if hasattr(tarfile, "data_filter") else inner.extractall(folder)
    print(described["digest"])
    print(f"verify: {config['Labels'][prefix + 'revision']}, created {image['created']}, layer {layer['size']} bytes", file=sys.stderr)


def say(words):
    print(words, flush=True)


def serve_names(sock, known):
    """Answers A questions for one name with 127.0.0.1, every other question with "no such name"."""
    while True:
        question, sender = sock.recvfrom(4096)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
            at += 1 + question[at]
        end = at + 5
        name, (kind,) = ".".join(labels).lower(), struct.unpack("!H", question[at + 1 : at + 3])
        found = name == known
        answers = found and kind == 1
        reply = question[:2] + struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, int(answers), 0, 0) + question[12:end]
        if answers:
            reply += struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
            say(f"resolved {name}")
        sock.sendto(reply, sender)


def serve_one(accepted, context):
    try:
        with context.wrap_socket(accepted, server_side=True) as tls:
            request = tls.recv(65536).split(b"\r\n")[0].decode("ascii", "replace")
            say(f"asked {tls.asked_for}: {request}" if request else f"closed {tls.asked_for}: nothing was asked")
            tls.sendall(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    except OSError as error:  # an alert of the client is one
        say(f"refused: {error}")
        accepted.close()


def peer(certificate, key, name):
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        names.bind(NAME_SERVER)
    except OSError as error:
        sys.exit(f"verify: the name server cannot listen at {NAME_SERVER[0]}:{NAME_SERVER[1]}: {error}")
    threading.Thread(target=serve_names, args=(names, name), daemon=True).start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda tls, asked_for, _: setattr(tls, "asked_for", asked_for)
    listener = socket.create_server(("127.0.0.1", 0))
    say(f"listening {listener.getsockname()[1]}")
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=serve_one, args=(accepted, context), daemon=True).start()


if __name__ == "__main__":
    {"unpack": unpack, "peer": peer}[sys.argv[1]](*sys.argv[2:])
