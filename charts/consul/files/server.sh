# Starts the server. First the part of its configuration that is secret is written, from mounted Secrets to a
# memory-backed volume: nothing secret stands in a ConfigMap, an environment variable or a command line. Here and not in
# an init container, which would cost each start a second or more.
set -eu
secrets=/consul/secret-config/secrets.json

token() { # NAME: one member of acl.tokens, when its Secret is mounted
  [ -s "/secrets/$1/value" ] || return 0
  printf '%s"%s": "%s"' "$separator" "$1" "$(cat "/secrets/$1/value")"
  separator=', '
}

(
  umask 077
  {
    printf '{"encrypt": "%s", "acl": {"tokens": {' "$(cat /secrets/gossip/value)"
    separator=
    for name in initial_management replication agent dns; do token "$name"; done
    printf '}}}\n'
  } > "$secrets"
)
exec consul agent "-config-file=$secrets" "$@"
