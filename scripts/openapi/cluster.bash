# Starts a W2Meet for a check: `start_cluster alone|services [VARIABLE=VALUE…]` sets $BASE. At its end the script removes
# everything that it made. Source this file; it needs $EXECUTABLE.

WORK=$(mktemp -d)
PIDS=()
PREFIX='' QUEUE=''
POSTGRES=${W2MEET_TEST_POSTGRES_URL:-postgres://postgres@127.0.0.1:5432/postgres}
AMQP=${W2MEET_TEST_AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/%2f}

end_cluster() {
  local pid
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
  [[ -z $PREFIX ]] || psql -qX "$POSTGRES" -c "DROP SCHEMA ${PREFIX}user CASCADE" 2>/dev/null || true
  [[ -z $QUEUE ]] || delete_queue 2>/dev/null || true
  [[ -z $QUEUE ]] || forget_keys 2>/dev/null || true
  rm -rf "$WORK"
}
trap end_cluster EXIT

# deletes the queues and the exchange of the broker, if there is a $PYTHON
delete_queue() {
  [[ -x ${PYTHON:-} ]] || return 0
  "$PYTHON" - "$AMQP" "$QUEUE" <<'PYTHON'
import sys, pika
channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
name = sys.argv[2]
for end in ("", ".dead", ".retry"):
    try:
        channel.queue_delete(name + end)
    except Exception:
        channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
channel.exchange_delete(name + ".events")
PYTHON
}

# deletes the keys of the cache
forget_keys() {
  local redis=(redis-cli -u "${W2MEET_TEST_REDIS_URL:-redis://127.0.0.1:6379}")
  command -v redis-cli >/dev/null || return 0
  "${redis[@]}" --scan --pattern "$QUEUE*" | xargs -r "${redis[@]}" del >/dev/null
}

# starts one process; sets $URL when it is ready
start_process() {
  local role=$1 log=$WORK/$1.log
  shift
  env "$@" W2MEET_ROLE="$role" W2MEET_LOG__FORMAT=json W2MEET_DATA_DIR="$WORK/data" "$EXECUTABLE" >"$log" 2>&1 &
  PIDS+=($!)
  until grep -qs '"message":"ready"' "$log"; do
    kill -0 "${PIDS[-1]}" 2>/dev/null || { cat "$log" >&2; exit 1; }
    read -rt 0.1 <> <(:) || true
  done
  [[ $role != all ]] || role=gateway
  URL=http://$(sed -n "s/.*\"listening\",\"role\":\"$role\",\"address\":\"\([^\"]*\)\".*/\1/p" "$log" | head -n 1)
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start_cluster() {
  local shape=$1 mark secret each=("${@:2}") up=()
  mark=w2meet_check_$$_$RANDOM
  if [[ $shape == alone ]]; then
    start_process all W2MEET_GATEWAY__LISTEN=127.0.0.1:0 "${each[@]}"
    BASE=$URL
    return
  fi
  PREFIX=${mark}_ QUEUE=$mark
  secret=$(printf '%s-%s' "$mark" 'a-secret-for-these-processes-alone')
  BASE=http://127.0.0.1:$(free_port)
  each+=(W2MEET_DATABASE__URL="$POSTGRES" W2MEET_DATABASE__SCHEMA_PREFIX="$PREFIX" W2MEET_DATABASE__POOL_SIZE=8
    W2MEET_CACHE__URL="${W2MEET_TEST_REDIS_URL:-redis://127.0.0.1:6379}" W2MEET_CACHE__PREFIX="$mark"
    W2MEET_QUEUE__URL="$AMQP" W2MEET_QUEUE__NAME="$QUEUE" W2MEET_QUEUE__EXCHANGE="$QUEUE.events"
    W2MEET_UPSTREAMS__GATEWAY="$BASE" W2MEET_GATEWAY__LISTEN="${BASE#http://}" W2MEET_AUTH__SERVICE_SECRET="$secret"
    W2MEET_USER__LISTEN=127.0.0.1:0 W2MEET_AVAILABILITY__LISTEN=127.0.0.1:0 W2MEET_SUGGESTION__LISTEN=127.0.0.1:0
    W2MEET_WORKER__LISTEN=127.0.0.1:0 W2MEET_RESERVATION__LISTEN=127.0.0.1:0)
  local role
  for role in user reservation availability suggestion worker gateway; do
    start_process "$role" "${each[@]}" "${up[@]}"
    up+=("W2MEET_UPSTREAMS__${role^^}=$URL")
  done
}
