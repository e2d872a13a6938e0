# Writes the part of the servers' configuration that is secret, from mounted Secrets to a memory-backed volume.
# Nothing secret stands in a ConfigMap, an environment variable or a command line.
set -eu
umask 077

token() { # NAME: one member of acl.tokens, when its Secret is mounted
  [ -s "/secrets/$1/value" ] || return 0
  printf '%s"%s": "%s"' "$separator" "$1" "$(cat "/secrets/$1/value")"
  separator=', '
}

{
  printf '{"encrypt": "%s", "acl": {"tokens": {' "$(cat /secrets/gossip/value)"
  separator=
  for name in initial_management replication agent dns; do token "$name"; done
  printf '}}}\n'
} > /consul/secret-config/secrets.json
