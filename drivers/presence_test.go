package drivers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
)

// A script is what happens to a presence machine, one step a letter: a b c
// (tags found), . (found nothing), ab (both in one scan), R (resume), S
// (settle), ! (settled), each 100 ms after the one before.
func play(p *drivers.Presence, script string) string {
	at := time.Unix(0, 0)
	var said []string
	for _, word := range strings.Fields(script) {
		at = at.Add(100 * time.Millisecond)
		var events []drivers.Event
		switch word {
		case "R":
			p.Resume(at)
		case "S":
			p.Settle()
		case "!":
			events = p.Settled(nil)
		case ".":
			events = p.Scan(nil, at)
		default:
			var tags []drivers.Tag
			for _, c := range word {
				tags = append(tags, drivers.Tag{ID: string(c)})
			}
			events = p.Scan(nil, at, tags...)
		}
		for _, e := range events {
			said = append(said, fmt.Sprintf("%v %v%d@%d", e.Kind, e.Tag, e.Reads, e.At.UnixMilli()/100))
		}
	}
	return strings.Join(said, ", ")
}

func TestPresence(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"once for many reads", "! a a a a", "arrived a1@2"},
		{"departs after misses and time", "! a a . . . . .", "arrived a1@2, departed a2@7"},
		{"misses are forgotten", "! a . . a . . a . . a", "arrived a1@2"},
		{"comes again", "! a . . . . a", "arrived a1@2, departed a1@6, arrived a1@7"},
		{"two tags", "! a ab b b b b", "arrived a1@2, arrived b1@3, departed a2@7"},
		{"two at once", "! ab", "arrived a1@2, arrived b1@2"},
		{"lies there at the start", "a . a ! a a", "present a2@3"},
		{"seen once at the start, gone before it ends", "a . . . . !", ""},
		{"recovery counts no misses", "! a . . R . . . . .", "arrived a1@2, departed a1@9"},
		{"goes on after an outage", "! a S R . a ! a", "arrived a1@2"},
		{"gone in an outage", "! a S R . . ! . .", "arrived a1@2, departed a1@8"},
		{"new after an outage", "! a S R b b ! b b", "arrived a1@2, present b2@6, departed a1@8"},
		{"same tag twice in a scan", "! aa", "arrived a1@2"},
		{"empty field", "! . . . .", ""},
	} {
		p := drivers.NewPresence("bench", drivers.PresenceConfig{Misses: 3, Absence: 400 * time.Millisecond})
		if got := play(p, tt.script); got != tt.want {
			t.Errorf("%s: %q says\n%s, want\n%s", tt.name, tt.script, got, tt.want)
		}
	}
}

// Neither misses alone nor time alone is a departure.
func TestPresenceNeedsBoth(t *testing.T) {
	start := time.Now()
	tag := drivers.Tag{ID: "A"}
	scan := func(p *drivers.Presence, ms int, tags ...drivers.Tag) int {
		return len(p.Scan(nil, start.Add(time.Duration(ms)*time.Millisecond), tags...))
	}
	fast := drivers.NewPresence("fast", drivers.PresenceConfig{})
	fast.Settled(nil)
	scan(fast, 0, tag)
	for ms := 1; ms < 400; ms++ {
		if scan(fast, ms) != 0 {
			t.Fatalf("departed %d ms after it was seen", ms)
		}
	}
	if scan(fast, 400) != 1 {
		t.Error("still there after 400 ms and 400 misses")
	}
	slow := drivers.NewPresence("slow", drivers.PresenceConfig{})
	slow.Settled(nil)
	scan(slow, 0, tag)
	for i, want := range []int{0, 0, 1} {
		if got := scan(slow, (i+1)*1000); got != want {
			t.Errorf("miss %d: %d events, want %d", i+1, got, want)
		}
	}
	if back := scan(slow, -5000, tag); back != 1 {
		t.Errorf("a clock stepped back: %d events, want an arrival", back)
	}
	if gone := scan(slow, -9000); gone != 0 {
		t.Error("departed after negative time")
	}
}

func TestPresenceCrowd(t *testing.T) {
	p := drivers.NewPresence("tunnel", drivers.PresenceConfig{Crowd: 2})
	p.Settled(nil)
	tags := []drivers.Tag{{ID: "A"}, {ID: "B"}, {ID: "C"}, {ID: "D"}}
	for scan, want := range []int{3, 0, 0} { // two arrivals and one fault, once
		events := p.Scan(nil, time.Unix(int64(scan), 0), tags...)
		if len(events) != want {
			t.Fatalf("scan %d says %v, want %d events", scan, events, want)
		}
		if scan == 0 && !errors.Is(events[2].Err, drivers.ErrCrowded) {
			t.Errorf("got %v, want ErrCrowded", events[2].Err)
		}
	}
}

func TestPresenceIdleScanAllocatesNothing(t *testing.T) {
	p := drivers.NewPresence("bench", drivers.PresenceConfig{})
	p.Settled(nil)
	at, tag := time.Unix(0, 0), drivers.Tag{ID: "A"}
	p.Scan(nil, at, tag)
	if n := testing.AllocsPerRun(100, func() { p.Scan(nil, at, tag) }); n != 0 {
		t.Errorf("%v allocations for a scan without news", n)
	}
}

// Tags that are told of one by one arrive at once, and a look ends with Sweep.
func TestPresenceTagByTag(t *testing.T) {
	p := drivers.NewPresence("r", drivers.PresenceConfig{Misses: 2, Absence: time.Second})
	p.Settled(nil)
	at := time.Now()
	a, b := drivers.Tag{ID: "AA"}, drivers.Tag{ID: "BB"}
	if got := p.See(nil, at, a); len(got) != 1 || got[0].Kind != drivers.Arrived || got[0].Tag != a {
		t.Fatalf("first read: %v", got)
	}
	if got := p.See(nil, at, b); len(got) != 1 || got[0].Tag != b {
		t.Fatalf("second tag: %v", got)
	}
	for range 3 { // only the first goes on being read
		at = at.Add(time.Second)
		if got := p.See(nil, at, a); len(got) != 0 {
			t.Fatalf("read again: %v", got)
		}
		if got := p.Sweep(nil, at); len(got) == 1 && got[0].Kind == drivers.Departed && got[0].Tag == b {
			return
		}
	}
	t.Fatal("the tag that is not read any more has not departed")
}
