#!/bin/sh
# Is doc/configuration.md what the table of settings says? TAP.
echo 1..1
if tests/tools/reference | diff -u "${srcdir:-.}/doc/configuration.md" - > tests/tools/reference.diff; then
	echo "ok 1 - doc/configuration.md is current"
else
	sed 's/^/# /' tests/tools/reference.diff
	echo "# to bring it up to date: tests/tools/reference > ${srcdir:-.}/doc/configuration.md"
	echo "not ok 1 - doc/configuration.md is current"
fi
rm -f tests/tools/reference.diff
