#!/bin/bash
exec > _scheduler-stdout.txt
exec 2> _scheduler-stderr.txt


wait() {
    crucible_told=yes
    while [ "$crucible_told" ]; do
        crucible_told=
        command wait "$!"
        crucible_status=$?
    done
}
for crucible_signal in TERM INT USR1; do
    trap "crucible_told=yes; [ \"\$!\" ] || exit 143; kill -s $crucible_signal \$! 2>/dev/null" "$crucible_signal"
done

'/work/dev/dev/bin/python' 'crucible_engine.pyz' 'job.json'  > 'stdout.txt' 2> 'stderr.txt' &

wait


echo "$crucible_status" > exit_status.txt
