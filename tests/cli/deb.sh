# SPDX-License-Identifier: BSD-2-Clause
# Tests the files of the Debian packages as far as it goes without a build;
# tests/deb builds and installs them.
. tests/lib/cli.sh

check_equal "debian/changelog has the version of VERSION" "$(cat VERSION)" \
	"$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)"
check_equal "both source packages have one maintainer" 1 \
	"$(cat debian/control integration/deb/firmware/debian/control |
		grep '^Maintainer: ' | sort -u | wc -l)"
for script in debian/*.postinst debian/*.prerm debian/*.postrm; do
	check "${script#debian/} is a shell script" sh -n "$script"
	check "${script#debian/} stops no pflashd" sh -c \
		"! grep -v '^#' '$script' | grep -E '(stop|restart|kill).*pflashd'"
done

# --- the descriptions of the firmware ---

check_equal "each image has a description" 3 \
	"$(find integration/deb/firmware/debian -name '*.json' | wc -l)"
for file in integration/deb/firmware/debian/*.json; do
	check "${file##*/} names one image, its store and its layout" python3 -c '
import json, sys
firmware = json.load(open(sys.argv[1]))
mapping = firmware["mapping"]
image = mapping["executable"]["filename"]
store = mapping["nvram-template"]["filename"]
size = "4m" if "_4M" in image else "2m"
plain = image.replace(".secboot", "")
assert plain.replace("OVMF_XEN", "OVMF_XEN_VARS") == store
assert ("secure-boot" in firmware["features"]) == (plain != image)
assert firmware["tags"] == ["pflashd: layout = " + size]' "$file"
done

# --- each installed file is in one package ---

root=$tmp/root
make BUILD="$build" DESTDIR="$root" PREFIX=/usr UNITDIR=/units install \
	install-apparmor >"$tmp/out" 2>&1 || not_ok "make install: $(tail -n 1 "$tmp/out")"
(cd "$root" && find . ! -type d) | sed 's|^\./||' | sort >"$tmp/installed"
check "files are installed" test "$(wc -l <"$tmp/installed")" -gt 20
# shellcheck disable=SC2016
sed 's|^\${env:UNITDIR}|units|' debian/*.install >"$tmp/listed"
while read -r file; do
	awk -v file="$file" '$0 == file || index(file, $0 "/") == 1 { n++ }
		END { if (n != 1) print file ": in " n + 0 " packages" }' "$tmp/listed"
done <"$tmp/installed" >"$tmp/wrong"
check_equal "each is in one package" '' "$(cat "$tmp/wrong")"
check_equal "each line of debian/*.install names one" '' \
	"$(while read -r line; do
		grep -q "^$line\(/\|\$\)" "$tmp/installed" || echo "$line"
	done <"$tmp/listed")"
finish
