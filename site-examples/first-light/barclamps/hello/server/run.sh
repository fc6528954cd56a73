#!/bin/sh
# Serves /<token>/greeting. The token is made once and survives every later run.
set -eu
state=/var/lib/hello
install -d -m 0711 "$state" "$state/www"
if [ ! -s "$state/token" ]; then
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/token.new")
  mv "$state/token.new" "$state/token"
fi
token=$(cat "$state/token")
install -d -m 0755 "$state/www/$token"
crowbar-get hello.greeting >"$state/www/$token/greeting"

cat >/etc/lighttpd/lighttpd.conf <<EOF
server.document-root = "$state/www"
server.port = $(crowbar-get hello.port)
server.username = "www-data"
server.groupname = "www-data"
server.pid-file = "/run/lighttpd.pid"
server.errorlog = "/var/log/lighttpd/error.log"
EOF
systemctl enable --quiet lighttpd
systemctl restart lighttpd

crowbar-provide token "$token"
