#!/bin/sh
# sallyportctl from its command line: files, exit codes, options. TAP; runs in the build folder.
ctl=${SP_CTL:-./sallyportctl}
d=$(mktemp -d) || exit 99
trap 'rm -rf "$d"' EXIT
n=0 failed=0
check() { # NAME COMMAND...
	n=$((n + 1)); name=$1; shift
	if "$@"; then echo "ok $n - $name"; else echo "not ok $n - $name"; failed=1; fi
}
exits() { # CODE COMMAND...
	want=$1; shift
	"$@" >"$d/out" 2>"$d/err"
	[ $? -eq "$want" ] || { sed 's/^/# /' "$d/err"; false; }
}
claims() { cut -d. -f2 "$d/out" | tr _- /+ | awk '{ while (length % 4) $0 = $0 "="; print }' | base64 -d; }
has() { case "$(claims)" in *"$1"*) ;; *) echo "# not in: $(claims)"; false;; esac; }
say() { grep -q -- "$1" "$d/err"; }

check "jwks makes a key" exits 0 $ctl jwks --new "$d/k"
check "the key is private" [ "$(stat -c %a "$d/k/jwks-key.pem")" = 600 ]
check "the set names no private part" grep -qv '"d"' "$d/k/jwks.json"
check "nothing is overwritten" exits 1 $ctl jwks --new "$d/k"
check "jwks takes an algorithm and a name" exits 0 $ctl jwks --new "$d/r" --alg RS256 --kid me
check "which are in the set" grep -q '"alg":"RS256","kid":"me"' "$d/r/jwks.json"
check "an unknown algorithm" exits 1 $ctl jwks --new "$d/h" --alg HS256
check "token" exits 0 $ctl token --dir "$d/k" --issuer https://i --audience a --subject s --claim tenant=acme --expires 8h
check "has the issuer" has '"iss":"https://i"'
check "has the audience" has '"aud":"a"'
check "has the claim" has '"tenant":"acme"'
check "has an end" has '"exp":'
check "token by key file and kid, several audiences" exits 0 $ctl token --key "$d/r/jwks-key.pem" --kid me --aud a --aud b --exp never \
	--claim-json 'n={"x":1}'
check "several audiences are a list" has '"aud":["a","b"]'
check "JSON claims" has '"n":{"x":1}'
check "never expires" sh -c '! grep -q exp' <<X
$(claims)
X
check "a bad claim" exits 1 $ctl token --dir "$d/k" --claim tenant
check "is explained" say 'is not NAME=VALUE'
check "a bad duration" exits 1 $ctl token --dir "$d/k" --expires soon
check "no key" exits 1 $ctl token --dir "$d/none"
check "no key named" exits 2 $ctl token --issuer x
check "an unknown option" exits 2 $ctl token --dir "$d/k" --tenant acme
check "a stray argument" exits 2 $ctl token --dir "$d/k" x
check "no command" exits 2 $ctl
check "--help" exits 0 $ctl --help
check "--version" exits 0 $ctl --version
echo "1..$n"
exit $failed
