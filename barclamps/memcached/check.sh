#!/bin/sh
# It answers on every address.
set -eu
for address in $(crowbar-get memcached.listen); do
  perl -MIO::Socket::IP -e '
    my $socket = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5) or exit 1;
    print $socket "version\r\n";
    exit(<$socket> !~ /^VERSION/)' "$address" "$(crowbar-get memcached.port)" || { echo "memcached does not answer at $address" >&2; exit 1; }
done
