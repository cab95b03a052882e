"""A service over TLS: answers every request with what it knows of the connection, as JSON.

Arguments: certificate, key and the authority that clients may show a certificate of.
"""
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        subject = dict(pair[0] for pair in self.connection.getpeercert().get("subject", ())) \
            if self.connection.getpeercert() else {}
        body = json.dumps({
            "sni": getattr(self.connection, "asked", None),
            "host": self.headers["Host"],
            "client": subject.get("commonName"),
            "port": self.client_address[1],
            "reused": self.connection.session_reused,
        }).encode()
        self.send_response(200)
        if self.path == "/until-close":
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/last":
            self.close_connection = True

    def log_message(self, *_):
        pass


certificate, key, authority = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.load_verify_locations(authority)
context.verify_mode = ssl.CERT_OPTIONAL
context.sni_callback = lambda connection, name, _: setattr(connection, "asked", name)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.handle_error = lambda *_: None
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
