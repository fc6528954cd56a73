#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role logging-collector
own_packages rsyslog rsyslog-gnutls

port=$(crowbar-get logging.port)
folder=$(crowbar-get logging.folder)
tls=$(crowbar-get logging.tls)
address=$(crowbar-get crowbar.node.name).$(crowbar-get crowbar.site.domain)

# The key never leaves this node. It is made once, and anew a month before the certificate ends.
certificates=/etc/rsyslog-crowbar
note_folder "$certificates"
good() {
  [ -s "$certificates/key.pem" ] && openssl x509 -in "$certificates/certificate.pem" -noout -checkend 2592000 >/dev/null 2>&1 &&
    openssl x509 -in "$certificates/certificate.pem" -noout -checkhost "$address" 2>/dev/null | grep -q 'does match'
}
if ! good; then
  umask 077
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$(crowbar-get crowbar.node.name)" -addext "subjectAltName=DNS:$address" -addext "basicConstraints=critical,CA:TRUE" \
    -keyout "$certificates/.key.pem" -out "$certificates/.certificate.pem" 2>"$draft" || fail "openssl: $(cat "$draft")"
  umask 022
  note_file "$certificates/key.pem"
  note_file "$certificates/certificate.pem"
  note_change
  chmod 0600 "$certificates/.key.pem"
  chmod 0644 "$certificates/.certificate.pem"
  mv -f "$certificates/.certificate.pem" "$certificates/certificate.pem"
  mv -f "$certificates/.key.pem" "$certificates/key.pem"
  say "$certificates/key.pem is new"
fi

note_folder "$folder"
{
  echo "# Written by Crowbar."
  if [ "$tls" = true ]; then
    echo "global("
    echo "  defaultNetstreamDriverCAFile=\"$certificates/certificate.pem\""
    echo "  defaultNetstreamDriverCertFile=\"$certificates/certificate.pem\""
    echo "  defaultNetstreamDriverKeyFile=\"$certificates/key.pem\""
    echo ")"
    echo 'module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon" maxSessions="20000")'
  else
    echo 'module(load="imtcp" maxSessions="20000")'
  fi
  cat <<'RULES'
# A name that leads out of the folder does not: secpath-replace.
template(name="crowbarFile" type="list") {
  constant(value="FOLDER/")
  property(name="hostname" securepath="replace")
  constant(value="/messages.log")
}
ruleset(name="crowbarCollect") {
  action(type="omfile" dynaFile="crowbarFile" dynaFileCacheSize="1000" dirCreateMode="0750" fileCreateMode="0640" template="RSYSLOG_FileFormat")
}
RULES
  echo "input(type=\"imtcp\" port=\"$port\" ruleset=\"crowbarCollect\")"
} > "$draft"
sed -i "s|FOLDER/|$folder/|" "$draft"
put_file /etc/rsyslog.d/10-crowbar-collector.conf 0644 rsyslogd -N1 -f

effect=nothing
cat > "$draft" <<TEXT
# Written by Crowbar.
$folder/*/messages.log {
  daily
  rotate $(crowbar-get logging.keepDays)
  maxage $(crowbar-get logging.keepDays)
  missingok
  notifempty
  compress
  delaycompress
  dateext
  dateformat -%Y%m%d
  sharedscripts
  postrotate
    systemctl kill --signal=HUP rsyslog.service
  endscript
}
TEXT
put_file /etc/logrotate.d/crowbar-collected 0644
run_service rsyslog.service
crowbar-provide certificate --stdin < "$certificates/certificate.pem"
end_role
