package agent

import (
	"golang.org/x/sys/unix"

	"traveler.example/ledger"
)

// SystemClock asks the kernel whether the clock is synchronised
// (adjtimex(2), STA_UNSYNC).
func SystemClock() ledger.Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil || state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return ledger.ClockUnsynchronised
	}
	return ledger.ClockSynchronised
}
