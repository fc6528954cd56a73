# For `.`: which of the two roles this is, and the node's own addresses, one a line.
own_addresses() { ip -o addr show | awk '{ sub("/.*", "", $4); print $4 }'; }
role=$(crowbar-get crowbar.role.name)
