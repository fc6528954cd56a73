# For `.`: what a role does to a node by these functions is noted below /var/lib/crowbar-roles, so that `undo_role` takes
# back exactly that. README.md says how. POSIX sh; needs coreutils, dpkg and systemd.

# begin_role NAME: first of all. One name a role.
begin_role() {
  umask 022
  notes=/var/lib/crowbar-roles/$1
  effect=restart
  # In the step's private folder in memory, which is gone afterwards.
  draft=${CROWBAR_VALUES%/*}/draft
  mkdir -p "$notes/files" "$notes/absent" "$notes/services" "$notes/changed"
  chmod 0700 /var/lib/crowbar-roles "$notes"
}

# say TEXT...: for the operator; fail TEXT...: and the step fails.
say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# What a changed file asks of the service that reads it: set `effect` to restart (the default), reload or nothing before
# put_file. It is noted on disk until end_role, so that a run which was interrupted in between is made good by the next one.
note_change() { : > "$notes/changed/${1-$effect}"; }

# changed [EFFECT]: whether anything was, or with that effect.
changed() { if [ $# -eq 0 ]; then [ -n "$(ls "$notes/changed")" ]; else [ -e "$notes/changed/$1" ]; fi; }

# own_packages NAME...: packages of the role that undo_role removes again, if it was this role that brought them. Packages
# that came along with them go too, where nothing else needs them.
own_packages() {
  printf '%s\n' "$@" > "$notes/own"
  [ -z "${CROWBAR_INSTALLED-}" ] || printf '%s\n' $CROWBAR_INSTALLED >> "$notes/brought"
}

# note_file PATH: remembers once what PATH is now, or that there is none.
note_file() {
  if [ -e "$notes/files$1" ] || [ -L "$notes/files$1" ] || [ -e "$notes/absent$1" ]; then return; fi
  if [ -e "$1" ] || [ -L "$1" ]; then
    mkdir -p "$notes/files${1%/*}"
    cp -a "$1" "$notes/files$1.part"
    mv -T "$notes/files$1.part" "$notes/files$1"
  else
    mkdir -p "$notes/absent${1%/*}"
    : > "$notes/absent$1"
  fi
}

# note_folder PATH: makes PATH and what is above it; undo_role removes what was made, if it is empty then.
note_folder() {
  [ ! -d "$1" ] || return 0
  note_folder "${1%/*}"
  printf '%s\n' "$1" >> "$notes/folders"
  mkdir -p "$1"
}

# put_file PATH MODE [CHECK...]: PATH gets what the file "$draft" holds, at once and whole, and belongs to root. CHECK is run
# before with the name of the new file as its last argument; when it fails so does the step, and nothing was replaced. A link
# at PATH is replaced, not followed. (A draft, and no pipe: sh does not notice when the first part of a pipe fails.)
put_file() {
  put_path=$1 put_mode=$2
  shift 2
  note_folder "${put_path%/*}"
  put_new=${put_path%/*}/.${put_path##*/}.crowbar-new
  (umask 077 && cat "$draft" > "$put_new")
  chown root:root "$put_new"
  chmod "$put_mode" "$put_new"
  if [ ! -L "$put_path" ] && [ -f "$put_path" ] && cmp -s "$put_new" "$put_path" && [ "$(stat -c %a:%U:%G "$put_path")" = "$(stat -c %a:%U:%G "$put_new")" ]; then
    rm -f "$put_new"
    return
  fi
  if [ $# -gt 0 ] && ! put_said=$("$@" "$put_new" 2>&1); then
    rm -f "$put_new"
    fail "$put_path would not be right, and stays as it was: $put_said"
  fi
  note_file "$put_path"
  sync "$put_new"
  note_change
  mv -fT "$put_new" "$put_path"
  say "$put_path is new"
}

# take_file PATH: PATH is not there any more until undo_role.
take_file() {
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then return; fi
  note_file "$1"
  note_change
  rm -f "$1"
  say "$1 is gone"
}

# give_back PATH: PATH becomes what it was before the role.
give_back() {
  if [ -e "$notes/absent$1" ]; then
    note_change
    rm -f "$1" "$notes/absent$1"
  elif [ -e "$notes/files$1" ] || [ -L "$notes/files$1" ]; then
    note_change
    cp -a "$notes/files$1" "${1%/*}/.${1##*/}.crowbar-new"
    mv -fT "${1%/*}/.${1##*/}.crowbar-new" "$1"
    rm -f "$notes/files$1"
  fi
}

# note_service UNIT: remembers once whether it is enabled and whether it runs.
note_service() {
  [ ! -e "$notes/services/$1" ] || return 0
  printf '%s %s\n' "$(systemctl is-enabled "$1" 2>/dev/null || :)" "$(systemctl is-active "$1" 2>/dev/null || :)" > "$notes/services/$1.part"
  mv "$notes/services/$1.part" "$notes/services/$1"
}

# run_service UNIT: it is enabled and runs; restarted or reloaded if a file was changed whose `effect` is that.
run_service() {
  note_service "$1"
  systemctl daemon-reload
  run_how=
  if ! systemctl is-enabled --quiet "$1" 2>/dev/null; then
    systemctl enable --quiet "$1" 2>&1
    note_change nothing
  fi
  if ! systemctl is-active --quiet "$1"; then run_how=start
  elif changed restart; then run_how=restart
  elif changed reload; then run_how=reload
  else return 0
  fi
  note_change nothing
  systemctl reset-failed "$1" 2>/dev/null || :
  if ! systemctl "$run_how" "$1" || ! systemctl is-active --quiet "$1"; then
    journalctl --unit "$1" --lines 20 --no-pager --output cat >&2 || :
    fail "$1 does not $run_how"
  fi
  say "$1: $run_how"
}

# end_role: last of all; tells when nothing was changed.
end_role() {
  changed || crowbar-unchanged
  rm -rf "$notes/changed"
}

# undo_role: files, services and packages become what they were before the role. May be run again after it was interrupted.
undo_role() {
  for undo_unit in $(ls "$notes/services"); do
    case $undo_unit in *.part) continue ;; esac
    # A socket would start it again in the middle, with half of its files.
    for undo_trigger in $(systemctl show --property=TriggeredBy --value "$undo_unit"); do
      systemctl is-active --quiet "$undo_trigger" || continue
      printf '%s %s\n' "$undo_unit" "$undo_trigger" >> "$notes/triggers"
      systemctl stop "$undo_trigger" 2>/dev/null || :
    done
    systemctl stop "$undo_unit" 2>/dev/null || :
    systemctl reset-failed "$undo_unit" 2>/dev/null || :
  done
  for undo_file in $(cd "$notes/absent" && find . ! -type d | cut -c2-) $(cd "$notes/files" && find . ! -type d ! -name '*.part' | cut -c2-); do
    [ -d "${undo_file%/*}" ] || continue
    give_back "$undo_file"
  done
  undo_packages
  systemctl daemon-reload
  for undo_unit in $(ls "$notes/services"); do
    case $undo_unit in *.part) continue ;; esac
    read -r undo_enabled undo_active < "$notes/services/$undo_unit" || :
    systemctl cat "$undo_unit" >/dev/null 2>&1 || continue
    case $undo_enabled in enabled) systemctl enable --quiet "$undo_unit" 2>&1 || : ;; disabled) systemctl disable --quiet "$undo_unit" 2>&1 || : ;; esac
    [ "$undo_active" = active ] || continue
    if [ -e "$notes/triggers" ]; then sed -n "s/^$undo_unit //p" "$notes/triggers" | xargs -r systemctl start; fi
    systemctl start "$undo_unit"
  done
  if [ -e "$notes/folders" ]; then
    sort -r "$notes/folders" | while read -r undo_folder; do rmdir "$undo_folder" 2>/dev/null || :; done
  fi
  rm -rf "$notes"
  rmdir /var/lib/crowbar-roles 2>/dev/null || :
}

# What another role's notes call their own stays, and is that role's to remove from then on.
undo_packages() {
  [ -e "$notes/brought" ] || return 0
  undo_own=$(sort -u "$notes/own")
  undo_automatic=$(apt-mark showauto)
  undo_list=
  for undo_package in $(sort -u "$notes/brought"); do
    undo_other=$(grep -lxF -- "$undo_package" /var/lib/crowbar-roles/*/own 2>/dev/null | grep -vxF "$notes/own" | head -n 1 || :)
    if [ -n "$undo_other" ]; then
      printf '%s\n' "$undo_package" >> "${undo_other%/own}/brought"
    elif printf '%s\n%s\n' "$undo_own" "$undo_automatic" | grep -qxF -- "$undo_package"; then
      undo_list="$undo_list $undo_package"
    fi
  done
  [ -n "$undo_list" ] || return 0
  # dpkg keeps those that something else needs, and says so.
  DEBIAN_FRONTEND=noninteractive SUDO_FORCE_REMOVE=yes dpkg --purge $undo_list || say "some packages stay, since others need them"
  for undo_package in $undo_own; do
    case " $undo_list " in *" $undo_package "*) ;; *) continue ;; esac
    ! dpkg-query --show --showformat '${db:Status-Status}' "$undo_package" 2>/dev/null | grep -qx installed || fail "$undo_package could not be removed"
  done
}
