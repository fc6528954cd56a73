file { '/var/lib/chain/sealed':
  ensure => absent,
}
