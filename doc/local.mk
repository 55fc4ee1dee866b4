dist_doc_DATA += doc/tunnel.md doc/plugins.md doc/audit.md doc/configuration.md doc/http.md doc/jwt.md
