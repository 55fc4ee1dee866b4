"""Smoke: requests through the tunnel."""
import subprocess, threading, http.server, socketserver, hashlib, time, os, socket
from harness import *

class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def body(self):
        if self.headers.get("Transfer-Encoding"):
            out=b""
            while True:
                n=int(self.rfile.readline().split(b";")[0],16)
                d=self.rfile.read(n); self.rfile.readline() if n else None
                if not n:
                    while self.rfile.readline().strip(): pass
                    return out
                out+=d
        return self.rfile.read(int(self.headers.get("Content-Length",0)))
    def do(self):
        b=self.body()
        out=(self.command+" "+self.path+"\n"+str(self.headers)+"len=%d\n"%len(b)).encode()
        self.send_response(200); self.send_header("Content-Length",str(len(out))); self.end_headers()
        if self.command!="HEAD": self.wfile.write(out)
    do_GET=do_POST=do_PUT=do_HEAD=do_DELETE=do

class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads=True

@test("curl")
def _(t):
    s=S(("127.0.0.1",0),H); threading.Thread(target=s.serve_forever,daemon=True).start()
    gw=Gateway(t)
    gw.connector("c1",{"sys.virtual:80":web("127.0.0.1:%d"%s.server_port,["/a","/b","/p","/up"]),"tcp.virtual:80":"127.0.0.1:%d"%s.server_port})
    sp=gw.proxy()
    px="http://%s"%text_of(sp.address("http"))
    def curl(*a, inp=None):
        r=subprocess.run(["curl","-sS","-x",px,"-m","20",*a],input=inp,capture_output=True)
        print("#",a,r.returncode,r.stdout.decode().replace("\n","|")[-900:],r.stderr.decode()[-900:].replace("\n","|"),flush=True)
    curl("http://sys.virtual/a","http://sys.virtual/b?x=1","-v")
    curl("-I","http://sys.virtual/a")
    curl("-d","hello","http://sys.virtual/p")
    curl("-T","-","http://sys.virtual/up",inp=b"x"*3000000)
    curl("-T","-","http://sys.virtual/up","-H","Expect: 100-continue",inp=b"x"*3000000)
    curl("http://other.virtual/a","-i")
    curl("-d","hello","http://other.virtual/a","-i")
    curl("http://sys.virtual/nono?x","-i")
    curl("http://tcp.virtual/a","-i")
    curl("-p","http://tcp.virtual/a","-i")
    curl("-p","http://sys.virtual/a","-i")
    curl("https://sys.virtual/a","-i")
    curl("-x",px.replace("http","socks5h"),"http://sys.virtual/")
    s.shutdown()

main()
