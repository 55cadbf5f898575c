package drivers

import (
	"testing"
	"testing/fstest"
)

// FuzzLocks: no table of locks, however odd, makes a holder of no process.
func FuzzLocks(f *testing.F) {
	for _, seed := range []string{
		"1: FLOCK  ADVISORY  WRITE 812 00:05:12 0 EOF\n", "1: FLOCK ADVISORY WRITE -1 00:05:12 0 EOF\n",
		"1: -> FLOCK  ADVISORY  WRITE 812 00:05:12 0 EOF\n", "1: POSIX ADVISORY WRITE 812 00:05:12 0 EOF\n", "FLOCK", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if pid, ok := locker(fstest.MapFS{"locks": {Data: b}}, "00:05:12"); ok && pid <= 0 {
			t.Errorf("process %d", pid)
		}
	})
}
