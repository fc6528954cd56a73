# Makes one UDP socket bound to a network device and hands it to the Node process that started this script.
#
# Node's dgram cannot set SO_BINDTODEVICE. Its channel between processes can carry a socket, though, and a message on it
# is a line of JSON with the descriptor beside it (SCM_RIGHTS). Perl is part of every Debian system (perl-base).
#
# usage: bind-to-device.pl DEVICE ADDRESS PORT      with NODE_CHANNEL_FD in the environment
# On failure: one line on stderr, exit 1.
use strict;
use warnings;
use Socket;
use POSIX ();

my ($device, $address, $port) = @ARGV;
# <asm-generic/socket.h>; sendmsg: <asm/unistd_64.h>, <asm-generic/unistd.h>
my $SO_BINDTODEVICE = 25;
my $SO_RCVBUFFORCE = 33;
my %sendmsg = (x86_64 => 46, aarch64 => 211, riscv64 => 211, loongarch64 => 211);
my $machine = (POSIX::uname())[4];
my $call = $sendmsg{$machine} or fail("no system call number for $machine");

socket(my $socket, PF_INET, SOCK_DGRAM, 0) or fail("socket: $!");
setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or fail("SO_REUSEADDR: $!");
setsockopt($socket, SOL_SOCKET, SO_BROADCAST, 1) or fail("SO_BROADCAST: $!");
setsockopt($socket, SOL_SOCKET, $SO_BINDTODEVICE, pack('Z*', $device)) or fail("bind to device $device: $!");
# A rack that is switched on asks all at once. More than the system's limit takes CAP_NET_ADMIN; without it, its limit.
setsockopt($socket, SOL_SOCKET, $SO_RCVBUFFORCE, 4 << 20) or setsockopt($socket, SOL_SOCKET, SO_RCVBUF, 4 << 20);
bind($socket, pack_sockaddr_in($port, inet_aton($address))) or fail("bind to $address:$port: $!");

my $json = qq({"cmd":"NODE_HANDLE","type":"dgram.Socket","dgramType":"udp4","msg":"bound"}\n);
my $vector = pack('P Q', $json, length $json);
my $control = pack('Q l l l x4', 20, SOL_SOCKET, 1, fileno $socket);    # cmsghdr: SCM_RIGHTS, one descriptor
my $header = pack('Q Q P Q P Q Q', 0, 0, $vector, 1, $control, length $control, 0);
my $channel = $ENV{NODE_CHANNEL_FD} + 0;
my $sent = syscall($call, $channel, $header, 0);
$sent == length $json or fail("sendmsg: $!");

# The descriptor must stay open until it has been taken: Node acknowledges, or closes the channel.
open(my $reader, '<&=', $channel) or fail("channel: $!");
sysread($reader, my $acknowledgement, 4096);

sub fail {
  print STDERR "$_[0]\n";
  POSIX::_exit(1);
}
