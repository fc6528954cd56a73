import { LONGEST_NAME, LONGEST_PATH } from './value-files.ts'

/**
 * `crowbar-get [--default VALUE | --json | --has] PATH`: prints a value of the step's document, byte for byte, with no
 * newline added.
 */
export const CROWBAR_GET = `#!/bin/sh
# crowbar-get [--default VALUE | --json | --has] PATH
# PATH: keys joined by dots, list items by number: web.port, wants.peers.0. A key's character that is not a letter,
# digit, '_' or '-' is written %XX (each byte of its UTF-8): site.motd%2Etxt.
# A list prints one item a line, a map one key a line; --json prints any of them as JSON.
# Exit codes: 0 printed; 1 no such value (and no --default); 64 wrong usage.
set -u
usage() { echo 'usage: crowbar-get [--default VALUE | --json | --has] PATH' >&2; exit 64; }
mode=text
case \${1-} in
  --default) [ $# -eq 3 ] || usage; mode=default; fallback=$2; shift 2 ;;
  --json) mode=json; shift ;;
  --has) mode=has; shift ;;
  -*) usage ;;
esac
[ $# -eq 1 ] || usage
case $1 in ''|*/*|.*|*.|*..*) usage ;; esac
rest=$1
file=$CROWBAR_VALUES
long=false
while :; do
  key=\${rest%%.*}
  [ \${#key} -le ${LONGEST_NAME} ] || long=true
  file=$file/$key
  case $rest in *.*) rest=\${rest#*.} ;; *) break ;; esac
done
if [ \${#1} -gt ${LONGEST_PATH} ] || [ "$long" = true ]; then
  echo "crowbar-get: no file can have a name as long as $1; take it from --json of what it is in" >&2
  exit 64
fi
missing=false
{ [ -f "$file" ] || [ -d "$file" ]; } || missing=true
case $mode in
  has) [ "$missing" = false ] && [ ! -e "$file.null" ]; exit ;;
  default) if [ "$missing" = true ] || [ -e "$file.null" ]; then printf %s "$fallback"; exit 0; fi ;;
esac
if [ "$missing" = true ]; then
  echo "crowbar-get: the document has no $1" >&2
  exit 1
fi
if [ "$mode" = json ]; then
  if [ -d "$file" ]; then exec cat "$file/.json"; fi
  exec cat "$file.json"
fi
if [ -d "$file" ]; then exec cat "$file/.text"; fi
exec cat "$file"
`

/** `crowbar-provide NAME VALUE`, `--stdin`, `--json VALUE`, `--json-stdin`: reports a value to the nodes that want it. */
export const CROWBAR_PROVIDE = `#!/bin/sh
# crowbar-provide NAME VALUE        the string VALUE
# crowbar-provide NAME --stdin      a string, all of standard input as it is
# crowbar-provide NAME --json TEXT  a value of any type, as JSON; without TEXT from standard input
# crowbar-provide NAME -- VALUE     the string VALUE, also if it begins with --
# Nothing is converted: what a role declares as an integer, boolean, list or map has to come with --json.
set -eu
usage() { echo 'usage: crowbar-provide NAME (VALUE | -- VALUE | --stdin | --json [TEXT])' >&2; exit 64; }
[ $# -ge 2 ] || usage
name=$1
case $name in ''|[0-9]*|*[!A-Za-z0-9_]*) echo "crowbar-provide: not the name of a provide: $name" >&2; exit 64 ;; esac
shift
umask 077
file=$CROWBAR_PROVIDES/$name
rm -f "$file" "$file.json"
case $1 in
  --stdin) [ $# -eq 1 ] || usage; cat > "$file" ;;
  --json) case $# in 1) cat > "$file.json" ;; 2) printf %s "$2" > "$file.json" ;; *) usage ;; esac ;;
  --) [ $# -eq 2 ] || usage; printf %s "$2" > "$file" ;;
  --*) usage ;;
  *) [ $# -eq 1 ] || usage; printf %s "$1" > "$file" ;;
esac
`

/** `crowbar-unchanged`: says that the node was already as the role asks. */
export const CROWBAR_UNCHANGED = `#!/bin/sh
# crowbar-unchanged: the node was already as the role asks; the script still has to end with 0.
set -eu
: > "$CROWBAR_RESULTS/unchanged"
`
