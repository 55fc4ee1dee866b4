"""Configurations and the programs that run them: all in one; proxy, gateway and connectors."""
import os
import re

from .env import PLUGIN_DIR
from .net import text_of
from .pki import CA
from .program import start
from .tokens import Issuer

__all__ = ["NONE", "LOCAL", "DIRECT", "CONNECTORS", "none", "static_tenant", "mtls", "listener", "tunnel_listener", "conf_text",
           "sallyport", "all_in_one", "gateway_upstream", "connector", "web", "Gateway", "wait_connectors", "patient"]

NONE = '{ plugin = "none"; }'
DIRECT = '{ kind = "direct"; }'
CONNECTORS = '{ kind = "connectors"; }'


def none(**settings):
    return _plugin("none", settings)


def static_tenant(tenant):
    return _plugin("static-tenant", {"tenant": tenant})


def mtls(**settings):
    return _plugin("mtls", settings)


def _value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, (list, tuple)) and v and isinstance(v[0], dict):
        return "( " + ", ".join(_value(x) for x in v) + " )"
    if isinstance(v, (list, tuple)):
        return "[ " + ", ".join(f'"{x}"' for x in v) + " ]"
    if isinstance(v, dict):
        return "{ " + " ".join(f"{k} = {_value(x)};" for k, x in v.items()) + " }"
    return f'"{v}"'


def _plugin(name, settings):
    return _value({"plugin": name, **settings})


LOCAL = (NONE, static_tenant("acme"))


def listener(protocol, chain, address="127.0.0.1:0", **settings):
    return _value({"protocol": protocol, "address": address, "auth": chain, **settings})


def tunnel_listener(cert, *, auth=None, connectors=None, client_ca=None, speaks_for_any=(), address="127.0.0.1:0"):
    """cert: (certificate file, key file)."""
    s = {"protocol": "tunnel", "address": address}
    if auth:
        s["auth"] = auth
    if connectors:
        s["connectors"] = connectors
    if speaks_for_any:
        s["speaks_for_any"] = list(speaks_for_any)
    s["tls"] = {"cert_file": cert[0], "key_file": cert[1], **({"client_ca_file": client_ca} if client_ca else {})}
    return _value(s)


# In place of the defaults, which slow machines may not meet: nothing that these tests judge depends on time.
_PATIENT = {"timeouts": {"handshake": "5m", "auth": "5m", "open": "5m", "dial": "5m"}, "tunnels": {"wait": "5m", "ping_after": "5m"}}


def patient(extra, proxy=True):
    """extra ("timeouts = { ... };") with what it does not set itself of the above."""
    for group, settings in _PATIENT.items():
        m = re.search(group + r" = \{([^}]*)\};", extra)
        inner = m.group(1) if m else " "
        for key, value in settings.items():
            if not re.search(rf"\b{key} =", inner) and (proxy or key not in ("auth", "wait")):
                inner += f'{key} = "{value}"; '
        extra = extra.replace(m.group(0) if m else "\0", "") + f"\n{group} = {{{inner}}};"
    return extra


def conf_text(chains, listeners, upstream, extra="", level="debug"):
    """chains: name -> plugins' groups. extra: more of the file ("timeouts = { ... };")."""
    extra = patient(extra)
    auth = "".join(f"  {name} = ( {', '.join(plugins)} );\n" for name, plugins in chains.items())
    return (f'plugin_dir = "{PLUGIN_DIR}";\nlog = {{ level = "{level}"; format = "json"; }};\n{extra}\n'
            f"auth = {{\n{auth}}};\nlisteners = (\n  " + ",\n  ".join(listeners) + f"\n);\nupstream = {upstream};\n")


def sallyport(t, name, chains, listeners, upstream, extra="", level="debug"):
    """Started and ready."""
    return start(t, "sallyport", name, conf_text(chains, listeners, upstream, extra, level)).ready()


def all_in_one(t, chain=LOCAL, extra="", name="sallyport", level="debug"):
    """SOCKS5 and HTTP, targets reached directly."""
    return sallyport(t, name, {"apps": chain}, [listener("socks5", "apps"), listener("http", "apps")], DIRECT, extra, level)


def gateway_upstream(addr, ca_file, cert=None, token_file=None, host=None):
    """host: the name under which the gateway is dialled, if not its address."""
    s = {"kind": "gateway", "url": f"https://{host}:{addr[1]}" if host else f"https://{text_of(addr)}", "ca_file": ca_file}
    if cert:
        s["cert_file"], s["key_file"] = cert
    if token_file:
        s["token"] = {"file": token_file}
    return _value(s)


def connector(t, name, addr, ca_file, expose, *, cert=None, token_file=None, location="", tunnels=1, extra="", host=None, id=None,
              level="debug"):
    """Started, not waited for. expose: virtual "host:port" -> internal "host:port", or
    web(...). id: by default the name; "" = not configured."""
    gateway = {"url": f"https://{host}:{addr[1]}" if host else f"https://{text_of(addr)}", "ca_file": ca_file,
               "location": location, "tunnels": tunnels}
    if id != "":
        gateway["id"] = id or name
    if cert:
        gateway["cert_file"], gateway["key_file"] = cert
    if token_file:
        gateway["token"] = {"file": token_file}
    systems = ", ".join(_value({"virtual": v, **(i if isinstance(i, dict) else {"protocol": "tcp", "internal": i})})
                        for v, i in expose.items())
    return start(t, "sallyport-connector", name,
                 f'log = {{ level = "{level}"; format = "json"; }};\n{patient(extra, proxy=False)}\ngateway = {_value(gateway)};\nexpose = ( {systems} );\n')


def web(internal, paths=("/",), **settings):
    """An exposed HTTP system. paths: with everything below them, or groups as they are configured."""
    groups = [p if isinstance(p, dict) else {"path": p, "sub_paths": True} for p in paths]
    return {"protocol": "http", "internal": internal, "paths": groups, **settings}


def wait_connectors(program, count=1, after=0):
    """Blocks until so many tunnels of connectors have come in at this gateway (or proxy)."""
    return program.wait(count, after=after, event="connector", message="connected")


class Gateway:
    """A gateway with everything around it: certificates, an identity provider, and methods that add connectors and proxies.

    by = "mtls": proxies and connectors show client certificates (the subject's O is a connector's tenant);
    by = "jwt": both send bearer tokens, the gateway's own certificate authority signs nothing but the gateway.
    The proxy CN=proxy (subject "proxy" in tokens) may name the tenant of each exchange."""

    def __init__(self, t, by="mtls", extra="", name="gateway", address="127.0.0.1:0", level="debug"):
        self.t, self.by, self.name, self.extra, self.level = t, by, name, extra, level
        folder = t.path(name + ".files")
        os.mkdir(folder)
        self.ca = CA(folder)
        self.cert = self.ca.server()
        self.idp = Issuer(folder)
        self.start(address)

    def conf(self, address):
        if self.by == "mtls":
            chains = {"proxies": [mtls(allowed_subjects=["CN=proxy"])], "connectors": [mtls(tenant_from="subject:O")]}
            one = tunnel_listener(self.cert, auth="proxies", connectors="connectors", client_ca=self.ca.file,
                                  speaks_for_any=["CN=proxy"], address=address)
        else:
            chains = {"proxies": [self.idp.plugin(audience="gateway")], "connectors": [self.idp.plugin(audience="connector")]}
            one = tunnel_listener(self.cert, auth="proxies", connectors="connectors", speaks_for_any=["proxy"], address=address)
        return conf_text(chains, [one], CONNECTORS, self.extra, self.level)

    def start(self, address):
        self.program = start(self.t, "sallyport", self.name, self.conf(address)).ready()
        self.addr = self.program.address("tunnel")

    def restart(self):
        """Again, at the same address."""
        self.start(text_of(self.addr))

    # ---- around it ------------------------------------------------------------------------

    def token_file(self, name, token):
        return self.t.write(f"{name}.token", token + "\n")

    def connector(self, name, expose, tenant="acme", location="", wait=True, **more):
        """A connector of this tenant; by default waits until its tunnels are there."""
        before = self.program.mark()
        if self.by == "mtls":
            more["cert"] = self.ca.client(name, f"/O={tenant}/CN={name}")
        elif "token_file" not in more:
            more["token_file"] = self.token_file(name, self.idp.token(tenant, sub=name, aud="connector"))
        c = connector(self.t, name, self.addr, self.ca.file, expose, location=location, **more)
        if wait:
            wait_connectors(self.program, more.get("tunnels", 1), after=before)
        return c

    def upstream(self, name="proxy", subject=None):
        """An upstream with the credential of the proxy that may speak for any tenant."""
        if self.by == "mtls":
            return gateway_upstream(self.addr, self.ca.file, cert=self.ca.client(name, subject or "/CN=proxy"))
        token = self.idp.token(sub=subject or "proxy", aud="gateway")
        return gateway_upstream(self.addr, self.ca.file, token_file=self.token_file(name, token))

    def proxy(self, chains=None, listeners=None, name="proxy", extra="", level="debug"):
        """By default SOCKS5 and HTTP for the single tenant acme, nobody is asked."""
        if chains is None:
            chains = {"apps": LOCAL}
        if listeners is None:
            listeners = [listener(p, c) for c in chains for p in ("socks5", "http")]
        return sallyport(self.t, name, chains, listeners, self.upstream(name), extra, level)
