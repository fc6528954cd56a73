#!/bin/bash
# Carries a bundle out where there is nothing else: in a network namespace with a loopback and no route, and without this
# checkout. Arguments: NODES (container or qemu) BUNDLE FINGERPRINT FOLDER, then what is hidden. Writes counts of the kernel to
# FOLDER/counts.
set -eu
nodes=$1 bundle=$2 trust=$3 folder=$4
shift 4
ip link set lo up
for hidden; do if [ -d "$hidden" ]; then mount -t tmpfs tmpfs "$hidden"; else mount --bind /dev/null "$hidden"; fi; done
cd "$folder"
# What the kernel was asked to send and had no way for: a connect or a datagram that leaves the namespace. And what somebody
# else on the wire, as a virtual machine, asked it to pass on.
strays() {
  awk '/^Ip:/ { if (!n) { n = split($0, names) } else { split($0, values); for (i = 1; i <= n; i++) if (names[i] ~ /^(OutNoRoutes|InAddrErrors|ForwDatagrams)$/) print values[i] } }' "$1/net/snmp"
  awk '$1 ~ /^Ip6(OutNoRoutes|InNoRoutes|InAddrErrors|OutForwDatagrams)$/ { print $2 }' "$1/net/snmp6"
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
program/bin/crowbar rehearse site --nodes "$nodes" --store data/store --offline --keep-going 120 --hold --out out >report.txt 2>progress.txt &
rehearsal=$!
until grep -q 'The rack stays up' progress.txt || ! kill -0 $rehearsal 2>/dev/null; do sleep 0.3; done
count outside /proc/self
rack=$(pgrep -f "^$folder/program/[^ ]*/bin/node [^ ]*/bin/main.js rack " | head -n 1)
readlink "/proc/$rack/exe" >runtime
count rack "/proc/$rack"
# The counts count: the same in either place, on purpose, and from another machine on the rack's wire.
(exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null || true
count outside-control /proc/self
in_rack() { nsenter --target "$rack" --net "$@"; }
in_rack bash -c '(exec 3<>/dev/tcp/192.0.2.1/80); echo >/dev/udp/192.0.2.1/53' 2>/dev/null || true
count rack-control "/proc/$rack"
in_rack bash -e <<'ON_THE_WIRE'
bridge=$(ip -o link show type bridge | sed 's/^[0-9]*: \([^:]*\):.*/\1/')
admin=$(ip -o -4 address show dev "$bridge" | sed 's,.* inet \([0-9.]*\)/.*,\1,')
unshare --net sleep 30 &
sleep 0.5
ip link add stray type veth peer name eth0 netns $!
ip link set stray master "$bridge" up
nsenter --target $! --net bash -c "ip address add ${admin%.*}.250/24 dev eth0; ip link set eth0 up; ip route add default via $admin; timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'" 2>/dev/null || true
kill $! || true
ON_THE_WIRE
count wire-control "/proc/$rack"
kill -INT $rehearsal
wait $rehearsal
