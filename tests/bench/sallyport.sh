# The project's slot in the peer benchmark: near end (SOCKS5 -> per-tenant tunnels) and far end (tunnel listener -> TCP), two
# processes, HTTP/2 over TLS 1.3 between them. Sourced by the harness; common.sh there describes the variables.
#
# SALLYPORT_BUILD     the build folder
# SALLYPORT_TRUSTED=1 no token: the near end trusts its callers, one tenant (default: a JWT in method 0x80 names the tenant)
# SALLYPORT_WORKERS   workers of each end (default 1)
PEER_DESC="sallyport: SOCKS5 (0x80, JWT) -> pooled HTTP/2 over TLS 1.3 per tenant -> far end"
PEER_KIND=tunnel
PEER_PROTO=socks5-token
PEER_NEEDS=$SALLYPORT_BUILD/sallyport
if [ -n "$SALLYPORT_TRUSTED" ]; then
	PEER_DESC="sallyport: SOCKS5 (trusted) -> pooled HTTP/2 over TLS 1.3 -> far end"
	PEER_PROTO=socks5
fi

bench_tokens() { # once per run: a key pair, its JWK set, and a token per tenant
	local dir=$tmp/sallyport-keys n=0
	[ -s "$dir/tokens" ] && return
	mkdir -p "$dir"
	"$SALLYPORT_BUILD/sallyportctl" jwks --new "$dir" >/dev/null || return 1
	while read -r tenant _; do
		n=$((n + 1))
		"$SALLYPORT_BUILD/sallyportctl" token --dir "$dir" --issuer https://idp.example --audience sallyport \
			--claim "tenant=$tenant" --subject bench --expires 1h || return 1
	done <"$TOKENS" >"$dir/tokens"
}
peer_start() {
	local far workers=${SALLYPORT_WORKERS:-1} dir=$tmp/sallyport-keys apps auth
	pick_port PEER_PORT far
	bench_tokens || return 1
	install -m 600 "$KEY" "$PEER_TMP/key.pem"
	printf 'bench-secret' >"$PEER_TMP/unused"
	apps="( { plugin = \"jwt\"; issuer = \"https://idp.example\"; audience = \"sallyport\"; jwks_file = \"$dir/jwks.json\"; tenant_claims = [ \"tenant\" ]; } )"
	[ -n "$SALLYPORT_TRUSTED" ] && apps='( { plugin = "none"; }, { plugin = "static-tenant"; tenant = "bench"; } )'
	cat >"$PEER_TMP/far.conf" <<-E
		log = { level = "warn"; };
		workers = $workers;
		plugin_dir = "$SALLYPORT_BUILD/plugins/.libs";
		limits = { exchanges = 60000; clients = 60000; };
		auth: { proxies = ( { plugin = "none"; }, { plugin = "static-tenant"; tenant = "unused"; } ); };
		listeners = ( { protocol = "tunnel"; address = "127.0.0.1:$far"; auth = "proxies"; speaks_for_any = [ "*" ];
		                tls = { cert_file = "$CERT"; key_file = "$PEER_TMP/key.pem"; }; } );
		upstream = { kind = "direct"; };
	E
	cat >"$PEER_TMP/near.conf" <<-E
		log = { level = "warn"; };
		workers = $workers;
		plugin_dir = "$SALLYPORT_BUILD/plugins/.libs";
		limits = { exchanges = 60000; clients = 60000; };
		auth: { apps = $apps; };
		listeners = ( { protocol = "socks5"; address = "127.0.0.1:$PEER_PORT"; auth = "apps"; } );
		upstream = { kind = "gateway"; url = "https://127.0.0.1:$far"; ca_file = "$CERT"; };
	E
	spawn far "$SALLYPORT_BUILD/sallyport" -c "$PEER_TMP/far.conf"
	wait_port $far || return 1
	spawn near "$SALLYPORT_BUILD/sallyport" -c "$PEER_TMP/near.conf"
	wait_port $PEER_PORT || return 1
	[ -n "$SALLYPORT_TRUSTED" ] && return 0
	PEER_ARGS=(--token "$(head -n 1 "$dir/tokens")")
	PEER_MT_ARGS=(--tokens "$dir/tokens")
}
