#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role logging-sender
own_packages rsyslog rsyslog-gnutls

tls=$(crowbar-get logging.tls)
port=$(crowbar-get logging.port)
authorities=/etc/rsyslog-crowbar/collectors.pem
if [ "$tls" = true ]; then
  : > "$draft"
  index=0
  while crowbar-get --has "wants.certificates.$index"; do
    crowbar-get "wants.certificates.$index" >> "$draft"
    index=$((index + 1))
  done
  if crowbar-get --has logging.authority; then crowbar-get logging.authority >> "$draft"; echo >> "$draft"; fi
  grep -q 'BEGIN CERTIFICATE' "$draft" || fail "nothing says what certificate the collector has: set logging.authority, or logging.tls: false"
  put_file "$authorities" 0644
fi

queue=/var/spool/rsyslog-crowbar
note_folder "$queue"
number=0
{
  echo "# Written by Crowbar."
  [ "$tls" != true ] || echo "global(defaultNetstreamDriverCAFile=\"$authorities\")"
  for collector in $(crowbar-get wants.collectors); do
    number=$((number + 1))
    echo "*.$(crowbar-get logging.level) action(type=\"omfwd\" name=\"crowbar$number\" target=\"$collector\" port=\"$port\" protocol=\"tcp\" template=\"RSYSLOG_SyslogProtocol23Format\""
    [ "$tls" != true ] || echo "  streamDriver=\"gtls\" streamDriverMode=\"1\" streamDriverAuthMode=\"x509/certvalid\""
    echo "  action.resumeRetryCount=\"-1\" action.resumeInterval=\"5\" action.resumeIntervalMax=\"60\""
    echo "  queue.type=\"LinkedList\" queue.filename=\"crowbar$number\" queue.spoolDirectory=\"$queue\" queue.maxDiskSpace=\"$(crowbar-get logging.queueMiB)m\" queue.saveOnShutdown=\"on\" queue.timeoutEnqueue=\"0\")"
  done
} > "$draft"
[ "$number" -gt 0 ] || fail "there is no collector: bind logging-collector"
put_file /etc/rsyslog.d/10-crowbar-sender.conf 0644 rsyslogd -N1 -f

# What programs write to the journal alone comes too.
printf '[Journal]\nForwardToSyslog=yes\n' > "$draft"
effect=nothing
put_file /etc/systemd/journald.conf.d/crowbar.conf 0644
if changed; then systemctl kill --kill-who=main --signal=HUP systemd-journald.service 2>/dev/null || :; fi
run_service rsyslog.service
end_role
