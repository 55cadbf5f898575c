package ascii125

import (
	"os"
	"testing"
	"time"

	"traveler.example/drivers"
)

// still is a port on which a tag is repeated, or nothing comes.
type still struct {
	drivers.Port
	frame string
	now   bool
}

func (*still) SetReadDeadline(time.Time) error { return nil }

func (p *still) Read(b []byte) (int, error) {
	if p.now = !p.now; p.now && p.frame != "" {
		return copy(b, p.frame), nil
	}
	return 0, os.ErrDeadlineExceeded
}

func TestIdlePollAllocatesNothing(t *testing.T) {
	for _, frame := range []string{"", "\x020A00F1B2C38A\x03"} {
		s := &session{Reader: &Reader{}, port: &still{frame: frame}, presence: drivers.NewPresence("bench", drivers.PresenceConfig{})}
		s.presence.Settled(nil)
		poll := func() {
			s.scanEnd = time.Now() // each poll ends a scan
			if err := s.poll(); err != nil {
				t.Fatal(err)
			}
		}
		poll()
		poll()
		if n := testing.AllocsPerRun(100, poll); n != 0 {
			t.Errorf("%v allocations for a poll without news, frame %q", n, frame)
		}
	}
}
