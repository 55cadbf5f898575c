package wedge

import (
	"testing"
	"time"
)

// still is a device of which only a key comes that writes nothing, again and
// again.
type still struct{ event [EventSize64]byte }

func (*still) SetReadDeadline(time.Time) error { return nil }
func (p *still) Read(b []byte) (int, error)    { return copy(b, p.event[:]), nil }
func (*still) Close() error                    { return nil }
func (*still) Model() string                   { return "" }

// A reader nobody uses is not asked at all: poll waits in Read. What else the
// device says, such as scan codes, costs no memory.
func TestIdlePollAllocatesNothing(t *testing.T) {
	decoder, err := NewDecoder(US)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Reader: &Reader{}, source: &still{}, parser: NewParser(EventSize64), decoder: decoder}
	poll := func() {
		if err := s.poll(); err != nil {
			t.Fatal(err)
		}
	}
	poll()
	if n := testing.AllocsPerRun(100, poll); n != 0 {
		t.Errorf("%v allocations for a poll without news", n)
	}
}
