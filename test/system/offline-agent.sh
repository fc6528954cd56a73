#!/bin/bash
# Runs an agent where there is no route, until it has said how it fares with its discovery image. Arguments: CROWBAR CONFIG
# LOG, seconds at most. Prints how many sends and connects the kernel had no way for.
set -eu
ip link set lo up
ip link add rack0 type bridge
ip addr add 192.168.124.10/24 dev rack0
ip link set rack0 up
"$1" agent --config "$2" >"$3" 2>&1 &
agent=$!
for ((i = 0; i < $4 * 5; i++)); do
  ! grep -qs 'the discovery image cannot be made' "$3" || break
  sleep 0.2
done
kill -TERM $agent
wait $agent || true
awk '/^Ip:/ { if (!n) { n = split($0, names) } else { split($0, values); for (i = 1; i <= n; i++) if (names[i] == "OutNoRoutes") sum += values[i] } }
  $1 == "Ip6OutNoRoutes" { sum += $2 } END { print sum + 0 }' /proc/net/snmp /proc/net/snmp6
