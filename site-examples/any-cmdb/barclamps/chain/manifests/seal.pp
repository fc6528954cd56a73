# Hiera has the document: `chain`, `wants`, `crowbar`.
$wants = lookup('wants')
$sealed = "${wants['token']}@${wants['address']}:${lookup('chain::port', Integer)} ${lookup('chain::motto', String)}"

file { '/var/lib/chain':
  ensure => directory,
}
file { '/var/lib/chain/sealed':
  content   => $sealed,
  mode      => '0600',
  show_diff => false,
}
file { "${facts['crowbar_provides']}/sealed":
  content   => $sealed,
  show_diff => false,
}
