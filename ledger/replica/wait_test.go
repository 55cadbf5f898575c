package replica

import "time"

// wait passes virtual time.
func wait(d time.Duration) { time.Sleep(d) }
