"""The audit trail: who was let in and who was not, from every side; and what happens when it cannot be written."""
import os
import re
import resource
import signal
import stat

from harness import *
from harness.program import ended_badly, sanitizer_env

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def socks(sp, host="sys.virtual", port=1, **credential):
    """None, or the step that refused."""
    with Socks5(sp.address("socks5")) as c:
        try:
            c.open(host, port, **credential)
        except SocksRefused as e:
            return e.step


def house(t, fmt):
    """A gateway, a connector and a proxy that asks for tokens, each with a trail of its own."""
    trails = {n: Trail(t.path(f"{n}.audit"), sap=fmt == "sap") for n in ("gateway", "connector", "proxy")}
    extra = {n: audit(trail.path, format=fmt) for n, trail in trails.items()}
    gw = Gateway(t, by="jwt", extra=extra["gateway"])
    gw.connector("c1", {"sys.virtual:1": Origin(t, echo).text}, location="plant", extra=extra["connector"])
    sp = gw.proxy({"apps": [gw.idp.plugin(client_claims=["azp"])]}, extra=extra["proxy"])
    return gw, sp, trails


def everything_is_told(t, fmt):
    gw, sp, trails = house(t, fmt)
    proxy, gateway, conn = trails["proxy"], trails["gateway"], trails["connector"]
    good = gw.idp.token("acme", sub="alice", azp="sb-app")

    equal(socks(sp, token=good, location="plant"), None, "a good token")
    line = proxy.one(event="identity", decision="allowed")
    for key, value in {"outcome": "ok", "front": "socks5", "tenant": "acme", "principal": "alice", "client_id": "sb-app",
                       "issuer": gw.idp.iss, "target": "sys.virtual:1", "location": "plant", "chain": "apps", "plugin": "jwt",
                       "listener": text_of(sp.address("socks5"))}.items():
        equal(line.get(key), value, key)
    check(TIME.fullmatch(line["time"]) and line["from"].startswith("127.0.0.1:") and line["conn"] == 1, f"{line}")
    equal(sp.wait(event="exchange", principal="alice")["exchange"], line["exchange"], "the exchange in the log")

    # The same exchange at every hop, each by its own caller.
    at_gateway = gateway.one(event="identity", decision="allowed", exchange=line["exchange"])
    equal((at_gateway["principal"], at_gateway["tenant"], at_gateway["chain"]), ("proxy", "acme", "proxies"), "the gateway's caller")
    at_connector = conn.one(event="exchange", decision="allowed", exchange=line["exchange"])
    equal((at_connector["target"], at_connector["outcome"]), ("sys.virtual:1", "ok"), "the connector's line")

    # Refusals: by the proxy, by the connector.
    equal(socks(sp, token=gw.idp.forged("acme")), "sub-negotiation", "a forged token")
    denied = proxy.one(event="identity", decision="denied", outcome="bad_credential")
    check("jwt" in denied["reason"] and "tenant" not in denied, f"{denied}")
    equal(socks(sp, token=gw.idp.token("acme", lifetime_s=-7200)), "sub-negotiation", "an expired token")
    proxy.one(event="identity", decision="denied", outcome="expired_credential")
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    s.close()
    equal(a.status, 407, "no credential")
    check("target" in proxy.one(event="identity", decision="denied", outcome="no_credential", front="http"), "its target")
    equal(socks(sp, port=2, token=good, location="plant"), "reply", "a port that is not exposed")
    ids = {proxy.one(event="exchange", decision="denied", outcome="not_exposed")["exchange"],
           gateway.one(event="exchange", decision="denied", outcome="not_exposed")["exchange"],
           conn.one(event="exchange", decision="denied", outcome="not_exposed")["exchange"]}
    equal(len(ids), 1, "one exchange")

    # Connectors.
    admitted = gateway.one(event="connector", decision="allowed")
    equal((admitted["connector"], admitted["tenant"], admitted["location"], admitted["principal"], admitted["chain"]),
          ("c1", "acme", "plant", "c1", "connectors"), "the connector that was admitted")
    bad = gw.connector("bad", {}, token_file=t.write("bad.token", gw.idp.token("acme", aud="other")), wait=False)
    bad.wait(event="tunnel", status=401)
    refused = gateway.find(event="connector", decision="denied")[0]
    equal((refused["connector"], refused["outcome"], "tenant" in refused), ("bad", "bad_credential", False), "the one that was refused")

    for p in (sp, gw.program):
        p.stop()
    for trail in (proxy, gateway):
        events = [l["event"] for l in trail.lines()]
        equal((events[:2], events[-1]), (["config", "start"], "stop"), "the first and last events")
    equal(proxy.lines()[0]["decision"], "loaded", "the configuration")
    return trails, admitted, refused


@test("every identity, connector and configuration has its line, with the exchange's id at every hop")
def _(t):
    everything_is_told(t, "json")


@test("format = \"sap\": the same, in the line that SAP documents")
def _(t):
    trails, admitted, refused = everything_is_told(t, "sap")
    documented = ["action", "message", "tunnelId", "objectName", "clientId", "loggedByClass", "handshakeDetails"]
    for line, message, user, tenant, details in ((admitted, "tunnel handshake success", "c1", "acme", "success"),
                                                 (refused, "tunnel handshake failure", "fallback_for_missing_user", "", refused["reason"])):
        equal(list(line)[:7], documented, "the documented members come first")
        equal((line["action"], line["message"], line["objectName"], line["handshakeDetails"], line["sap_user"], line["sap_tenant"]),
              ("open connectivity tunnel", message, "connectivity tunnel management", details, user, tenant), "the documented words")


@test("a region's verdict is told, behind the caller's")
def _(t):
    gw = Gateway(t)
    up = gw.upstream()
    regions = f'regions = ( {{ id = "eu10"; allowed_clients = [ "sb-other" ]; upstream = {up}; }} );\n'
    trail = Trail(t.path("audit"))
    sp = sallyport(t, "proxy", {"apps": [gw.idp.plugin(client_claims=["azp"])]}, [listener("http", "apps")], up, regions + audit(trail.path))
    token = gw.idp.token("acme", azp="sb-app")
    a, s = http_connect(sp.address("http"), "sys.virtual:1", f"Proxy-Authorization: Bearer {token}", "SAP-Connectivity-Region-Configuration-Id: eu10")
    s.close()
    equal(a.status, 403, "status")
    equal([(l["event"], l["decision"], l["outcome"], l["region"]) for l in trail.find(principal="app")],
          [("identity", "allowed", "ok", "eu10"), ("exchange", "denied", "forbidden", "eu10")], "the lines")


@test("who was refused is named, once a plugin had verified it: here a caller of another tenant")
def _(t):
    idp, trail = Issuer(t.dir), Trail(t.path("audit"))
    sp = all_in_one(t, [idp.plugin(), static_tenant("acme")], extra=audit(trail.path))
    equal(socks(sp, token=idp.token("umbrella", sub="mallory")), "sub-negotiation", "a token of another tenant")
    line = trail.one(event="identity", decision="denied", outcome="tenant_conflict")
    equal((line["principal"], line["tenant"], line["plugin"]), ("mallory", "umbrella", "jwt"), "who")
    check("static-tenant" in line["reason"], f"{line}")
    equal(socks(sp, token=idp.forged("umbrella", sub="nobody")), "sub-negotiation", "a forged one")
    check("nobody" not in trail.text() and "umbrella" not in trail.text().splitlines()[-1], "what is not verified is nobody's name")


@test("standard output takes the trail, the log stays on standard error")
def _(t):
    good = t.write("a.conf", conf_text({"apps": LOCAL}, [listener("http", "apps")], DIRECT, audit("-")))
    bad = t.write("b.conf", conf_text({"apps": [NONE, '{ plugin = "nosuch"; }']}, [listener("http", "apps")], DIRECT, audit("-")))
    r = run([binary("sallyport"), "-c", bad], env=sanitizer_env(), ok=(2,))
    check(b'"decision"' not in r.stderr and b"nosuch" in r.stderr, f"{r.stderr}")
    check(r.stdout.count(b"\n") == 1 and b'"event":"config","decision":"rejected"' in r.stdout and b"nosuch" in r.stdout, f"{r.stdout}")
    out = run([binary("sallyport"), "-t", "-c", good], env=sanitizer_env()).stdout.decode()
    check("audit trail in standard output, format json" in out and '"event"' not in out, out)


@test("SIGHUP opens the file anew (logrotate), nothing is lost; a file that cannot be opened keeps the old one")
def _(t):
    trail = Trail(t.path("audit.log"))
    sp = all_in_one(t, extra=audit(trail.path))
    origin = Origin(t, echo)
    equal(stat.S_IMODE(os.stat(trail.path).st_mode) & 0o027, 0, "nobody else may write, others may not read")
    host, port = origin.addr
    socks(sp, host, port)
    os.rename(trail.path, t.path("audit.log.1"))
    socks(sp, host, port)
    mark = sp.mark()
    sp.signal(signal.SIGHUP)
    sp.wait(after=mark, event="audit", message="the audit file is opened anew")
    socks(sp, host, port)
    old = Trail(t.path("audit.log.1"))
    equal((len(old.find(event="identity")), len(trail.find(event="identity"))), (2, 1), "lines before and after")
    os.rename(trail.path, t.path("audit.log.2"))
    os.mkdir(trail.path)
    mark = sp.mark()
    sp.signal(signal.SIGHUP)
    sp.wait(after=mark, event="audit", level="error")
    socks(sp, host, port)
    equal(len(Trail(t.path("audit.log.2")).find(event="identity")), 2, "lines in the old file")


@test("bad audit files do not start, and `-t` says so without creating anything")
def _(t):
    def refused(file, *texts):
        conf = t.write("r.conf", conf_text({"apps": LOCAL}, [listener("http", "apps")], DIRECT, audit(file)))
        for args in ([], ["-t"]):
            r = run([binary("sallyport"), *args, "-c", conf], env=sanitizer_env(), ok=(2,))
            for text in (*texts, "r.conf:"):
                check(text in r.stderr.decode(), f"{text!r} in {r.stderr}")
            check(not ended_badly(r.stderr.decode()), f"{r.stderr}")
    refused(t.write("open.log", "", 0o666), "everybody", "0666")
    os.mkdir(t.path("folder"))
    refused(t.path("folder"), t.path("folder"))
    refused(t.path("none/audit.log"), "none/audit.log")
    refused("/dev/null", "not a regular file")
    conf = t.write("g.conf", conf_text({"apps": LOCAL}, [listener("http", "apps")], DIRECT, audit(t.path("good.log"))))
    run([binary("sallyport"), "-t", "-c", conf], env=sanitizer_env())
    check(not os.path.exists(t.path("good.log")), "`-t` created the file")


def full(t, name, on_failure):
    """all_in_one whose standard output, where its trail goes, is a full disk."""
    conf = t.write(f"{name}.conf", conf_text({"apps": LOCAL}, [listener("http", "apps")], DIRECT, audit("-", on_failure=on_failure)))
    return ["/bin/sh", "-c", 'exec "$0" -c "$1" 3>&1 >/dev/full 2>&3', binary("sallyport"), conf]


@test("a trail that cannot be written: said in the log; on_failure = \"continue\" goes on, \"deny\" does not even start")
def _(t):
    origin = Origin(t, echo)
    sp = Program(t, "goes-on", full(t, "goes-on", "continue")).ready()
    lost = sp.wait(event="audit", level="error")
    check("No space left" in lost["error"], f"{lost}")
    a, s = http_connect(sp.address("http"), origin.text)
    s.close()
    equal(a.status, 200, "status")
    sp.stop()
    equal(sp.count(event="audit"), 1, "lines about it")
    r = run(full(t, "denies", "deny"), env=sanitizer_env(), ok=(2,))
    check(b"on_failure" in r.stdout + r.stderr, f"{r}")


@test("on_failure = \"deny\": when the disk fills up nobody is let in any more, until there is room again")
def _(t):
    origin = Origin(t, echo)
    trail = Trail(t.path("audit.log"))
    sp = all_in_one(t, extra=audit(trail.path, on_failure="deny"))
    resource.prlimit(sp.proc.pid, resource.RLIMIT_FSIZE, (len(trail.text()) + 1500, resource.RLIM_INFINITY))  # some callers fit in
    statuses = []
    while not statuses or statuses[-1] == 200:
        check(len(statuses) < 100, "it never fills up")
        a, s = http_connect(sp.address("http"), origin.text)
        if a.status == 200:  # the target has seen it
            s.sendall(b"x")
            equal(read_exact(s, 1), b"x", "echo")
        s.close()
        statuses.append(a.status)
    equal(statuses[-1], 503, "status of who cannot be recorded")
    equal(len(statuses) - 1, trail.text().count('"decision":"allowed"') - (0 if trail.text().endswith("\n") else 1), "who was let in is recorded")
    sp.wait(event="audit", level="error")
    sp.outcome("auth_unavailable")
    before = origin.accepted
    for _ in range(3):
        a, s = http_connect(sp.address("http"), origin.text)
        s.close()
        equal(a.status, 503, "status")
    equal(origin.accepted, before, "connections that reached the target")
    resource.prlimit(sp.proc.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    a, s = http_connect(sp.address("http"), origin.text)
    s.close()
    equal(a.status, 200, "status after there is room again")
    sp.wait(event="audit", level="notice", message="the audit trail is written again")


main()
