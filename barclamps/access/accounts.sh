# For `.`, after shell.sh: accounts of the node. What was made and what was there is noted in $notes/accounts/NAME: `new`, or
# the lines of passwd and shadow and the groups as they were.

value() { crowbar-get --default '' "access.users.$1.$2"; }
shadow_of() { getent shadow "$1" | cut -d: -f2; }
accounts_kept() { ls "$notes/accounts" 2>/dev/null | grep -v '\.' || :; }

# check_user NAME: whether what the site says of it can be done here.
check_user() {
  line=$(getent passwd "$1" || :)
  uid=$(value "$1" uid)
  if [ -n "$line" ]; then
    has=$(echo "$line" | cut -d: -f3)
    [ "$has" -ge 1000 ] || fail "$1 is an account of the system (uid $has), which this role does not touch"
    [ -z "$uid" ] || [ "$uid" = "$has" ] || fail "$1 has the uid $has here, and files that belong to it: it is not given $uid"
  elif [ -n "$uid" ] && getent passwd "$uid" >/dev/null; then
    fail "the uid $uid of $1 belongs to $(getent passwd "$uid" | cut -d: -f1) here"
  elif getent group "$1" >/dev/null; then
    fail "$1 is to have a group of its own, and the node has one of that name: take another name"
  fi
  for group in $(value "$1" groups); do
    getent group "$group" >/dev/null || fail "$1 is to be in the group $group, which the node does not have"
  done
  shell=$(value "$1" shell)
  [ -z "$shell" ] || [ -x "$shell" ] || fail "$1 is to have the shell $shell, which the node does not have"
  keys=$(value "$1" keys)
  if [ -n "$keys" ]; then
    number=0
    printf '%s\n' "$keys" > "$draft"
    while read -r key; do
      number=$((number + 1))
      printf '%s\n' "$key" > "$draft-key"
      ssh-keygen -l -f "$draft-key" >/dev/null 2>&1 || fail "key $number of $1 is no public key"
    done < "$draft"
  fi
  # No word of what is wrong with it: it is a secret.
  hash=$(value "$1" password)
  case $hash in
    '') ;;
    \$*\$*) case $hash in *[!A-Za-z0-9./\$,=_-]*) fail "the password of $1 is no hash of one" ;; esac ;;
    *) fail "the password of $1 is no hash of one (mkpasswd makes it)" ;;
  esac
}

# Who can log in, over the network or at a console, and be root then: names, one a line.
administrators_now() {
  if usable_password root || [ -s /root/.ssh/authorized_keys ]; then echo root; fi
  getent passwd | while IFS=: read -r name _ uid _ _ home shell; do
    { [ "$uid" -ge 1000 ] && [ "$uid" -lt 60000 ]; } || continue
    can_log_in "$name" "$home" "$shell" || continue
    if in_group "$name" sudo || grep -Eqs "^$name ALL=\(ALL:ALL\)( NOPASSWD:)? ALL$" /etc/sudoers.d/crowbar-access || grep -Eqs "^$name[[:space:]]+ALL" /etc/sudoers /etc/sudoers.d/[!c]*; then echo "$name"; fi
  done
}

# The same, once the document is carried out.
administrators_then() {
  for user in $users; do
    [ "$(value "$user" locked)" != true ] || continue
    case $(value "$user" sudo) in
      free) if [ -n "$(value "$user" keys)$(value "$user" password)" ]; then echo "$user"; fi ;;
      password) if [ -n "$(value "$user" password)" ]; then echo "$user"; fi ;;
      *) if [ -n "$(value "$user" password)" ] && value "$user" groups | grep -qxF sudo; then echo "$user"; fi ;;
    esac
  done
  for user in $before; do
    if [ "$user" = root ]; then
      if usable_password root || [ "$(crowbar-get access.rootLogin)" != no ]; then echo root; fi
    elif ! printf '%s\n' "$users" | grep -qxF -- "$user" && ! [ -e "$notes/accounts/$user" ]; then
      echo "$user"
    fi
  done
}

usable_password() { case $(shadow_of "$1") in \$*) ;; *) return 1 ;; esac; }
in_group() { id -nG "$1" 2>/dev/null | tr ' ' '\n' | grep -qxF -- "$2"; }
can_log_in() {
  case $3 in */nologin | */false | '') return 1 ;; esac
  expires=$(getent shadow "$1" | cut -d: -f8)
  [ -z "$expires" ] || [ "$expires" -gt "$(($(date +%s) / 86400))" ] || return 1
  usable_password "$1" || [ -s "$2/.ssh/authorized_keys" ] || [ -s "/etc/ssh/crowbar-keys/$1" ]
}

# keep_account NAME: there is one, as the document says.
keep_account() {
  mkdir -p "$notes/accounts"
  chmod 0700 "$notes/accounts"
  name=$1
  line=$(getent passwd "$name" || :)
  if [ ! -e "$notes/accounts/$name" ]; then
    if [ -z "$line" ]; then echo new; else printf '%s\n' "$line" "$(getent shadow "$name")" "$(id -nG "$name")"; fi > "$notes/accounts/$name.part"
    mv "$notes/accounts/$name.part" "$notes/accounts/$name"
  fi
  shell=$(value "$name" shell)
  comment=$(value "$name" comment)
  if [ -z "$line" ]; then
    uid=$(value "$name" uid)
    # Beside 59999 it would take 60000, which is no number of a person any more.
    useradd -K UID_MAX=59999 --create-home --user-group --shell "${shell:-/bin/bash}" ${uid:+--uid "$uid"} --comment "$comment" "$name"
    usermod --password '*' "$name"
    note_change nothing
    say "the account $name is new"
    line=$(getent passwd "$name")
  fi
  [ "$(echo "$line" | cut -d: -f7)" = "${shell:-/bin/bash}" ] || change_account "$name" --shell "${shell:-/bin/bash}"
  [ "$(echo "$line" | cut -d: -f5)" = "$comment" ] || [ -z "$comment" ] || change_account "$name" --comment "$comment"

  had=$(cat "$notes/accounts/$name.groups" 2>/dev/null || :)
  value "$name" groups > "$notes/accounts/.groups"
  for group in $(value "$name" groups); do
    if ! in_group "$name" "$group"; then change_account "$name" --append --groups "$group"; fi
  done
  # Groups that an earlier document gave and this one does not.
  for group in $had; do
    if ! grep -qxF -- "$group" "$notes/accounts/.groups" && in_group "$name" "$group" && ! was_in "$name" "$group"; then
      gpasswd --delete "$name" "$group" >/dev/null
      note_change nothing
    fi
  done
  mv "$notes/accounts/.groups" "$notes/accounts/$name.groups"

  hash=$(value "$name" password)
  if [ -n "$hash" ]; then
    if [ "$(shadow_of "$name" | sed 's/^!//')" != "$hash" ]; then
      printf '%s:%s\n' "$name" "$hash" | chpasswd --encrypted
      note_change nothing
      say "the password of $name is another one"
    fi
    : > "$notes/accounts/$name.password"
  elif [ -e "$notes/accounts/$name.password" ]; then
    change_account "$name" --password '*'
    rm "$notes/accounts/$name.password"
  fi

  if [ "$(value "$name" locked)" = true ]; then
    [ "$(getent shadow "$name" | cut -d: -f8)" = 1 ] || change_account "$name" --expiredate 1
  elif [ "$(getent shadow "$name" | cut -d: -f8)" = 1 ]; then
    change_account "$name" --expiredate ''
  fi
}

change_account() {
  changing=$1
  shift
  usermod "$@" "$changing"
  note_change nothing
  say "the account $changing: $1"
}

# was_in NAME GROUP: before the role.
was_in() { [ "$(head -n 1 "$notes/accounts/$1")" != new ] && tail -n 1 "$notes/accounts/$1" | tr ' ' '\n' | grep -qxF -- "$2"; }

# forget_account NAME: it goes if this role made it (its home stays), else it becomes what it was.
forget_account() {
  give_back "/etc/ssh/crowbar-keys/$1"
  if [ "$(head -n 1 "$notes/accounts/$1")" = new ]; then
    if getent passwd "$1" >/dev/null; then
      usermod --expiredate 1 "$1"
      loginctl terminate-user "$1" 2>/dev/null || :
      userdel --force "$1" 2>/dev/null || ! getent passwd "$1" >/dev/null || fail "the account $1 could not be removed"
    fi
  elif getent passwd "$1" >/dev/null; then
    { read -r line; read -r shadow; } < "$notes/accounts/$1"
    usermod --shell "$(echo "$line" | cut -d: -f7)" --comment "$(echo "$line" | cut -d: -f5)" --expiredate "$(days_to_date "$(echo "$shadow" | cut -d: -f8)")" "$1"
    printf '%s:%s\n' "$1" "$(echo "$shadow" | cut -d: -f2)" | chpasswd --encrypted
    for group in $(cat "$notes/accounts/$1.groups" 2>/dev/null || :); do
      if in_group "$1" "$group" && ! was_in "$1" "$group"; then gpasswd --delete "$1" "$group" >/dev/null; fi
    done
  fi
  note_change nothing
  say "the account $1 is as it was before this role"
  rm -f "$notes/accounts/$1".* "$notes/accounts/$1"
}

days_to_date() { [ -z "$1" ] || date -u -d "1970-01-01 + $1 days" +%F; }
