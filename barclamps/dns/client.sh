#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role dns-client

domain=$(crowbar-get dns.domain)
servers=$(crowbar-get dns.servers)
if [ -z "$servers" ] && crowbar-get --has wants.servers; then servers=$(crowbar-get wants.servers | head -n 3); fi
[ -n "$servers" ] || fail "no name servers: bind dns-server in a deployment that comes before, or set dns.servers"

effect=nothing
{
  echo "# Written by Crowbar."
  echo "search $domain $(crowbar-get dns.search | tr '\n' ' ')" | sed 's/ *$//'
  for server in $servers; do echo "nameserver $server"; done
  echo "options timeout:2 attempts:2"
} > "$draft"

# A node that cannot find names any more is worse than one that finds them elsewhere: some server has to answer first,
# which it does from its own knowledge for a name of the domain, whether there is such a name or not.
answers() {
  for server in $servers; do
    if asks "$server"; then return 0; fi
  done
  return 1
}

# One question over UDP, with perl, which every Debian has: any answer that is one to it will do, but for a refusal.
asks() {
  perl -e '
    use strict; use IO::Socket::IP; use Socket qw(SOCK_DGRAM);
    my ($server, $name) = @ARGV;
    my $id = int(rand(65536));
    my $question = join("", map { pack("C/a*", $_) } split(/\./, $name)) . pack("Cnn", 0, 6, 1);
    my $socket = IO::Socket::IP->new(PeerHost => $server, PeerPort => 53, Type => SOCK_DGRAM) or exit 1;
    for (1 .. 3) {
      $socket->send(pack("nnnnnn", $id, 0x0100, 1, 0, 0, 0) . $question) or next;
      my $ready = ""; vec($ready, $socket->fileno, 1) = 1;
      next unless select($ready, undef, undef, 2);
      defined $socket->recv(my $answer, 4096) or next;
      my ($got, $flags) = unpack("nn", $answer);
      exit(($flags & 15) == 5 ? 1 : 0) if defined $flags && $got == $id && ($flags & 0x8000);
    }
    exit 1' "$1" "$domain"
}
if ! [ -L /etc/resolv.conf ] && cmp -s "$draft" /etc/resolv.conf; then end_role; exit 0; fi
waited=0
until answers; do
  waited=$((waited + 1))
  [ "$waited" -lt 5 ] || fail "no server answers ($(echo $servers)): /etc/resolv.conf stays as it was"
  sleep 2
done
put_file /etc/resolv.conf 0644
end_role
