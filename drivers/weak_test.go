package drivers

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// field is a Presence under a clock that looks every 20 ms.
type field struct {
	*Presence
	now    time.Time
	events []Event
}

func newField() *field {
	p := NewPresence("bench", PresenceConfig{})
	p.Settled(nil)
	return &field{Presence: p, now: time.Unix(1e9, 0)}
}

func (f *field) look(tags ...Tag) {
	f.now = f.now.Add(20 * time.Millisecond)
	f.events = f.Scan(f.events, f.now, tags...)
}

func (f *field) count(k Kind) (n int) {
	for _, e := range f.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func TestWeakTag(t *testing.T) {
	tag := Tag{Technology: ISO14443A, ID: "04A1B2C3D4E580"}
	tests := []struct {
		name                    string
		seen                    func(look int) bool
		looks                   int
		weak, arrived, departed int
	}{
		{"lies still", func(int) bool { return true }, 1000, 0, 1, 0},
		{"missed every dozen looks", func(i int) bool { return i%12 != 0 || i == 0 }, 1000, 0, 1, 0},
		{"missed by every other look", func(i int) bool { return i%2 == 0 }, 1000, 1, 1, 0},
		{"seen by every tenth look", func(i int) bool { return i%10 == 0 }, 1000, 1, 1, 0},
		{"at the edge while it is brought near", func(i int) bool { return i > 20 || i%2 == 0 }, 1000, 0, 1, 0},
		{"weak after it lay still for long", func(i int) bool { return i < 5000 || i%2 == 0 }, 6000, 1, 1, 0},
		{"seen once a second", func(i int) bool { return i%50 == 0 }, 50 * 60, 1, 4, 3},
		{"seen every five seconds", func(i int) bool { return i%250 == 0 }, 250 * 8, 0, 8, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newField()
			for i := range tt.looks {
				if tt.seen(i) {
					f.look(tag)
				} else {
					f.look()
				}
			}
			if f.count(Fault) != tt.weak || f.count(Arrived) != tt.arrived || f.count(Departed) != tt.departed {
				t.Errorf("%d faults, %d arrivals, %d departures; want %d, %d, %d",
					f.count(Fault), f.count(Arrived), f.count(Departed), tt.weak, tt.arrived, tt.departed)
			}
			for _, e := range f.events {
				if e.Kind == Fault && (!errors.Is(e.Err, ErrWeak) || e.Tag != tag || !strings.Contains(e.Err.Error(), "move it closer")) {
					t.Errorf("fault %v of %v", e.Err, e.Tag)
				}
			}
		})
	}
}

// TestAWeakTagIsMissedLater: patience ends as well.
func TestAWeakTagIsMissedLater(t *testing.T) {
	tag := Tag{Technology: ISO14443A, ID: "04A1B2C3D4E580"}
	f := newField()
	for i := range 100 {
		if f.look(); i%2 == 0 {
			f.look(tag)
		}
	}
	for range 25 {
		f.look()
	}
	if f.count(Departed) != 0 {
		t.Error("a weak tag departed as fast as any other")
	}
	for range 100 {
		f.look()
	}
	if f.count(Departed) != 1 {
		t.Error("a weak tag that has gone stays")
	}
}

// TestManyTagsThatLapse: what is remembered of them is bounded.
func TestManyTagsThatLapse(t *testing.T) {
	f := newField()
	for i := range 100 {
		f.look(Tag{Technology: ISO14443A, ID: strings.Repeat("0123456789ABCDEF"[i%16:i%16+1], 8+2*(i/16))})
		for range 30 {
			f.look()
		}
	}
	if len(f.lapses) > maxLapses {
		t.Errorf("%d tags are remembered", len(f.lapses))
	}
}

func TestArrivalsOfOneLookAreInOrder(t *testing.T) {
	a, b := Tag{Technology: ISO14443A, ID: "0A0B0C0D"}, Tag{Technology: ISO14443A, ID: "1A2B3C4D"}
	for _, tags := range [][]Tag{{a, b}, {b, a}} {
		f := newField()
		f.look(tags...)
		if len(f.events) != 2 || f.events[0].Tag != a || f.events[1].Tag != b {
			t.Errorf("%v arrive as %v", tags, f.events)
		}
	}
}
