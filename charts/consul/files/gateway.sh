# Registers the mesh gateway in the catalog, then writes Envoy's bootstrap. In a secondary the token is unknown until
# it has been copied from the primary, so the registration is tried until Consul takes it; each new reason is logged.
# A try to connect is short: one that is made while kube-proxy swaps its rules is lost for good, retransmissions too.
set -eu
umask 077
case $LAN_ADDRESS in
  '$('*) echo "the mesh gateway's Service was not there when this pod started: $LAN_ADDRESS is not known"; exit 1 ;;
esac
work=/envoy

{ printf 'X-Consul-Token: '; cat "$CONSUL_HTTP_TOKEN_FILE"; } > "$work/header"
sed "s/@LAN_ADDRESS@/$LAN_ADDRESS/g" /config/registration.json > "$work/registration.json"

last=
until reason=$(curl --silent --show-error --fail-with-body --connect-timeout 0.4 --max-time 5 --cacert "$CONSUL_CACERT" \
  --connect-to "$CONSUL_TLS_SERVER_NAME:8501:$SERVER_HOST:8501" --request PUT --header "@$work/header" \
  --data-binary "@$work/registration.json" "https://$CONSUL_TLS_SERVER_NAME:8501/v1/catalog/register" 2>&1); do
  [ "$reason" = "$last" ] || echo "not registered yet: $reason"
  last=$reason
  sleep 0.25
done
rm "$work/header"
echo "registered with $LAN_ADDRESS inside and $WAN_ADDRESS outside"

# Envoy that asks before this datacenter has its Connect CA is put off for ever longer, so it starts when there is one.
until curl --silent --fail --connect-timeout 0.4 --max-time 5 --cacert "$CONSUL_CACERT" \
  --connect-to "$CONSUL_TLS_SERVER_NAME:8501:$SERVER_HOST:8501" \
  "https://$CONSUL_TLS_SERVER_NAME:8501/v1/connect/ca/roots" 2>&1 | grep -q '"ActiveRootID": *"[^"]'; do
  sleep 0.25
done

CONSUL_HTTP_ADDR="https://$SERVER_HOST:8501" consul connect envoy -gateway=mesh -proxy-id=mesh-gateway \
  -node-name="$NODE_NAME" -grpc-addr="https://$SERVER_HOST:8503" -grpc-ca-file="$CONSUL_CACERT" \
  -envoy-ready-bind-address="$POD_IP" -envoy-ready-bind-port=20200 -ignore-envoy-compatibility \
  -bootstrap > "$work/bootstrap.json"

# A server with its share of xDS streams answers "try another": the next try needs a connection of its own for that,
# since one that stays leads to the same server for ever.
sed -i 's/"explicit_http_config": {/"common_http_protocol_options": {"max_requests_per_connection": 1}, &/' \
  "$work/bootstrap.json"
