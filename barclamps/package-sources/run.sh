#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/shell-library/shell.sh"
begin_role package-sources
effect=nothing

server=$(crowbar-get package-sources.server)
release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
list=/etc/apt/sources.list.d/crowbar.sources

# The new sources first: whoever runs apt in between has too many rather than none.
{
  echo "# Written by Crowbar."
  index=0
  while crowbar-get --has "package-sources.apt.$index.source"; do
    entry=package-sources.apt.$index
    source=$(crowbar-get "$entry.source" | sed "s/RELEASE/$release/g")
    suites=$release
    components=main
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if crowbar-get --has "$entry.suites"; then suites=$(crowbar-get "$entry.suites" | tr '\n' ' ' | sed 's/ $//'); fi
    if crowbar-get --has "$entry.components"; then components=$(crowbar-get "$entry.components" | tr '\n' ' ' | sed 's/ $//'); fi
    if crowbar-get --has "$entry.keyring"; then keyring=$(crowbar-get "$entry.keyring"); fi
    [ -n "$suites" ] || fail "/etc/os-release says no release: write suites"
    [ -s "$keyring" ] || fail "the node has no $keyring, so apt could not tell who signed $source"
    case $source in *://*) url=$source ;; *) url=$server/apt/$source ;; esac
    printf '\nTypes: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$url" "$suites" "$components" "$keyring"
    index=$((index + 1))
  done
} > "$draft"

if [ "$index" -gt 0 ]; then
  put_file "$list" 0644 sh -c 'cp "$1" "$1.sources" && apt-get indextargets -o Dir::Etc::SourceParts=- -o Dir::Etc::SourceList="$1.sources" >/dev/null; ended=$?; rm -f "$1.sources"; exit $ended' check
else
  give_back "$list"
fi
others=$(find /etc/apt/sources.list /etc/apt/sources.list.d -maxdepth 1 \( -name '*.list' -o -name '*.sources' \) ! -path "$list" ! -name '.*' 2>/dev/null || :)
if [ "$index" -gt 0 ] && [ "$(crowbar-get package-sources.exclusive)" = true ]; then
  for other in $others; do take_file "$other"; done
else
  for other in $(cd "$notes/files" && find . -path './etc/apt/*' ! -type d | cut -c2-); do
    [ "$other" = "$list" ] || give_back "$other"
  done
fi

# A registry without TLS has to be allowed by name.
if crowbar-get --has package-sources.pip; then
  index_url=$(crowbar-get package-sources.pip)
  case $index_url in *://*) ;; *) index_url=$server/pypi/$index_url/simple/ ;; esac
  host=$(printf %s "$index_url" | sed 's|^[a-z]*://||; s|/.*||')
  { echo "# Written by Crowbar."; echo "[global]"; echo "index-url = $index_url"; case $index_url in http://*) echo "trusted-host = $host" ;; esac } > "$draft"
  put_file /etc/pip.conf 0644
else
  give_back /etc/pip.conf
fi

# npm reads its global configuration below the prefix of the node program; of Debian's that is /etc/npmrc.
if crowbar-get --has package-sources.npm; then
  registry=$(crowbar-get package-sources.npm)
  case $registry in *://*) ;; *) registry=$server/npm/$registry/ ;; esac
  { echo "; Written by Crowbar."; echo "registry=$registry"; } > "$draft"
  put_file /etc/npmrc 0644
else
  give_back /etc/npmrc
fi
end_role
