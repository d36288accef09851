#!/bin/sh
# The main job from beginning to end: the daemon trades a year of the bundled tape, is killed in
# the middle and started again, is stopped, and must have done exactly what a replay of the same
# bars does. `make demo` runs it; PAPERTAPE names the command, STATE a folder that is made anew.
set -eu

papertape=${PAPERTAPE:-papertape}
state=${STATE:-state/demo}
config=${CONFIG:-configs/replay_nvda.yaml}
start=2024-01-02
feed="{kind: tape, pace: 1000000, start: $start}"
log=$state/demo.log

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true' EXIT INT TERM

run_daemon() {
	"$papertape" run --config "$config" --state "$state" --set "feed=$feed" \
		--set observability.metrics=null 2>>"$log" &
	daemon=$!
}

wait_for_turn() { # until that many turns are committed
	while kill -0 "$daemon" 2>/dev/null; do
		turn=$("$papertape" status --state "$state" --json 2>/dev/null |
			sed -n 's/^  "last_turn": \([0-9]*\),$/\1/p')
		[ "${turn:-0}" -lt "$1" ] || return 0
	done
	echo "demo: the daemon has ended; its log: $log" >&2
	tail -n 3 "$log" >&2
	exit 1
}

rm -rf "$state"
mkdir -p "$state"

say "1. The daemon trades recorded bars, a million times faster than they happened"
run_daemon
wait_for_turn 300
"$papertape" status --state "$state"

say "2. It is killed without warning (kill -9) and started again"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
run_daemon
wait_for_turn 900
"$papertape" status --state "$state"

say "3. It is stopped in order"
kill -TERM "$daemon"
wait "$daemon"
daemon=
last=$("$papertape" status --state "$state" --json | sed -n 's/^    "NVDA": "\(.*Z\)".*$/\1/p')
echo "stopped; the last bar ended at $last"

say "4. Its journal is played again and must come out the same"
"$papertape" verify --state "$state"

say "5. A replay of the same bars, with its report"
"$papertape" report --state "$state" --out "$state/live" >/dev/null
"$papertape" replay --config "$config" --state "$state" --start "$start" --end "$last" \
	--set warmup_bars=auto --out "$state/replay"

say "6. What differs between the daemon's account and the replay (nothing may)"
"$papertape" runs diff "$state/live" "$state/replay" --state "$state"

echo
echo "The daemon's report: $state/live/report.html"
