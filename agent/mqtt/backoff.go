package mqtt

import (
	"context"
	"time"
)

// Bounds of the wait between two rounds of connection attempts. The lower one
// spares a broker that restarts the rush of a whole plant, the upper one is
// what an operator waits at most after the cable is back.
const (
	shortestWait = 100 * time.Millisecond
	longestWait  = 5 * time.Second
)

// steady is how long a connection must last to count as sound. Two gateways
// with one client id end each other's connections at once; without this they
// would do so without pause.
const steady = 10 * time.Second

// wait returns the pause before the next round of attempts after n failures in
// a row: nothing before the first, then between shortestWait and a bound that
// doubles up to longestWait. jitter returns a number in [0,n).
func wait(failures int, jitter func(n int64) int64) time.Duration {
	if failures == 0 {
		return 0
	}
	spread := longestWait - shortestWait
	if failures < 7 {
		spread = min(spread, shortestWait<<(failures-1))
	}
	return shortestWait + time.Duration(jitter(int64(spread)))
}

// sleep reports whether it slept the whole of d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
