#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role dns-server
own_packages dns-root-data unbound

domain=$(crowbar-get dns.domain)
ttl=$(crowbar-get dns.ttl)
yes_or_no() { if [ "$1" = true ]; then echo yes; else echo no; fi; }

# What unbound reads once.
cache=$(crowbar-get dns.cacheMiB)
{
  echo "# Written by Crowbar."
  echo "server:"
  # Nothing is bound twice: 0.0.0.0 has 127.0.0.1 in it.
  listen=$(crowbar-get dns.listen | sort -u)
  case " $(echo $listen) " in *' 0.0.0.0 '*) listen=$(echo "$listen" | grep -v '^[0-9.]*$' || :)" 0.0.0.0" ;; *) listen=$(printf '%s\n127.0.0.1\n' "$listen" | sort -u) ;; esac
  for address in $listen; do echo "    interface: $address"; done
  echo "    ip-freebind: yes"
  echo "    access-control: 127.0.0.0/8 allow"
  echo "    access-control: ::1/128 allow"
  for network in $(crowbar-get dns.allow); do echo "    access-control: $network allow"; done
  echo "    msg-cache-size: $((cache / 2 + 1))m"
  echo "    rrset-cache-size: ${cache}m"
  echo "    hide-identity: yes"
  echo "    hide-version: yes"
  echo "    domain-insecure: \"$domain\""
  [ "$(crowbar-get dns.dnssec)" = true ] || echo "    module-config: \"iterator\""
} > "$draft"
put_file /etc/unbound/unbound.conf.d/crowbar.conf 0644 unbound-checkconf

printf '[Service]\nLimitNOFILE=%s\n' "$(crowbar-get dns.openFiles)" > "$draft"
put_file /etc/systemd/system/unbound.service.d/crowbar.conf 0644

# One line an address, so that the same name may come from several places: NAME ADDRESS.
names=$(
  for list in clients servers; do
    index=0
    while crowbar-get --has "wants.$list.$index.address"; do
      echo "$(crowbar-get "wants.$list.$index.name").$domain $(crowbar-get "wants.$list.$index.address")"
      index=$((index + 1))
    done
  done
  for name in $(crowbar-get dns.records); do
    case $name in *.*) full=$name ;; *) full=$name.$domain ;; esac
    key=$(printf %s "$name" | sed 's/\./%2E/g')
    for address in $(crowbar-get "dns.records.$key"); do echo "$full $address"; done
  done
)

# What it reads again without forgetting what it knows.
effect=reload
{
  echo "# Written by Crowbar."
  echo "server:"
  echo "    local-zone: \"$domain.\" static"
  printf '%s\n' "$names" | awk 'NF == 2 && !seen[$0]++ { print $1, $2, !named[$2]++ }' | while read -r name address first; do
    case $address in *:*) type=AAAA ;; *) type=A ;; esac
    echo "    local-data: \"$name. $ttl IN $type $address\""
    # An address has one name, and a node's own comes first.
    if [ "$first" = 1 ]; then echo "    local-data-ptr: \"$address $ttl $name.\""; fi
  done
  if [ "$(crowbar-get dns.recursion)" != true ]; then
    echo "    local-zone: \".\" refuse"
  elif [ -n "$(crowbar-get dns.forwarders)" ]; then
    echo "forward-zone:"
    echo "    name: \".\""
    for forwarder in $(crowbar-get dns.forwarders); do echo "    forward-addr: $forwarder"; done
  fi
} > "$draft"
put_file /etc/unbound/unbound.conf.d/crowbar-names.conf 0644 unbound-checkconf
run_service unbound.service
crowbar-provide answers --json true
end_role
