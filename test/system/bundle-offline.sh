#!/bin/bash
# Carries a bundle out where there is nothing else: in a network namespace with a loopback and no route, and without this
# checkout. Arguments: BUNDLE FINGERPRINT FOLDER, then what is hidden. Writes counts of the kernel to FOLDER/counts.
set -eu
bundle=$1 trust=$2 folder=$3
shift 3
ip link set lo up
for hidden; do mount -t tmpfs tmpfs "$hidden"; done
cd "$folder"
# What the kernel was asked to send and had no way for: a connect or a datagram that leaves the namespace.
strays() {
  awk '/^Ip:/ { if (!n) { n = split($0, names) } else { split($0, values); for (i = 1; i <= n; i++) if (names[i] == "OutNoRoutes") print values[i] } }' "$1/net/snmp"
  awk '$1 == "Ip6OutNoRoutes" { print $2 }' "$1/net/snmp6"
}
count() { echo "$1 $(strays "$2" | awk '{ s += $1 } END { print s + 0 }')" >>counts; }
: >counts
# An admin node without Crowbar: its script unpacks the first one, which checks and loads the bundle.
tar -xOf "$bundle" install.sh | sh -s -- "$bundle" bootstrap >&2
bootstrap/bin/crowbar bundle load "$bundle" --trust "$trust" --data data --repository site.git --program program
rm -r bootstrap
export HOME=$folder/home XDG_CACHE_HOME=$folder/data/cache
mkdir -p "$HOME"
git -c safe.directory='*' clone --quiet site.git site
program/bin/crowbar rehearse site --nodes container --store data/store --offline --hold --out out >report.txt 2>progress.txt &
rehearsal=$!
until grep -q 'The rack stays up' progress.txt || ! kill -0 $rehearsal 2>/dev/null; do sleep 0.3; done
count outside /proc/self
rack=$(pgrep -f "^$folder/program/[^ ]*/bin/node [^ ]*/bin/main.js rack " | head -n 1)
readlink "/proc/$rack/exe" >runtime
count rack "/proc/$rack"
# The counts count: the same in either place, on purpose.
(exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null || true
count outside-control /proc/self
nsenter --target "$rack" --net bash -c '(exec 3<>/dev/tcp/192.0.2.1/80); echo >/dev/udp/192.0.2.1/53' 2>/dev/null || true
count rack-control "/proc/$rack"
kill -INT $rehearsal
wait $rehearsal
